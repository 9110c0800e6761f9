"""Label images to borders and distances: the kernels behind :mod:`cellseg.targets.heads`.

They hold no lock of Python's, so that several tiles can be worked on at once.
"""

import numpy as np
from numba import njit

_TOGETHER = 64  # pixels of a row; small ones stop early, large ones fill the vector registers


@njit(cache=True, nogil=True)
def inner_boundaries(labels: np.ndarray) -> np.ndarray:
    """Pixels of a cell with another value above, below, left or right of them.

    The image's own border is no boundary.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32

    Returns
    -------
    ndarray of shape (H, W), bool
    """
    rows, columns = labels.shape
    boundary = np.empty(labels.shape, np.bool_)
    for row in range(rows):
        line = labels[row]
        above, below = labels[max(row - 1, 0)], labels[min(row + 1, rows - 1)]
        found = boundary[row]
        for column in range(columns):
            value = line[column]
            found[column] = (value != 0) & ((above[column] != value) | (below[column] != value))
        for column in range(1, columns):
            found[column] |= (line[column] != 0) & (line[column - 1] != line[column])
        for column in range(columns - 1):
            found[column] |= (line[column] != 0) & (line[column + 1] != line[column])
    return boundary


@njit(cache=True, nogil=True)
def erode(labels: np.ndarray, width: int) -> np.ndarray:
    """Take `width` pixels off the border of every cell; small cells may vanish.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32

    Returns
    -------
    ndarray of shape (H, W), int32
    """
    eroded = labels.copy()
    rows, columns = labels.shape
    for _ in range(width):
        boundary = inner_boundaries(eroded)
        for row in range(rows):
            line, taken = eroded[row], boundary[row]
            for column in range(columns):
                line[column] = 0 if taken[column] else line[column]
    return eroded


