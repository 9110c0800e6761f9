"""Flows: in each pixel the direction in which heat rises that spreads from the cell's centre.

The representation of Cellpose (Stringer, Wang, Michaelos and Pachitariu, Nature Methods 18, 2021),
written from the paper and from what version 3.1.1.3 computes. Both take the same sums in the same
order in float64, so that results are equal to the last bit, before they are rounded to float32.
"""

import numpy as np
from numba import njit

from cellseg.targets.distances import runs_by_piece, runs_of_pieces
from cellseg.targets.heat import COLUMNS, spread


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
    labels = np.ascontiguousarray(labels, np.int32)
    row, start, end, _, _ = runs_of_pieces(labels)
    return _flows(labels.shape, row, start, end, labels[row, start], labels.max(initial=0) + 1)


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
    labels = np.ascontiguousarray(labels, np.int32)
    return _flows(labels.shape, *runs_of_pieces(labels))


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
def _flows(shape, run_row, start, end, cell, n_cells):
    """Flows with one centre in every cell, given the cell of each run."""
    boxes, means = _boxes_of_runs(run_row, start, end, cell, n_cells)
    first, order = runs_by_piece(cell, n_cells)
    most_strips, most_rows, most = 0, 0, 0
    for number in range(n_cells):
        height, strips = boxes[number, 2], _strips(boxes[number, 3])
        most_strips, most_rows = max(most_strips, strips), max(most_rows, strips * height)
        most = max(most, (height + 2) * strips * COLUMNS + 2 * COLUMNS)
    heat, next_heat, room = np.empty(most), np.empty(most), np.empty((2, most), np.float32)
    mask, bounds = np.empty(most_rows, np.uint8), np.empty((most_strips, 2), np.int64)
    vectors = np.zeros((shape[0], shape[1], 2), np.float32)
    for number in range(n_cells):
        top, left, height, width = boxes[number]
        if height * width > 1:
            strips = _strips(width)
            stride = strips * COLUMNS
            runs = order[first[number] : first[number + 1]]
            heat_of_cell = heat[: (height + 2) * stride + 2 * COLUMNS]
            next_of_cell = next_heat[: len(heat_of_cell)]
            heat_of_cell[:] = 0
            next_of_cell[:] = 0
            bits = mask[: strips * height]
            _draw(run_row, start, end, runs, top, left, height, bits, bounds[:strips])
            row, column = _centre(run_row, start, end, runs, top, left, means[number])
            warm = _heated(heat_of_cell, next_of_cell, bits, bounds[:strips], height, row, column,
                           2 * (height + width + 4))  # fmt: skip
            downs, rights = room[0, : height * stride], room[1, : height * stride]
            _directions(warm, stride, downs, rights)
            for run in runs:
                line = vectors[run_row[run], start[run] : end[run]]
                place = (run_row[run] - top) * stride + start[run] - left
                of_run = slice(place, place + len(line))
                _interleave(downs[of_run], rights[of_run], line)
    return vectors


@njit(cache=True, nogil=True, inline="always")
def _strips(width):
    """Strips that hold the columns of a cell and at least one of nothing, at the end."""
    return width // COLUMNS + 1


@njit(cache=True, nogil=True)
def _boxes_of_runs(run_row, start, end, cell, n_cells):
    """First row and column, rows and columns of each cell, and its mean place from there."""
    boxes, last = np.zeros((n_cells, 4), np.int64), np.zeros((n_cells, 2), np.int64)
    boxes[:, :2] = np.iinfo(np.int64).max
    count, total = np.zeros(n_cells, np.int64), np.zeros((n_cells, 2), np.int64)
    for run in range(len(cell)):
        number = cell[run]
        row, first, past = np.int64(run_row[run]), np.int64(start[run]), np.int64(end[run])
        boxes[number, 0] = min(boxes[number, 0], row)
        boxes[number, 1] = min(boxes[number, 1], first)
        last[number, 0] = row
        last[number, 1] = max(last[number, 1], past - 1)
        count[number] += past - first
        total[number, 0] += row * (past - first)
        total[number, 1] += (first + past - 1) * (past - first) // 2
    means = np.zeros((n_cells, 2), np.float64)
    for number in range(n_cells):
        if count[number] > 0:
            for axis in range(2):
                boxes[number, 2 + axis] = last[number, axis] - boxes[number, axis] + 1
                moment = total[number, axis] - boxes[number, axis] * count[number]
                means[number, axis] = moment / count[number]
    return boxes, means


