"""COCO run lengths of many cells at once, without a mask the size of the image for each."""

from collections.abc import Sequence

import numpy as np
from numba import njit


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
    n_numbers = 0
    for chunk in chunks:
        if not (chunk - 48) & 0x20:
            n_numbers += 1
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
            while True:
                chunk = np.int64(chunks[place]) - 48
                place += 1
                number |= (chunk & 0x1F) << shift
                shift += 5
                if not chunk & 0x20:
                    break
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
