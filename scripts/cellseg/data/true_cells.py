"""The true cells of images as runs of pixels: drawn once from the published outlines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellseg.data import run_lengths


@dataclass(frozen=True)
class TrueCells:
    """The true cells of an image, drawn once for any number of predictions.

    Attributes
    ----------
    height, width : int, pixels
    area : ndarray of shape (n,), float64; as published, decides the size class
    pixels : ndarray of shape (n,), int64; of the mask
    first_run : ndarray of shape (n + 1,), int64; runs first_run[i]..first_run[i + 1] are cell i
    start, length : ndarray of shape (R,), int64; runs of pixels, counted column by column
    """

    height: int
    width: int
    area: np.ndarray
    pixels: np.ndarray
    first_run: np.ndarray
    start: np.ndarray
    length: np.ndarray

    @property
    def cell_of_runs(self) -> np.ndarray:
        """The cell of each run, ndarray of shape (R,), int64, ascending."""
        return np.repeat(np.arange(len(self.pixels)), np.diff(self.first_run))


def draw(
    segmentations: Sequence[Any], height: int, width: int, areas: np.ndarray | None = None
) -> TrueCells:
    """Draw the true cells of an image as pycocotools does.

    Parameters
    ----------
    segmentations : one a cell, as in :func:`cellseg.data.rasterize.rasterize`
    height, width : of the image, pixels
    areas : ndarray of shape (n,), float64; the published areas, pixels; None takes the masks'

    Raises
    ------
    ValueError
        The number of areas is not that of cells, or run lengths do not fit the image.
    """
    counts = [rle["counts"] for rle in run_lengths.of_cells(segmentations, height, width)]
    cell, start, length = run_lengths.foreground_runs(counts)
    # The kernels check no bounds.
    if np.any(start < 0) or np.any(length < 0) or np.any(start + length > height * width):
        raise ValueError(f"run lengths reach beyond an image of {height} x {width} pixels")
    pixels = np.bincount(cell, length, minlength=len(counts)).astype(np.int64)
    areas = np.asarray(pixels if areas is None else areas, np.float64)
    if areas.shape != pixels.shape:
        raise ValueError(f"areas of shape {areas.shape} for {len(pixels)} cells")
    first_run = np.searchsorted(cell, np.arange(len(counts) + 1))
    return TrueCells(height, width, areas, pixels, first_run, start, length)


def of_labels(labels: np.ndarray) -> TrueCells:
    """The cells of a label image.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; cells 1..n, each with a pixel
    """
    height, width = labels.shape
    flat = labels.ravel(order="F")
    start = np.flatnonzero(np.diff(flat, prepend=0 if flat.size else ()) != 0)
    length = np.diff(start, append=flat.size)
    cells = flat[start] > 0
    start, length = start[cells], length[cells]
    order = np.argsort(flat[start], kind="stable")
    start, length = start[order], length[order]
    pixels = np.bincount(flat)[1:].astype(np.int64)
    first_run = np.searchsorted(flat[start], np.arange(1, len(pixels) + 2))
    return TrueCells(height, width, pixels.astype(np.float64), pixels, first_run, start, length)


def arrays(image: str, cells: TrueCells) -> Iterator[tuple[str, np.ndarray]]:
    """Name the arrays under which the cells of an image are stored, see :func:`read`."""
    yield f"{image}/shape", np.array([cells.height, cells.width])
    yield f"{image}/area", cells.area
    yield f"{image}/first_run", cells.first_run.astype(np.int32)
    yield f"{image}/runs", np.stack([cells.start, cells.length]).astype(np.int32)


def read(stack: Mapping[str, np.ndarray], image: str) -> TrueCells:
    """Take the cells of an image from an npz of :func:`arrays`.

    Raises
    ------
    KeyError
        There are none.
    """
    height, width = stack[f"{image}/shape"].tolist()
    first_run = stack[f"{image}/first_run"].astype(np.int64)
    start, length = stack[f"{image}/runs"].astype(np.int64)
    before = np.concatenate([[0], np.cumsum(length)])
    pixels = before[first_run[1:]] - before[first_run[:-1]]
    area = stack[f"{image}/area"]
    return TrueCells(height, width, area, pixels, first_run, start, length)
