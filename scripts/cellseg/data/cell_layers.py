"""Cells that may overlap, as a few label images without overlaps."""

import numpy as np
from numba import njit

from cellseg.data.true_cells import TrueCells

MOST = 64
"""Layers at most: so many cells claim one pixel. Of more, the last ones cover each other."""


def layers(cells: TrueCells) -> np.ndarray:
    """Draw each cell whole into the first label image in which its pixels are free.

    Parameters
    ----------
    cells : of one image

    Returns
    -------
    ndarray of shape (layers, H, W), int32
        0 is background, cell i has the label i + 1. At least one layer.
    """
    drawn = _drawn(cells.first_run, cells.start, cells.length, cells.height * cells.width)
    # Runs go down the columns.
    columns = drawn.reshape(len(drawn), cells.width, cells.height)
    return np.ascontiguousarray(columns.transpose(0, 2, 1))


@njit(cache=True, nogil=True)
def _drawn(first_run, start, length, n_pixels):
    taken = np.zeros(n_pixels, np.uint64)  # a bit a layer
    n_cells = len(first_run) - 1
    layer = np.zeros(n_cells, np.int64)
    n_layers = 1
    for cell in range(n_cells):
        used = np.uint64(0)
        for run in range(first_run[cell], first_run[cell + 1]):
            for pixel in range(start[run], start[run] + length[run]):
                used |= taken[pixel]
        free = 0
        while free < MOST - 1 and (used >> np.uint64(free)) & np.uint64(1):
            free += 1
        layer[cell] = free
        n_layers = max(n_layers, free + 1)
        for run in range(first_run[cell], first_run[cell + 1]):
            for pixel in range(start[run], start[run] + length[run]):
                taken[pixel] |= np.uint64(1) << np.uint64(free)
    drawn = np.zeros((n_layers, n_pixels), np.int32)
    for cell in range(n_cells):
        for run in range(first_run[cell], first_run[cell + 1]):
            drawn[layer[cell], start[run] : start[run] + length[run]] = cell + 1
    return drawn
