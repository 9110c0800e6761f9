"""Flows: in each pixel the direction in which heat rises that spreads from the cell's centre.

The representation of Cellpose (Stringer, Wang, Michaelos and Pachitariu, Nature Methods 18, 2021),
written from the paper and from what version 3.1.1.3 computes. Both take the same sums in the same
order in float64, so that results are equal to the last bit, before they are rounded to float32.
"""

import numpy as np
from numba import njit

from cellseg.targets.distances import runs_of_pieces

SHARE = 1 / 9
"""Of a pixel's heat, what it and each of its eight neighbours get in a step."""


def flows_of(labels: np.ndarray) -> np.ndarray:
    """Unit vectors of the gradient of heat that spreads from the centre of each cell.

    The centre is the pixel of the cell nearest to the mean of its pixels, the first one in reading
    order where several are as near. In each of ``2 * (height + width + 4)`` steps, height and
    width of the bounding box, one unit of heat is added there and every pixel of the cell becomes
    the mean of the 3 x 3 pixels round it; outside of the cell there is no heat. The gradient is
    the difference of the two neighbours along each axis.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
        0 is background. A label in several pieces has one centre.

    Returns
    -------
    ndarray of shape (H, W, 2), float32
        Down and to the right, of length 1; 0 in the background, and where there is no gradient:
        in single pixels, and in pieces without the centre.
    """
    return _flows(np.ascontiguousarray(labels, np.int32))


def flows_of_pieces(labels: np.ndarray) -> np.ndarray:
    """Flows with a centre in every connected piece of a label: the target of the head.

    Augmentation mirrors in what lies beyond a tile, so that a label may come in several pieces.
    Those without the centre would have no flows, and teach a network that cells have none.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; pieces are connected by sides or corners

    Returns
    -------
    ndarray of shape (H, W, 2), float32; as of :func:`flows_of`
    """
    return _flows(connected_pieces(np.ascontiguousarray(labels, np.int32)))


def turned(values: np.ndarray, quarters: int, mirrored: bool) -> np.ndarray:
    """Vectors in an image that is mirrored left to right and then turned, see :class:`.heads.Head`.

    Parameters
    ----------
    values : ndarray of shape (..., 2); down and to the right
    quarters : turns by 90 degrees, as of ``numpy.rot90``
    mirrored : mirror first

    Returns
    -------
    ndarray of the shape of `values`
    """
    down, right = values[..., 0], values[..., 1]
    if mirrored:
        right = -right
    for _ in range(quarters % 4):
        down, right = -right, down
    return np.stack([down, right], axis=-1)


@njit(cache=True, nogil=True)
def connected_pieces(labels: np.ndarray) -> np.ndarray:
    """Number the connected pieces of all labels (eight neighbours).

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; 0 is background

    Returns
    -------
    ndarray of shape (H, W), int32; pieces are 1..n
    """
    row, start, end, piece, _ = runs_of_pieces(labels)
    pieces = np.zeros(labels.shape, np.int32)
    for run in range(len(row)):
        pieces[row[run], start[run] : end[run]] = piece[run] + 1
    return pieces


