"""Connected components of a mask, numbered as SciPy numbers them."""

from typing import Literal

import numpy as np
from numba import njit

from cellseg.targets.union_find import root


def components(mask: np.ndarray, neighbours: Literal[4, 8] = 4) -> np.ndarray:
    """Number the connected parts of a mask in the order of their first pixels, row by row.

    Equal to ``scipy.ndimage.label`` (4 neighbours unless a structure is given) and to
    ``skimage.measure.label``. Rows are scanned once for runs of pixels, which are joined to those
    above them (union-find; Wu, Otoo and Suzuki, Pattern Analysis and Applications 2009).

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
    neighbours : 4 or 8
        8 also joins pixels that touch at a corner.

    Returns
    -------
    ndarray of shape (H, W), int32; 0 outside the mask, components 1..n

    Raises
    ------
    ValueError
        `neighbours` is neither 4 nor 8.
    """
    if neighbours not in (4, 8):
        raise ValueError(f"neighbours is 4 or 8, not {neighbours}")
    return _label(np.ascontiguousarray(mask, np.bool_), 1 if neighbours == 8 else 0)


@njit(cache=True, nogil=True)
def _label(mask, reach):
    """`reach` is by how many columns a run above may miss one below to be joined with it."""
    rows, columns = mask.shape
    labels = np.zeros((rows, columns), np.int32)
    # A run needs a pixel, and one that parts it from the next.
    parent = np.empty(rows * ((columns + 1) // 2) + 1, np.int32)
    count = 0
    for row in range(rows):
        column = 0
        while column < columns:
            if not mask[row, column]:
                column += 1
                continue
            start = column
            while column < columns and mask[row, column]:
                column += 1
            mine = np.int32(0)
            if row > 0:
                above = labels[row - 1]
                place = max(start - reach, 0)
                last = min(column + reach, columns)
                while place < last:
                    other = above[place]
                    if other == 0:
                        place += 1
                        continue
                    found = root(parent, other)
                    if mine == 0:
                        mine = found
                    elif found < mine:  # the lower number has the earlier first pixel
                        parent[mine] = found
                        mine = found
                    elif found > mine:
                        parent[found] = mine
                    while place < last and above[place] == other:
                        place += 1
            if mine == 0:
                count += 1
                mine = np.int32(count)
                parent[count] = mine
            labels[row, start:column] = mine
    number = np.zeros(count + 1, np.int32)
    n_components = np.int32(0)
    for label in range(1, count + 1):
        if parent[label] == label:
            n_components += 1
            number[label] = n_components
        else:  # parents have lower numbers, so theirs is final
            number[label] = number[parent[label]]
    for row in range(rows):
        for column in range(columns):
            labels[row, column] = number[labels[row, column]]
    return labels