@njit(cache=True, nogil=True)
def _draw(run_row, start, end, runs, top, left, height, bits, bounds):
    """Bits of a cell's pixels, strip after strip, and first and last + 1 row of each strip."""
    bits[:] = 0
    bounds[:, 0], bounds[:, 1] = height, 0
    for run in runs:
        row, begin, past = run_row[run] - top, start[run] - left, end[run] - left
        for strip in range(begin // COLUMNS, (past - 1) // COLUMNS + 1):
            low, high = max(begin - strip * COLUMNS, 0), min(past - strip * COLUMNS, COLUMNS)
            bits[strip * height + row] |= np.uint8((1 << high) - (1 << low))
            bounds[strip, 0] = min(bounds[strip, 0], row)
            bounds[strip, 1] = max(bounds[strip, 1], row + 1)


@njit(cache=True, nogil=True)
def _centre(run_row, start, end, runs, top, left, mean):
    """Row and column of the pixel nearest to the mean, the first one in reading order."""
    nearest, centre_row, centre_column = np.inf, 0, 0
    for run in runs:
        row, begin, last = run_row[run] - top, start[run] - left, end[run] - left - 1
        before = min(max(int(mean[1]), begin), last)
        for column in (before, min(before + 1, last)):
            distance = (column - mean[1]) ** 2 + (row - mean[0]) ** 2
            if distance < nearest:
                nearest, centre_row, centre_column = distance, row, column
    return centre_row, centre_column


@njit(cache=True, nogil=True)
def _heated(heat, next_heat, bits, bounds, height, centre_row, centre_column, steps):
    """Heat after so many steps. Both arrays of heat hold zeros, and a strip before the first row's
    pixels; the returned one is one of them."""
    strips = len(bounds)
    stride = strips * COLUMNS
    centre = (centre_row + 1) * stride + COLUMNS + centre_column
    for step in range(1, steps + 1):
        heat[centre] += 1
        # Heat spreads by a pixel a step: strips and rows that it has not reached are left out.
        first_strip = max(centre_column - step, 0) // COLUMNS
        last_strip = min((centre_column + step) // COLUMNS, strips - 1)
        for strip in range(first_strip, last_strip + 1):
            first = max(bounds[strip, 0], centre_row - step)
            past = min(bounds[strip, 1], centre_row + step + 1)
            if first < past:
                place = (first + 1) * stride + COLUMNS + strip * COLUMNS
                spread(
                    heat, next_heat, bits, np.uint64(place), np.uint64(strip * height + first),
                    np.uint64(past - first), np.uint64(stride),
                )  # fmt: skip
        heat, next_heat = next_heat, heat
    return heat


# NumPy's errors: no length is 0. Whole rows at once: in runs most pixels would be a remainder.
@njit(cache=True, nogil=True, error_model="numpy")
def _directions(heat, stride, downs, rights):
    """Unit vectors of the gradient of heat, in the rows and columns of a cell's box."""
    begin = np.uint64(stride + COLUMNS)
    step, one = np.uint64(stride), np.uint64(1)
    for pixel in range(np.uint64(len(downs))):
        place = begin + pixel
        down, right = heat[place + step] - heat[place - step], heat[place + one] - heat[place - one]
        length = 1e-60 + np.sqrt(down * down + right * right)
        downs[pixel] = down / length
        rights[pixel] = right / length


@njit(cache=True, nogil=True)
def _interleave(downs, rights, vectors):
    for pixel in range(np.uint64(len(vectors))):
        vectors[pixel, 0] = downs[pixel]
        vectors[pixel, 1] = rights[pixel]