@njit(cache=True, nogil=True)
def runs_of_pieces(
    labels: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Runs of equal label along the rows, and the connected (8 neighbours) piece of each.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32

    Returns
    -------
    row, start, end : ndarray of shape (R,), int32
        The row of a run, its first column and the one after its last.
    piece : ndarray of shape (R,), int32; numbered from 0
    n_pieces : int
    """
    rows, columns = labels.shape
    n_runs = 0
    for row in range(rows):
        before = 0
        for value in labels[row]:
            n_runs += (value != 0) & (value != before)
            before = value
    run_row, start, end = (
        np.empty(n_runs, np.int32), np.empty(n_runs, np.int32), np.empty(n_runs, np.int32)
    )  # fmt: skip
    parent = np.arange(n_runs).astype(np.int32)
    n_runs = 0
    above = above_end = 0  # runs of the row above: the first that may touch, and past the last
    for row in range(rows):
        first_of_row = n_runs
        line = labels[row]
        column = 0
        while column < columns:
            value = line[column]
            if value == 0:
                column += 1
                continue
            begin = column
            while column < columns and line[column] == value:
                column += 1
            run_row[n_runs], start[n_runs], end[n_runs] = row, begin, column
            while above < above_end and end[above] < begin:
                above += 1
            touching = above
            while touching < above_end and start[touching] <= column:
                if labels[row - 1, start[touching]] == value:
                    _join(parent, touching, n_runs)
                touching += 1
            n_runs += 1
        above, above_end = first_of_row, n_runs
    piece = np.empty(n_runs, np.int32)
    n_pieces = 0
    for run in range(n_runs):
        root = _root(parent, run)  # the first run of the piece
        if root == run:
            piece[run] = n_pieces
            n_pieces += 1
        else:
            piece[run] = piece[root]
    return run_row, start, end, piece, n_pieces


@njit(cache=True, nogil=True)
def _root(parent, run):
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@njit(cache=True, nogil=True)
def _join(parent, first, second):
    first, second = _root(parent, first), _root(parent, second)
    parent[max(first, second)] = min(first, second)


@njit(cache=True, nogil=True)
def distance_to_background(labels: np.ndarray) -> np.ndarray:
    """Euclidean distance of each pixel to the nearest of value 0, exact.

    Down the columns first, then along the rows (Saito and Toriwaki, Pattern Recognition 27, 1994):
    in steps for many pixels together, which the compiler turns into vector instructions, and no
    further than the largest distance among them, which in images of cells is not far.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; with a 0 in it, H + W below 30,000

    Returns
    -------
    ndarray of shape (H, W), float32; pixels
    """
    rows, columns = labels.shape
    far = np.int32(rows + columns)
    vertical = np.empty(labels.shape, np.int32)
    above = np.full(columns, far, np.int32)
    for row in range(rows):
        line, found = labels[row], vertical[row]
        for column in range(columns):
            # No further than `far`, whose square must not overflow.
            found[column] = 0 if line[column] == 0 else min(above[column], far - 1) + 1
        above = found
    for row in range(rows - 2, -1, -1):
        below, found = vertical[row + 1], vertical[row]
        for column in range(columns):
            through_below = below[column] + 1
            found[column] = through_below if through_below < found[column] else found[column]
    distance = np.empty(labels.shape, np.float32)
    # Squares of a row, with so much around it that no step can leave; there is no background.
    squares = np.full(columns + 2 * far, far * far, np.int32)
    nearest = np.empty(columns, np.int32)
    for row in range(rows):
        line, found = vertical[row], distance[row]
        for column in range(columns):
            squares[far + column] = line[column] * line[column]
        for start in range(0, columns, _TOGETHER):
            _along(squares, far + start, nearest[start : start + _TOGETHER])
        for column in range(columns):
            found[column] = np.sqrt(np.float32(nearest[column]))
    return distance


@njit(cache=True, nogil=True)
def _along(squares, start, nearest):
    """Least of all squares, each with the square of how far it is from the pixel."""
    length = len(nearest)
    nearest[:] = squares[start : start + length]
    step = 1
    largest = nearest.max()
    while step * step < largest:
        further = step * step
        left, right = squares[start - step :], squares[start + step :]
        for column in range(length):
            nearer = left[column] if left[column] < right[column] else right[column]
            through = nearer + further
            nearest[column] = through if through < nearest[column] else nearest[column]
        if step % 4 == 1:  # to look costs as much as a step
            largest = nearest.max()
        step += 1


@njit(cache=True, nogil=True)
def closeness_to_centre(
    labels: np.ndarray, distance: np.ndarray, alpha: float, beta: float, squared: bool
) -> np.ndarray:
    """``1 / (1 + beta * alpha * d**2)``, d the distance of a pixel to the centre of its piece.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    distance : ndarray of shape (H, W), float32; the centre is the centroid weighted by it
    alpha : float; below 0 stands for one over the square root of the piece's area
    beta : float
    squared : bool; False takes d itself

    Returns
    -------
    ndarray of shape (H, W), float32; 0 in the background
    """
    run_row, start, end, piece, n_pieces = runs_of_pieces(labels)
    area, mass = np.zeros(n_pieces, np.int64), np.zeros(n_pieces, np.float64)
    centre_row, centre_column = np.zeros(n_pieces, np.float64), np.zeros(n_pieces, np.float64)
    for run in range(len(piece)):
        number, row = piece[run], run_row[run]
        total, moment = 0.0, 0.0
        for column in range(start[run], end[run]):
            weight = np.float64(distance[row, column])
            total += weight
            moment += weight * column
        area[number] += end[run] - start[run]
        mass[number] += total
        centre_row[number] += total * row
        centre_column[number] += moment
    values = np.zeros(labels.shape, np.float32)
    for run in range(len(piece)):
        number, row = piece[run], run_row[run]
        scale = beta * (alpha if alpha >= 0 else 1 / np.sqrt(area[number]))
        across = (row - centre_row[number] / mass[number]) ** 2
        middle = centre_column[number] / mass[number]
        for column in range(start[run], end[run]):
            away = across + (column - middle) ** 2
            values[row, column] = 1 / (1 + scale * (away if squared else np.sqrt(away)))
    return values


@njit(cache=True, nogil=True)
def share_of_largest(labels: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Distances divided by the largest in the same connected piece.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    distance : ndarray of shape (H, W), float32; positive in cells

    Returns
    -------
    ndarray of shape (H, W), float32; 0 in the background
    """
    run_row, start, end, piece, n_pieces = runs_of_pieces(labels)
    largest = np.zeros(n_pieces, np.float32)
    for run in range(len(piece)):
        for column in range(start[run], end[run]):
            largest[piece[run]] = max(largest[piece[run]], distance[run_row[run], column])
    shares = np.zeros(labels.shape, np.float32)
    for run in range(len(piece)):
        row, most = run_row[run], largest[piece[run]]
        for column in range(start[run], end[run]):
            shares[row, column] = distance[row, column] / most
    return shares
