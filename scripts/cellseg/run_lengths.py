"""Outlines to COCO run lengths, and many of those at once to runs of pixels and label images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit


def of_cell(segmentation: Any, height: int, width: int) -> dict:
    """Compressed COCO run lengths of one cell; parameters as of :func:`cellseg.labels.rasterize`.

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


def of_cells(segmentations: Sequence[Any], height: int, width: int) -> list[dict]:
    """As :func:`of_cell` for every cell, with one call for all of one polygon, which is most."""
    from pycocotools import mask

    parts = [[] if isinstance(s, dict) else _parts_with_area(s) for s in segmentations]
    single = [cell for cell, polygons in enumerate(parts) if len(polygons) == 1]
    polygons = [parts[cell][0] for cell in single]
    drawn = dict(
        zip(single, mask.frPyObjects(polygons, height, width) if single else [], strict=True)
    )
    return [
        drawn[cell] if cell in drawn else of_cell(segmentation, height, width)
        for cell, segmentation in enumerate(segmentations)
    ]


def _parts_with_area(polygons: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    return [part for part in polygons if len(part) >= 6 and len(part) % 2 == 0]


def foreground_runs(
    counts: Sequence[bytes | str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode the compressed run lengths of many cells to their runs of foreground.

    The format is that of pycocotools (``rleToString`` in its ``maskApi.c``): columns one below
    the other, runs of background and foreground in turn, each number in chunks of five bits, and
    from the fourth run on as the difference to the run two before it.

    Parameters
    ----------
    counts : compressed run lengths, one a cell

    Returns
    -------
    cell : ndarray of shape (R,), int64; the cell of each run, ascending
    start, length : ndarray of shape (R,), int64; pixels, counted column by column
    """
    encoded = [item.encode("ascii") if isinstance(item, str) else item for item in counts]
    ends = np.cumsum([len(item) for item in encoded], dtype=np.int64)
    return _decode(np.frombuffer(b"".join(encoded), np.uint8), ends)


@njit(cache=True, nogil=True)
def _decode(chunks, ends):
    n_numbers = len(ends)  # one more a cell, should its last number be cut off
    for chunk in chunks:
        n_numbers += not (chunk - 48) & 0x20
    cells = np.empty(n_numbers, np.int64)
    starts = np.empty(n_numbers, np.int64)
    lengths = np.empty(n_numbers, np.int64)
    n_runs = 0
    place = 0
    for cell in range(len(ends)):
        position = np.int64(0)  # pixel where the next run begins
        index = 0
        previous, before_previous = np.int64(0), np.int64(0)
        while place < ends[cell]:
            number, shift = np.int64(0), 0
            chunk = np.int64(0x20)
            while chunk & 0x20 and place < ends[cell]:
                chunk = np.int64(chunks[place]) - 48
                place += 1
                number |= (chunk & 0x1F) << shift
                shift += 5
            if chunk & 0x10:
                number -= np.int64(1) << shift
            if index > 2:
                number += before_previous
            if index % 2 == 1:
                cells[n_runs], starts[n_runs], lengths[n_runs] = cell, position, number
                n_runs += 1
            position += number
            before_previous, previous = previous, number
            index += 1
    return cells[:n_runs], starts[:n_runs], lengths[:n_runs]


def paint(
    cell: np.ndarray,
    start: np.ndarray,
    length: np.ndarray,
    order: np.ndarray,
    height: int,
    width: int,
) -> np.ndarray:
    """Paint runs into a label image, cells in the given order, later ones over earlier ones.

    Parameters
    ----------
    cell, start, length : from :func:`foreground_runs`
    order : ndarray of int, every cell once, the first one painted first

    Returns
    -------
    ndarray of shape (height, width), int32
        The value of a cell is its number plus one; 0 is background.
    """
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return _paint(cell, start, length, rank, height, width)


@njit(cache=True, nogil=True)
def _paint(cell, start, length, rank, height, width):
    on_top = np.zeros(height * width, np.int32)  # rank plus one of the cell seen in each pixel
    cell_of_rank = np.zeros(len(rank) + 1, np.int32)
    for number in range(len(rank)):
        cell_of_rank[rank[number] + 1] = number + 1
    for run in range(len(cell)):
        above = np.int32(rank[cell[run]] + 1)
        for pixel in range(start[run], start[run] + length[run]):
            on_top[pixel] = max(on_top[pixel], above)
    labels = np.empty((height, width), np.int32)
    for column in range(width):
        for row in range(height):
            labels[row, column] = cell_of_rank[on_top[column * height + row]]
    return labels
