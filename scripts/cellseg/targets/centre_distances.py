"""Distances to the centre and to the border of each cell, as shares of the largest in the cell.

The maps of torch-em's distance U-Net (``PerObjectDistanceTransform``) and of the decoder of
Segment Anything for Microscopy (Archit et al., Nature Methods 22, 2025), written from their
description. A cell is a connected piece of a label, as for the other heads.

All values follow from whole numbers that a turn or a mirror only swaps or negates: targets of
turned labels are the turned targets, bit for bit.
"""

import numpy as np
from numba import njit

from cellseg.targets.distances import (
    distance_to_background,
    erode,
    roots_of_shares,
    runs_of_pieces,
    share_of_largest,
)

BEYOND = 1.0
"""Of the distance to the centre where there is no cell: that of a cell's farthest pixel."""


def center_target(labels: np.ndarray) -> np.ndarray:
    """Distance to the centre of the cell, and which pixels the loss counts.

    The centre is the mean of the cell's pixels. Where that lies outside of the cell, it is the
    pixel farthest from the border, of several the one nearest to the mean.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; 0 is background

    Returns
    -------
    ndarray of shape (H, W, 2), float32
        The distance divided by the largest in the cell, in [0, 1], and :data:`BEYOND` outside of
        cells; then 1 in cells and 0 elsewhere.
    """
    labels = np.ascontiguousarray(labels, np.int32)
    # Called one by one, since all that a kernel calls is compiled with it once more.
    runs = runs_of_pieces(labels)
    squares, largest, outside = _squares_to_means(labels.shape, *runs)
    if len(outside) > 0:
        _to_thickest_places(*runs[:4], outside, _to_border(labels), squares, largest)
    return _with_mask(_shares(*runs[:4], squares, largest), labels)


def boundary_target(labels: np.ndarray) -> np.ndarray:
    """Distance to the border of the cell, and which pixels the loss counts.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; 0 is background

    Returns
    -------
    ndarray of shape (H, W, 2), float32
        The distance to the cell's outermost pixels divided by the largest in the cell, in [0, 1]; 0
        outside of cells. In a cell without other pixels each is as far inside as any: 1, as in
        torch-em, so that it can have a seed. Then 1 in cells, 0 elsewhere.
    """
    labels = np.ascontiguousarray(labels, np.int32)
    return _with_mask(share_of_largest(labels, _to_border(labels)), labels)


@njit(cache=True, nogil=True)
def _with_mask(values, labels):
    rows, columns = labels.shape
    target = np.empty((rows, columns, 2), np.float32)
    for row in range(rows):
        for column in range(columns):
            target[row, column, 0] = values[row, column]
            target[row, column, 1] = labels[row, column] > 0
    return target


def _to_border(labels: np.ndarray) -> np.ndarray:
    """Distance to the nearest outermost pixel of a cell, pixels; that of a full image is 0."""
    inside = erode(labels, 1)
    if inside.all():  # nowhere is a border to measure to
        return np.zeros(labels.shape, np.float32)
    return distance_to_background(inside)


@njit(cache=True, nogil=True)
def _squares_to_means(shape, run_row, start, end, piece, n_pieces):
    """Squares of the distance to the mean of the piece times its area, which are whole numbers.

    Also the largest of each piece, and the pieces that do not contain their mean.
    """
    area, rows, columns = _sums(run_row, start, end, piece, n_pieces)
    inside = _contains_mean(run_row, start, end, piece, area, rows, columns)
    squares = np.full(shape, np.float64(BEYOND))
    largest = np.zeros(n_pieces, np.float64)
    for run in range(len(piece)):
        number, row, first, past = piece[run], run_row[run], start[run], end[run]
        down = np.float64(area[number] * row - rows[number])
        _squares_of_run(down, area[number], columns[number], first, squares[row, first:past])
        # In a row one of the ends is farthest.
        most = max(squares[row, first], squares[row, past - 1])
        largest[number] = max(largest[number], most)
    return squares, largest, np.flatnonzero(~inside)


@njit(cache=True, nogil=True)
def _to_thickest_places(run_row, start, end, piece, numbers, to_border, squares, largest):
    for number in numbers:
        largest[number] = _to_thickest(run_row, start, end, piece, number, to_border, squares)


@njit(cache=True, nogil=True)
def _shares(run_row, start, end, piece, squares, largest):
    """Distances divided by the largest in the same piece, of their squares."""
    rows, columns = squares.shape
    shares, divisor = np.empty((rows, columns), np.float32), np.empty(columns, np.float64)
    run = 0
    for row in range(rows):
        divisor[:] = 1
        while run < len(piece) and run_row[run] == row:
            most = largest[piece[run]]
            if most > 0:  # else all squares are 0
                divisor[start[run] : end[run]] = most
            run += 1
        roots_of_shares(squares[row], divisor, shares[row])
    return shares


@njit(cache=True, nogil=True)
def _squares_of_run(down, area, columns, first, squares):
    """Squares of the distance times the area of a run that begins in a column."""
    for pixel in range(np.uint64(len(squares))):
        right = np.float64(area * (first + np.int64(pixel)) - columns)
        squares[pixel] = down * down + right * right


@njit(cache=True, nogil=True)
def _sums(run_row, start, end, piece, n_pieces):
    """Pixels of each piece, and the sums of their rows and columns."""
    area = np.zeros(n_pieces, np.int64)
    rows, columns = np.zeros(n_pieces, np.int64), np.zeros(n_pieces, np.int64)
    for run in range(len(piece)):
        number, first, last = piece[run], np.int64(start[run]), np.int64(end[run]) - 1
        length = last - first + 1
        area[number] += length
        rows[number] += length * run_row[run]
        columns[number] += length * (first + last) // 2
    return area, rows, columns


@njit(cache=True, nogil=True)
def _contains_mean(run_row, start, end, piece, area, rows, columns):
    """Whether the mean of the pixels of each piece lies in one of them, or on its border."""
    found = np.zeros(len(area), np.bool_)
    for run in range(len(piece)):
        number = piece[run]
        n = area[number]
        if 2 * abs(n * run_row[run] - rows[number]) > n:
            continue
        # Columns of the run from half a pixel before its first to half a pixel after its last.
        left = 2 * n * np.int64(start[run]) - n
        right = 2 * n * np.int64(end[run]) - n
        if left <= 2 * columns[number] <= right:
            found[number] = True
    return found


@njit(cache=True, nogil=True)
def _to_thickest(run_row, start, end, piece, number, to_border, squares):
    """Replace squares of one piece by those of the distance to its thickest pixel; the largest.

    Of equally thick pixels those nearest to the mean count, of which a symmetric cell has several:
    then the distance is that to the nearest of them.
    """
    thickest, nearest = np.float32(-1), np.inf
    of_piece = np.flatnonzero(piece == number)
    places = [(np.int64(0), np.int64(0)) for _ in range(0)]
    for run in of_piece:
        row = run_row[run]
        for column in range(start[run], end[run]):
            value, square = to_border[row, column], squares[row, column]
            if value > thickest or (value == thickest and square < nearest):
                thickest, nearest = value, square
                places.clear()
            if value == thickest and square == nearest:
                places.append((np.int64(row), np.int64(column)))
    most = 0.0
    for run in of_piece:
        row = run_row[run]
        for column in range(start[run], end[run]):
            least = np.inf
            for place in places:
                down, right = np.float64(row - place[0]), np.float64(column - place[1])
                least = min(least, down * down + right * right)
            squares[row, column] = least
            most = max(most, least)
    return most
