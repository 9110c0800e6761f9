"""Flows and cell probability to cells: pixels follow the flows, and those that meet are a cell.

The mask recovery of Cellpose (Stringer et al., Nature Methods 18, 2021), written from the paper and
from what version 3.1.1.3 computes on a CPU. Equal to it, label for label, but where seeds on which
equally many pixels end compete for others: their order is left to the sorting there.
"""

import numpy as np
from numba import njit

from cellseg.segmentation.cleanup import remove_small
from cellseg.targets.flows import flows_of

LEAST_POINTS = 11
"""Pixels that end in a pixel for it to be a seed."""
LEAST_NEAR = 3
"""Pixels that end in a pixel for it to belong to the seed next to it."""
TOGETHER = 4096
"""Pixels that are followed together, so that none waits for the step before."""
ROUND = 12
"""Steps after which it is looked which pixels go round: in 1, 2, 3, 4, 6 or 12 steps."""
APART, REACH = 2, 5
"""Pixels, along either axis: how far seeds are lower than each other, and how far they grow."""


def segment(
    flows: np.ndarray,
    probability: np.ndarray,
    cell_threshold: float = 0.5,
    flow_threshold: float = 0.4,
    iterations: int = 200,
    min_size: int = 15,
    max_size_fraction: float = 0.4,
    cellpose_size_error: bool = False,
) -> np.ndarray:
    """Follow the flows and take pixels that end together for a cell.

    Parameters
    ----------
    flows : ndarray of shape (H, W, 2), float32
        Down and to the right, of length about 1, see :func:`cellseg.targets.flows.flows_of`.
    probability : ndarray of shape (H, W), float32
        Of belonging to a cell.
    cell_threshold : float
        Pixels whose probability is above this belong to cells. Cellpose's ``cellprob_threshold``
        is its logarithm of the odds.
    flow_threshold : float
        Cells whose flows differ more from `flows` are removed: sum over both axes of the mean
        squared difference. 0 keeps all.
    iterations : int
        Steps of pixels along the flows.
    min_size : int
        Cells with fewer pixels are removed; 0 keeps all.
    max_size_fraction : float
        Cells that cover a larger share of the image are removed.
    cellpose_size_error : bool
        Repeat an error of Cellpose 3.1.1.3. Where numbers of cells have gaps, since cells were
        removed for their flows or filled over, it takes the rank of a small cell for its number,
        keeps the small cell and removes the one of that number. False removes the small ones.

    Returns
    -------
    ndarray of shape (H, W), int32
        0 is background; cells are 1..n in the order of their first pixels.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    labels = track(flows, probability, cell_threshold, iterations, max_size_fraction)
    errors = flow_errors(labels, flows) if flow_threshold > 0 else None
    return kept(labels, errors, flow_threshold, min_size, cellpose_size_error)


def track(
    flows: np.ndarray,
    probability: np.ndarray,
    cell_threshold: float,
    iterations: int,
    max_size_fraction: float,
) -> np.ndarray:
    """Cells before any is removed for its flows or few pixels; parameters as in :func:`segment`.

    Returns
    -------
    ndarray of shape (H, W), int32; cells are 1..n in the order of their first pixels
    """
    if flows.shape != (*probability.shape, 2) or probability.ndim != 2:
        raise ValueError(
            f"maps of shapes {flows.shape} and {probability.shape}: expected (H, W, 2) and (H, W)"
        )
    is_cell = np.ascontiguousarray(probability > cell_threshold)
    down, right = (
        np.where(is_cell, flows[..., axis], 0).astype(np.float32, order="C") for axis in (0, 1)
    )
    ends = _ends(down, right, is_cell, iterations)
    largest = int(np.floor(is_cell.size * max_size_fraction))
    return _cells_of_ends(ends, largest)


def flow_errors(labels: np.ndarray, flows: np.ndarray) -> np.ndarray:
    """Difference between the flows of cells and predicted ones.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; cells 1..n
    flows : ndarray of shape (H, W, 2), float32

    Returns
    -------
    ndarray of shape (n,), float64
        Sum over both axes of the mean squared difference over a cell's pixels.
    """
    return _mean_squares(labels, flows_of(labels), np.ascontiguousarray(flows, np.float32))


def kept(
    labels: np.ndarray,
    errors: np.ndarray | None,
    flow_threshold: float,
    min_size: int,
    cellpose_size_error: bool = False,
) -> np.ndarray:
    """Remove cells with bad flows and small ones, and fill the holes of the others.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; cells 1..n in the order of their first pixels
    errors : of :func:`flow_errors`; None removes none
    flow_threshold, min_size, cellpose_size_error : see :func:`segment`

    Returns
    -------
    ndarray of shape (H, W), int32; cells are 1..n in the order of their first pixels
    """
    if errors is not None:
        is_kept = np.append(True, errors <= flow_threshold)
        labels = np.where(is_kept[labels], labels, 0).astype(np.int32)
    without_small = _remove_by_rank if cellpose_size_error else remove_small
    labels = in_reading_order(without_small(labels, min_size))
    # A filled hole may take all or part of another cell.
    return in_reading_order(without_small(_filled(labels), min_size))


def _remove_by_rank(labels: np.ndarray, min_size: int) -> np.ndarray:
    """Remove the cells whose number is the rank of a small one: the error of Cellpose 3.1.1.3."""
    values, sizes = np.unique(labels[labels > 0], return_counts=True)
    is_kept = np.ones(max(labels.max(initial=0), len(values)) + 1, bool)
    is_kept[np.flatnonzero(sizes < min_size) + 1] = False
    return np.where(is_kept[labels], labels, 0).astype(np.int32)


@njit(cache=True, nogil=True)
def in_reading_order(labels: np.ndarray) -> np.ndarray:
    """Number cells 1..n in the order of their first pixels, row by row.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32, none negative

    Returns
    -------
    ndarray of shape (H, W), int32
    """
    number = np.zeros((labels.max() if labels.size else 0) + 1, np.int32)
    renumbered = np.zeros(labels.shape, np.int32)
    count = 0
    rows, columns = labels.shape
    for row in range(rows):
        for column in range(columns):
            value = labels[row, column]
            if value != 0:
                if number[value] == 0:
                    count += 1
                    number[value] = count
                renumbered[row, column] = number[value]
    return renumbered


@njit(cache=True, nogil=True)
def _ends(down, right, is_cell, iterations):
    """Where each pixel of a cell ends, as an index of the image; -1 in the background.

    Parameters
    ----------
    down, right : ndarrays of shape (H, W), float32; the flows, 0 in the background
    is_cell : ndarray of shape (H, W), bool
    iterations : int

    Returns
    -------
    ndarray of shape (H, W), int32
    """
    columns = is_cell.shape[1]
    flat = is_cell.ravel()
    ends = np.full(flat.size, -1, np.int32)
    who = np.empty(TOGETHER, np.int64)
    y, x = np.empty(TOGETHER, np.float32), np.empty(TOGETHER, np.float32)
    n_pixels = 0
    for place in range(flat.size):
        if flat[place]:
            who[n_pixels] = place
            y[n_pixels], x[n_pixels] = place // columns, place % columns
            n_pixels += 1
        if n_pixels == TOGETHER or (place == flat.size - 1 and n_pixels > 0):
            _follow(down, right, y, x, who, n_pixels, iterations, ends)
            n_pixels = 0
    return ends.reshape(is_cell.shape)


@njit(cache=True, nogil=True)
def _follow(down, right, y, x, who, n_pixels, iterations, ends):
    """Move pixels to their ends, and note these at the places `who`.

    Most pixels soon rest, or go round in few steps. Whoever is where it was :data:`ROUND` steps
    ago makes no more whole rounds.
    """
    y_before, x_before = y[:n_pixels].copy(), x[:n_pixels].copy()
    y_round, x_round = np.empty(n_pixels, np.float32), np.empty(n_pixels, np.float32)
    who_round = np.empty(n_pixels, np.int64)
    left = iterations
    while n_pixels > 0:
        n_steps = min(ROUND, left)
        for _ in range(n_steps):
            _move(down, right, y, x, n_pixels)
        left -= n_steps
        n_moving = n_round = 0
        for pixel in range(n_pixels):
            if left == 0 or (y[pixel] == y_before[pixel] and x[pixel] == x_before[pixel]):
                y_round[n_round], x_round[n_round] = y[pixel], x[pixel]
                who_round[n_round] = who[pixel]
                n_round += 1
            else:
                y[n_moving], x[n_moving] = y[pixel], x[pixel]
                y_before[n_moving], x_before[n_moving] = y[pixel], x[pixel]
                who[n_moving] = who[pixel]
                n_moving += 1
        n_pixels = n_moving
        for _ in range(left % ROUND):
            _move(down, right, y_round, x_round, n_round)
        for pixel in range(n_round):
            place = int(y_round[pixel]) * down.shape[1] + int(x_round[pixel])
            ends[who_round[pixel]] = place


@njit(cache=True, nogil=True)
def _move(down, right, y, x, n_pixels):
    """One step of the first `n_pixels` along the flows, which are interpolated linearly.

    Partly in float32 and partly in float64, as Cellpose computes: the last bit decides whether a
    pixel ends at a whole number or just below it.
    """
    rows, columns = down.shape
    last_row, last_column = np.float32(rows - 1), np.float32(columns - 1)
    downs, rights = down.ravel(), right.ravel()
    zero = np.float32(0)
    for pixel in range(n_pixels):
        row, column = y[pixel], x[pixel]
        above, before = np.int32(row), np.int32(column)
        lower, after = row - np.float32(above), column - np.float32(before)
        upper, earlier = 1 - np.float64(lower), 1 - np.float64(after)
        # Flat and unsigned: an index that may be negative costs a comparison.
        a = np.uint64(above * columns + before)
        b = a + np.uint64(column < last_column)
        step = np.uint64(columns if row < last_row else 0)
        c, d = a + step, b + step
        moved = row + np.float32(
            downs[a] * upper * earlier
            + downs[b] * upper * after
            + (downs[c] * lower) * earlier
            + (downs[d] * lower * after)
        )
        y[pixel] = min(max(moved, zero), last_row)
        moved = column + np.float32(
            rights[a] * upper * earlier
            + rights[b] * upper * after
            + (rights[c] * lower) * earlier
            + (rights[d] * lower * after)
        )
        x[pixel] = min(max(moved, zero), last_column)


@njit(cache=True, nogil=True)
def _cells_of_ends(ends, largest):
    """Label image of the pixels that end near the same seed, without those of more than `largest`.

    A seed is a pixel in which at least :data:`LEAST_POINTS` pixels end, no fewer than in any other
    one at most :data:`APART` away. From each seed, the poorest first, grows what at least
    :data:`LEAST_NEAR` pixels end in; richer seeds take what they reach from poorer ones.
    """
    rows, columns = ends.shape
    points = np.zeros(ends.size, np.int32)
    for end in ends.ravel():
        if end >= 0:
            points[end] += 1
    seeds = _seeds(points.reshape(ends.shape))
    order = np.argsort(points[seeds], kind="mergesort")
    region = np.zeros(ends.size, np.int32)
    reached = np.zeros(ends.size, np.int32)  # the last seed that reached a pixel
    front = np.empty((2 * REACH + 1) ** 2, np.int64)
    for number in range(1, len(seeds) + 1):
        front[0] = seeds[order[number - 1]]
        reached[front[0]] = number
        first, last = 0, 1
        for _ in range(REACH):
            end_of_ring = last
            for place in front[first:end_of_ring]:
                row, column = divmod(place, columns)
                for y in range(max(row - 1, 0), min(row + 2, rows)):
                    for x in range(max(column - 1, 0), min(column + 2, columns)):
                        near = y * columns + x
                        if points[near] >= LEAST_NEAR and reached[near] != number:
                            reached[near] = number
                            front[last] = near
                            last += 1
            first = end_of_ring
        for place in front[:last]:
            region[place] = number
    labels = np.zeros(ends.shape, np.int32)
    size = np.zeros(len(seeds) + 1, np.int64)
    for row in range(rows):
        for column in range(columns):
            if ends[row, column] >= 0:
                labels[row, column] = region[ends[row, column]]
                size[labels[row, column]] += 1
    for row in range(rows):
        for column in range(columns):
            if size[labels[row, column]] > largest:
                labels[row, column] = 0
    return in_reading_order(labels)


@njit(cache=True, nogil=True)
def _seeds(points):
    """Indices of the pixels that are seeds, in reading order."""
    rows, columns = points.shape
    seeds = []
    for row in range(rows):
        for column in range(columns):
            value = points[row, column]
            if value < LEAST_POINTS:
                continue
            is_seed = True
            for y in range(max(row - APART, 0), min(row + APART + 1, rows)):
                for x in range(max(column - APART, 0), min(column + APART + 1, columns)):
                    if points[y, x] > value:
                        is_seed = False
            if is_seed:
                seeds.append(row * columns + column)
    found = np.empty(len(seeds), np.int64)
    for number, place in enumerate(seeds):
        found[number] = place
    return found


@njit(cache=True, nogil=True)
def _mean_squares(labels, of_cells, flows):
    n_cells = labels.max() if labels.size else 0
    total, pixels = np.zeros(n_cells + 1, np.float64), np.zeros(n_cells + 1, np.int64)
    rows, columns = labels.shape
    for row in range(rows):
        for column in range(columns):
            value = labels[row, column]
            if value != 0:
                down = np.float64(of_cells[row, column, 0]) - flows[row, column, 0]
                right = np.float64(of_cells[row, column, 1]) - flows[row, column, 1]
                total[value] += down * down + right * right
                pixels[value] += 1
    return total[1:] / np.maximum(pixels[1:], 1)


@njit(cache=True, nogil=True)
def _bounding_boxes(labels):
    """First row and column, rows and columns of each label; no rows of one that is not there."""
    rows, columns = labels.shape
    boxes = np.zeros(((labels.max() if labels.size else 0) + 1, 4), np.int64)
    boxes[:, 0], boxes[:, 1] = rows, columns
    for row in range(rows):
        for column in range(columns):
            value = labels[row, column]
            if value != 0:
                box = boxes[value]
                box[0], box[1] = min(box[0], row), min(box[1], column)
                box[2], box[3] = max(box[2], row + 1), max(box[3], column + 1)
    for box in boxes:
        box[2], box[3] = max(box[2] - box[0], 0), max(box[3] - box[1], 0)
    return boxes


@njit(cache=True, nogil=True)
def _filled(labels):
    """Fill all that a cell encloses on four sides, other cells included, in the order of labels."""
    filled = labels.copy()
    boxes = _bounding_boxes(labels)
    most = 0
    for value in range(len(boxes)):
        most = max(most, boxes[value, 2] * boxes[value, 3])
    outside, waiting = np.empty(most, np.bool_), np.empty(most, np.int64)
    for value in range(1, len(boxes)):
        first_row, first_column, height, width = boxes[value]
        if height > 2 and width > 2:
            here = filled[first_row : first_row + height, first_column : first_column + width]
            _fill(here, value, outside[: height * width], waiting)
    return filled


@njit(cache=True, nogil=True)
def _fill(labels, value, outside, waiting):
    """Fill one cell, given its bounding box: what the box's border does not reach."""
    height, width = labels.shape
    outside[:] = False
    n_waiting = n_outside = n_cell = 0
    for row in range(height):
        step = 1 if row in (0, height - 1) else width - 1
        for column in range(0, width, step):
            if labels[row, column] != value:
                outside[row * width + column] = True
                waiting[n_waiting] = row * width + column
                n_waiting += 1
        for column in range(width):
            n_cell += labels[row, column] == value
    n_outside = n_waiting
    while n_waiting > 0:
        n_waiting -= 1
        row, column = divmod(waiting[n_waiting], width)
        for step_row, step_column in ((-1, 0), (0, -1), (0, 1), (1, 0)):
            y, x = row + step_row, column + step_column
            if 0 <= y < height and 0 <= x < width:
                place = y * width + x
                if not outside[place] and labels[y, x] != value:
                    outside[place] = True
                    n_outside += 1
                    waiting[n_waiting] = place
                    n_waiting += 1
    if n_outside + n_cell < height * width:
        for row in range(height):
            for column in range(width):
                if not outside[row * width + column]:
                    labels[row, column] = value