@njit(cache=True, nogil=True)
def bounding_boxes(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounding box and mean place of each label.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32, none negative

    Returns
    -------
    boxes : ndarray of shape (largest label + 1, 4), int64
        First row and column, rows and columns; no rows where there is no such label.
    means : ndarray of shape (largest label + 1, 2), float64
        Mean row and column, counted from the first ones.
    """
    rows, columns = labels.shape
    n_labels = (labels.max() if labels.size else 0) + 1
    boxes = np.zeros((n_labels, 4), np.int64)
    boxes[:, 0], boxes[:, 1] = rows, columns
    last = np.full((n_labels, 2), -1, np.int64)
    count, total = np.zeros(n_labels, np.int64), np.zeros((n_labels, 2), np.int64)
    for row in range(rows):
        for column in range(columns):
            value = labels[row, column]
            if value != 0:
                boxes[value, 0] = min(boxes[value, 0], row)
                boxes[value, 1] = min(boxes[value, 1], column)
                last[value, 0] = row
                last[value, 1] = max(last[value, 1], column)
                count[value] += 1
                total[value, 0] += row
                total[value, 1] += column
    means = np.zeros((n_labels, 2), np.float64)
    for value in range(1, n_labels):
        if count[value] > 0:
            for axis in range(2):
                boxes[value, 2 + axis] = last[value, axis] - boxes[value, axis] + 1
                moment = total[value, axis] - boxes[value, axis] * count[value]
                means[value, axis] = moment / count[value]
    return boxes, means


@njit(cache=True, nogil=True)
def _flows(labels):
    boxes, means = bounding_boxes(labels)
    rows, columns = labels.shape
    vectors = np.zeros((rows, columns, 2), np.float32)
    most = 0
    for value in range(len(boxes)):
        most = max(most, (boxes[value, 2] + 2) * (boxes[value, 3] + 1) + 2)
    heat, next_heat, share = np.empty(most), np.empty(most), np.empty(most)
    for value in range(1, len(boxes)):
        height, width = boxes[value, 2], boxes[value, 3]
        if height * width > 1:
            size = (height + 2) * (width + 1) + 2
            rooms = heat[:size], next_heat[:size], share[:size]
            _of_cell(labels, value, boxes[value], means[value], *rooms, vectors)
    return vectors


@njit(cache=True, nogil=True)
def _of_cell(labels, value, box, mean, heat, next_heat, share, vectors):
    """Write the vectors of one cell; the three arrays are room for its box.

    They hold the rows one after the other with a pixel of nothing between, so that a step is one
    loop over all of them.
    """
    top, start, height, width = box
    stride = width + 1
    heat[:] = 0
    next_heat[:] = 0
    share[:] = 0
    nearest, centre = np.inf, 0
    for row in range(height):
        for column in range(width):
            if labels[top + row, start + column] == value:
                place = (row + 1) * stride + column + 1
                share[place] = SHARE
                distance = (column - mean[1]) ** 2 + (row - mean[0]) ** 2
                if distance < nearest:
                    nearest, centre = distance, place
    row_of_centre = centre // stride
    for step in range(2 * (height + width + 4)):
        heat[centre] += 1
        # Heat spreads by a row a step: rows that it has not reached are left out.
        first = max(row_of_centre - step - 1, 1) * stride + 1
        last = (min(row_of_centre + step + 1, height) + 1) * stride
        _spread(heat, next_heat, share, stride, first, last)
        heat, next_heat = next_heat, heat
    for row in range(height):
        for column in range(width):
            if labels[top + row, start + column] == value:
                place = (row + 1) * stride + column + 1
                down = heat[place + stride] - heat[place - stride]
                right = heat[place + 1] - heat[place - 1]
                length = 1e-60 + np.sqrt(down * down + right * right)
                vectors[top + row, start + column, 0] = down / length
                vectors[top + row, start + column, 1] = right / length


@njit(cache=True, nogil=True)
def _spread(heat, next_heat, share, stride, first, last):
    """One step from `heat` to `next_heat`, for the places from `first` to before `last`."""
    # Slices of one length, which the compiler turns into vector instructions.
    here, above, below = heat[first:last], heat[first - stride :], heat[first + stride :]
    left, right = heat[first - 1 :], heat[first + 1 :]
    above_left, above_right = heat[first - stride - 1 :], heat[first - stride + 1 :]
    below_left, below_right = heat[first + stride - 1 :], heat[first + stride + 1 :]
    mine, spread = share[first:last], next_heat[first:last]
    for place in range(len(here)):
        # The order of the sum decides its last bits, and where heat is even all around, the vector.
        total = here[place] + above[place] + below[place] + left[place] + right[place]
        total = total + above_left[place] + above_right[place]
        total = total + below_left[place] + below_right[place]
        spread[place] = total * mine[place]
