"""Outlines of cells to label images, pixel for pixel as pycocotools draws them."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from cellseg import cell_tables
from cellseg.files import write_stack
from cellseg.parallel import ordered_map
from cellseg.run_lengths import foreground_runs, paint

# Which of two cells owns a pixel that both cover: the order in which cells are painted.
OVERLAP: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "smaller-on-top": lambda areas: np.argsort(-areas, kind="stable"),
    "later": lambda areas: np.arange(len(areas)),
    "earlier": lambda areas: np.arange(len(areas))[::-1],
}


def rasterize(
    segmentations: Sequence[Any], height: int, width: int, overlap: str = "smaller-on-top"
) -> np.ndarray:
    """Paint cells into a label image.

    The mask of every cell equals that of pycocotools (``frPyObjects``, ``merge``, ``decode``).

    Parameters
    ----------
    segmentations : one a cell
        A list of polygons ``[x1, y1, x2, y2, …]`` in pixels, or COCO run lengths ``{"size",
        "counts"}``, compressed (bytes or str) or not (list).
    height, width : of the image, pixels
    overlap : the cell that owns a pixel covered by several

        - ``smaller-on-top``: the one of the smallest area, so that none is buried under a larger
          one (of equal ones the later)
        - ``later``, ``earlier``: the last or the first in the list

    Returns
    -------
    ndarray of shape (height, width), int32
        0 is background; the value of a cell is its position in `segmentations` plus one, however
        cells overlap. A cell without a visible pixel leaves its value unused.

    Raises
    ------
    ValueError
        `overlap` is no known policy, or run lengths belong to an image of another size.
    """
    if overlap not in OVERLAP:
        raise ValueError(f"overlap policy '{overlap}' is not one of {', '.join(OVERLAP)}")
    rles = _all_run_lengths(segmentations, height, width)
    cell, start, length = foreground_runs([rle["counts"] for rle in rles])
    areas = np.bincount(cell, length, minlength=len(rles)).astype(np.int64)
    return paint(cell, start, length, OVERLAP[overlap](areas), height, width)


def run_lengths(segmentation: Any, height: int, width: int) -> dict:
    """Compressed COCO run lengths of one cell, see :func:`rasterize` for the parameters.

    Parts of an outline that have no three points cover nothing.
    """
    from pycocotools import mask

    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != [height, width]:
            raise ValueError(f"run lengths of size {segmentation['size']}, not {[height, width]}")
        if isinstance(segmentation["counts"], list):
            return mask.frPyObjects(segmentation, height, width)
        return segmentation
    polygons = _parts_with_area(segmentation)
    if not polygons:
        return mask.encode(np.zeros((height, width), np.uint8, order="F"))
    return mask.merge(mask.frPyObjects(polygons, height, width))


def _all_run_lengths(segmentations: Sequence[Any], height: int, width: int) -> list[dict]:
    """As :func:`run_lengths`, with one call for all cells of one polygon, which is most of them."""
    from pycocotools import mask

    parts = [[] if isinstance(s, dict) else _parts_with_area(s) for s in segmentations]
    single = [cell for cell, polygons in enumerate(parts) if len(polygons) == 1]
    polygons = [parts[cell][0] for cell in single]
    drawn = dict(
        zip(single, mask.frPyObjects(polygons, height, width) if single else [], strict=True)
    )
    return [
        drawn[cell] if cell in drawn else run_lengths(segmentation, height, width)
        for cell, segmentation in enumerate(segmentations)
    ]


def _parts_with_area(polygons: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    return [part for part in polygons if len(part) >= 6 and len(part) % 2 == 0]


def write(
    images_table: str | os.PathLike,
    cells_table: str | os.PathLike,
    path: str | os.PathLike,
    overlap: str = "smaller-on-top",
    processes: int = 1,
) -> None:
    """Write the label images of a split into one npz, by image key.

    Parameters
    ----------
    images_table, cells_table : tables of the split, see :mod:`cellseg.cell_tables`
    path : the npz; each member is an ndarray of shape (H, W), int32
    overlap : see :func:`rasterize`
    processes : worker processes; the result does not depend on their number
    """
    images = cell_tables.segmentations(images_table, cells_table)
    jobs = ((*image, overlap) for image in images)
    write_stack(path, _reported(ordered_map(_rasterize_image, jobs, processes)))


def _rasterize_image(job: tuple[str, int, int, list, str]) -> tuple[str, np.ndarray, int]:
    image, height, width, segmentations, overlap = job
    return image, rasterize(segmentations, height, width, overlap), len(segmentations)


def _reported(results: Iterator[tuple[str, np.ndarray, int]]) -> Iterator[tuple[str, np.ndarray]]:
    """Pass label images on and print, at the end, how many cells have no pixel of their own."""
    n_images, n_cells, n_visible = 0, 0, 0
    for image, labels, count in results:
        n_images, n_cells = n_images + 1, n_cells + count
        n_visible += np.count_nonzero(np.bincount(labels.ravel())[1:])
        yield image, labels
    print(
        f"{n_images} images, {n_cells} cells, {n_cells - n_visible} of them without a pixel of "
        "their own (outlined twice, or outside the frame)."
    )
