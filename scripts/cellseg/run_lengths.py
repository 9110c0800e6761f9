"""COCO run lengths of many cells at once, without a mask the size of the image for each."""

from collections.abc import Sequence

import numpy as np


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
    chunks = np.frombuffer(b"".join(encoded), np.uint8).astype(np.int64) - 48
    if len(chunks) == 0:
        return (np.zeros(0, np.int64),) * 3
    is_last = (chunks & 0x20) == 0
    ends = np.flatnonzero(is_last)
    begins = np.concatenate([[0], ends[:-1] + 1])
    number = np.cumsum(is_last) - is_last  # which number a chunk belongs to
    place = np.arange(len(chunks)) - begins[number]
    runs = np.add.reduceat((chunks & 0x1F) << (5 * place), begins)
    negative = (chunks[ends] & 0x10) != 0
    runs[negative] -= 1 << (5 * (ends - begins + 1)[negative])

    cell = np.repeat(np.arange(len(encoded)), [len(item) for item in encoded])[begins]
    first = np.searchsorted(cell, cell)  # of the same cell
    index = np.arange(len(runs)) - first
    for chain in (index % 2 == 1, (index % 2 == 0) & (index > 0)):
        runs[chain] = _running_sum(runs[chain], cell[chain])
    end = _running_sum(runs, cell)
    is_foreground = index % 2 == 1
    length = runs[is_foreground]
    return cell[is_foreground], end[is_foreground] - length, length


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
    by_rank = np.argsort(rank[cell], kind="stable")
    cell, start, length = cell[by_rank], start[by_rank], length[by_rank]
    before = np.cumsum(length) - length
    pixels = np.repeat(start - before, length) + np.arange(length.sum())
    columns = np.zeros(height * width, np.int32)
    columns[pixels] = np.repeat(cell + 1, length)  # of a pixel given twice the last value stays
    return np.ascontiguousarray(columns.reshape(width, height).T)


def _running_sum(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Cumulative sum that starts anew in each group; groups are contiguous."""
    total = np.cumsum(values)
    first = np.searchsorted(group, group)
    return total - (total - values)[first] if len(values) else total
