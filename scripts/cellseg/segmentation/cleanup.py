"""After the watershed: small cells removed, holes filled, cells numbered again."""

import numpy as np
from numba import njit


def cleaned(labels: np.ndarray, min_size: int, fill_holes_threshold: int) -> np.ndarray:
    """Take small cells away, then fill holes, then number the cells 1..n, as deepcell does.

    Parameters
    ----------
    labels : ndarray of shape (H, W), integer, none negative
    min_size, fill_holes_threshold : pixels, see :func:`remove_small` and
        :func:`fill_holes`

    Returns
    -------
    ndarray of shape (H, W), int32
    """
    if min_size > 0:
        labels = remove_small(labels, min_size)
    if fill_holes_threshold > 0:
        labels = fill_holes(labels, fill_holes_threshold)
    return numbered_anew(labels)


@njit(cache=True, nogil=True)
def remove_small(labels: np.ndarray, threshold: int) -> np.ndarray:
    """Set cells of fewer than `threshold` pixels to background; the others keep their value.

    Parameters
    ----------
    labels : ndarray of shape (H, W), integer, none negative
    threshold : pixels

    Returns
    -------
    ndarray of shape (H, W), of the dtype of `labels`
    """
    kept = labels.copy()
    values = kept.ravel()  # of a contiguous array: no copy
    area = np.zeros(_largest(labels) + 1, np.int64)
    for value in values:
        area[value] += 1
    for place in range(len(values)):
        if area[values[place]] < threshold:
            values[place] = 0
    return kept


@njit(cache=True, nogil=True)
def numbered_anew(labels: np.ndarray) -> np.ndarray:
    """Number cells 1..n in the order of their values.

    Parameters
    ----------
    labels : ndarray of shape (H, W), integer, none negative

    Returns
    -------
    ndarray of shape (H, W), int32
    """
    values = labels.ravel()
    number = np.zeros(_largest(labels) + 1, np.int32)
    for value in values:
        number[value] = 1
    number[0] = 0
    count = 0
    for value in range(len(number)):
        count += number[value]
        number[value] = count if number[value] else 0
    renumbered = np.empty(labels.shape, np.int32)
    found = renumbered.ravel()
    for place in range(len(values)):
        found[place] = number[values[place]]
    return renumbered


@njit(cache=True, nogil=True)
def fill_holes(labels: np.ndarray, threshold: int) -> np.ndarray:
    """Fill holes of fewer than `threshold` pixels inside of each cell, in the order of labels.

    A hole is what the cell encloses on four sides, be it background or another cell. Two habits
    of deepcell are kept: where a cell has a hole, small bays at the rim of its bounding box are
    filled too, and a cell in more pieces than it has holes is left alone.

    Parameters
    ----------
    labels : ndarray of shape (H, W), integer, none negative
    threshold : pixels; 0 fills none

    Returns
    -------
    ndarray of shape (H, W), of the dtype of `labels`
    """
    filled = labels.copy()
    if threshold <= 0:
        return filled
    euler = _four_euler_numbers(labels)
    if euler.min() > 0:
        return filled
    rows, columns = labels.shape
    # Bounding boxes: first row and column, and the ones after the last.
    box = np.zeros((len(euler), 4), np.int64)
    box[:, 0], box[:, 1] = rows, columns
    for row in range(rows):
        for column in range(columns):
            value = labels[row, column]
            if value != 0 and euler[value] <= 0:
                box[value, 0] = min(box[value, 0], row)
                box[value, 1] = min(box[value, 1], column)
                box[value, 2] = max(box[value, 2], row + 1)
                box[value, 3] = max(box[value, 3], column + 1)
    for value in range(1, len(euler)):
        if euler[value] <= 0 and box[value, 2] > 0:
            _fill(filled, value, box[value], threshold)
    return filled


@njit(cache=True, nogil=True)
def _largest(labels):
    return labels.max() if labels.size else 0


@njit(cache=True, nogil=True)
def _four_euler_numbers(labels):
    """Of each label four times its pieces (8 neighbours) less its holes.

    Gray's count of patterns in squares of 2 x 2 pixels (IEEE Trans. Computers C-20, 1971): +1 for
    one pixel of the label, -1 for three, -2 for two at opposite corners.
    """
    rows, columns = labels.shape
    euler = np.zeros(_largest(labels) + 1, np.int64)
    outside = np.zeros(columns, labels.dtype)
    for row in range(rows + 1):
        above = labels[row - 1] if row > 0 else outside
        below = labels[row] if row < rows else outside
        a = c = labels.dtype.type(0)
        for column in range(columns + 1):
            b = above[column] if column < columns else labels.dtype.type(0)
            d = below[column] if column < columns else labels.dtype.type(0)
            if a != b or a != c or a != d:
                _count_square(euler, a, b, c, d)
            a, c = b, d
    euler[0] = 1
    return euler


@njit(cache=True, nogil=True)
def _count_square(euler, a, b, c, d):
    """Count a square, a b above c d, for each label in it."""
    if a != 0:
        same = 1 + (b == a) + (c == a) + (d == a)
        euler[a] += 1 if same == 1 else -1 if same == 3 else -2 if same == 2 and a == d else 0
    if b != 0 and b != a:
        same = 1 + (c == b) + (d == b)
        euler[b] += 1 if same == 1 else -1 if same == 3 else -2 if c == b else 0
    if c != 0 and c != a and c != b:
        euler[c] += 1 if d != c else 0
    if d != 0 and d != a and d != b and d != c:
        euler[d] += 1


@njit(cache=True, nogil=True)
def _fill(filled, value, box, threshold):
    """Fill the small gaps of one cell within its bounding box."""
    first_row, first_column, last_row, last_column = box
    width = last_column - first_column
    seen = np.zeros((last_row - first_row, width), np.bool_)
    gap = np.empty(seen.size, np.int64)
    for start in range(seen.size):
        row, column = divmod(start, width)
        if seen[row, column] or filled[first_row + row, first_column + column] == value:
            continue
        seen[row, column] = True
        gap[0] = start
        size, done = 1, 0
        while done < size:
            row, column = divmod(gap[done], width)
            done += 1
            for step_row, step_column in ((-1, 0), (0, -1), (0, 1), (1, 0)):
                y, x = row + step_row, column + step_column
                inside = 0 <= y < seen.shape[0] and 0 <= x < width
                if not inside or seen[y, x] or filled[first_row + y, first_column + x] == value:
                    continue
                seen[y, x] = True
                gap[size] = y * width + x
                size += 1
        if size < threshold:
            for place in gap[:size]:
                filled[first_row + place // width, first_column + place % width] = value
