"""Images and labels under an affine map, at the speed that a stream of tiles needs.

What lies outside the source is mirrored in. Rows of pixels are worked on in steps that the compiler
turns into vector instructions: places, then grey values and labels, then the mixture.
"""

import numpy as np
from numba import njit


def warp(
    image: np.ndarray,
    labels: np.ndarray,
    matrix: np.ndarray,
    size: int | None = None,
    out: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Warp an image and its labels.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
        Warped by linear interpolation.
    labels : ndarray of shape (H, W), int32
        Warped by nearest neighbour, so that targets computed afterwards are true distances.
    matrix : ndarray of shape (2, 3), float64
        From (column, row) of the result to those of the source.
    size : side of the result, pixels; None for the shape of the source
    out : ndarray of the shape of the result, float32, contiguous
        Written instead of a new image.

    Returns
    -------
    image : ndarray of shape (size, size), float32; `out` if given
    labels : ndarray of shape (size, size), int32

    Raises
    ------
    TypeError
        The image is not of 8 bits.
    """
    if image.dtype != np.uint8:
        raise TypeError(f"an image to warp has grey values of 8 bits, not {image.dtype}")
    shape = image.shape if size is None else (size, size)
    warped = np.empty(shape, np.float32) if out is None else out
    warped_labels = np.empty(shape, np.int32)
    if image.size:
        _warp(_readable(image), _readable(labels), matrix, warped, warped_labels)
    return warped, warped_labels


def warp_target(target: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Warp a target as deepcell does: one channel linearly, classes by nearest neighbour.

    Parameters
    ----------
    target : ndarray of shape (H, W, channels), float32 if there is one channel, else uint8
    matrix : see :func:`warp`

    Returns
    -------
    ndarray of the shape and dtype of `target`
    """
    warped = np.empty_like(target)
    _warp_target(np.ascontiguousarray(target), matrix, warped)
    return warped


def _readable(array: np.ndarray) -> np.ndarray:
    """A view that is the same to the compiler whether mapped from a file, read-only or neither."""
    view = np.ascontiguousarray(array).view(np.ndarray)
    view.flags.writeable = False
    return view


@njit(cache=True, nogil=True)
def _warp(image, labels, matrix, warped, warped_labels):
    height, width = warped.shape
    left, right, top, bottom = _bounds(matrix, height, width)
    across, down = _sources(left, right, image.shape[1]), _sources(top, bottom, image.shape[0])
    # Only what is needed, read in order: a turned tile jumps from one page of memory to the next.
    first_column, first_row = across.min(), down.min()
    used = (slice(first_row, down.max() + 1), slice(first_column, across.max() + 1))
    values, classes = image[used].copy(), labels[used].copy()
    columns = values.shape[1]
    fours = _fours(values).ravel()
    values, classes = values.ravel(), classes.ravel()
    share_x, share_y = np.empty(width, np.float32), np.empty(width, np.float32)
    x, y = np.empty(width, np.int32), np.empty(width, np.int32)
    near, four = np.empty(width, np.int32), np.empty(width, np.uint32)
    for row in range(height):
        at_x = matrix[0, 1] * row + matrix[0, 2]
        at_y = matrix[1, 1] * row + matrix[1, 2]
        _places(matrix[0, 0], at_x, x, share_x)
        _places(matrix[1, 0], at_y, y, share_y)
        begin, end = _inside(matrix[0, 0], at_x, image.shape[1] - 1.0, 0, width)
        begin, end = _inside(matrix[1, 0], at_y, image.shape[0] - 1.0, begin, end)
        found = warped_labels[row]
        for first, last in ((0, begin), (end, width)):
            for column in range(np.uint64(first), np.uint64(last)):
                to_x, to_y = np.uint64(x[column] - left), np.uint64(y[column] - top)
                west = across[to_x] - first_column
                east = across[to_x + np.uint64(1)] - first_column
                north = (down[to_y] - first_row) * columns
                south = (down[to_y + np.uint64(1)] - first_row) * columns
                four[column] = _packed(
                    values[np.uint64(north + west)], values[np.uint64(north + east)],
                    values[np.uint64(south + west)], values[np.uint64(south + east)],
                )  # fmt: skip
                nearest = south if share_y[column] >= np.float32(0.5) else north
                nearest += east if share_x[column] >= np.float32(0.5) else west
                found[column] = classes[np.uint64(nearest)]
        inside = slice(begin, end)
        _flat(x[inside], y[inside], first_column, first_row, np.int32(columns), near[inside])
        _look_up(fours, near[inside], four[inside])
        _to_nearest(share_x[inside], share_y[inside], np.int32(columns), near[inside])
        _look_up(classes, near[inside], found[inside])
        _mix(four, share_x, share_y, warped[row])


@njit(cache=True, nogil=True)
def _bounds(matrix, height, width):
    """Least and largest column and row of the source that a result's corners lie on."""
    bounds = np.empty((2, 4))
    number = 0
    for row in (0, height - 1):
        for column in (0, width - 1):
            for axis in range(2):
                offset = matrix[axis, 1] * row + matrix[axis, 2]
                bounds[axis, number] = matrix[axis, 0] * column + offset
            number += 1
    least_x, least_y = int(np.floor(bounds[0].min())), int(np.floor(bounds[1].min()))
    most_x, most_y = int(np.floor(bounds[0].max())) + 1, int(np.floor(bounds[1].max())) + 1
    return least_x, most_x, least_y, most_y


@njit(cache=True, nogil=True)
def _sources(first, last, length):
    """Where the pixels `first` to `last` of an axis come from: c b | a b c | b a."""
    sources = np.empty(last - first + 1, np.int32)
    period = max(2 * length - 2, 1)
    for place in range(first, last + 1):
        folded = abs(place) % period
        sources[place - first] = folded if folded < length else period - folded
    return sources


@njit(cache=True, nogil=True)
def _fours(image):
    """Each pixel with those right, below, and right below of it, a byte each.

    Undefined in the last row and column.
    """
    fours = np.empty(image.shape, np.uint32)
    for row in range(len(image) - 1):
        _pack(image[row], image[row + 1], fours[row])
    return fours


@njit(cache=True, nogil=True)
def _pack(above, below, fours):
    one = np.uint64(1)
    for column in range(np.uint64(len(fours) - 1)):
        fours[column] = _packed(
            above[column], above[column + one], below[column], below[column + one]
        )


@njit(cache=True, nogil=True, inline="always")
def _packed(first, second, third, fourth):
    low = np.uint32(first) | np.uint32(np.uint32(second) << np.uint32(8))
    high = np.uint32(np.uint32(third) << np.uint32(16)) | np.uint32(
        np.uint32(fourth) << np.uint32(24)
    )
    return np.uint32(low | high)


@njit(cache=True, nogil=True)
def _places(slope, offset, whole, share):
    """Pixel before each place of a row along one axis of the source, and the way to the next."""
    for column in range(np.uint64(len(whole))):
        place = slope * np.float64(np.int32(column)) + offset
        before = np.floor(place)
        whole[column] = np.int32(before)
        share[column] = np.float32(place - before)


@njit(cache=True, nogil=True)
def _flat(x, y, first_column, first_row, columns, places):
    """Number of the pixel in column x and row y."""
    for column in range(np.uint64(len(places))):
        place = (y[column] - first_row) * columns + (x[column] - first_column)
        places[column] = np.int32(place)


@njit(cache=True, nogil=True)
def _to_nearest(share_x, share_y, columns, places):
    """From the pixel before a place to the nearest one."""
    half, one = np.float32(0.5), np.int32(1)
    for column in range(np.uint64(len(places))):
        step = one if share_x[column] >= half else np.int32(0)
        step += columns if share_y[column] >= half else np.int32(0)
        places[column] += step


@njit(cache=True, nogil=True)
def _inside(slope, offset, end, first, last):
    """Part of the columns `first` to `last` whose places lie at 0 or more and before `end`."""
    if slope == 0:
        return (first, last) if 0 <= offset < end else (first, first)
    bounds = (-offset / slope, (end - offset) / slope)
    low, high = np.ceil(min(bounds)), np.floor(max(bounds)) + 1
    first = int(min(max(low, float(first)), float(last)))
    last = int(max(min(high, float(last)), float(first)))
    # Rounding may have put a bound one column off.
    while first < last and not 0 <= slope * first + offset < end:
        first += 1
    while first < last and not 0 <= slope * (last - 1) + offset < end:
        last -= 1
    return first, last


@njit(cache=True, nogil=True)
def _look_up(values, places, found):
    for column in range(np.uint64(len(found))):
        found[column] = values[np.uint32(places[column])]


@njit(cache=True, nogil=True)
def _mix(fours, share_x, share_y, mixed):
    """Linear interpolation between four grey values."""
    byte = np.uint32(255)
    for column in range(np.uint64(len(mixed))):
        four = fours[column]
        a = np.float32(np.int32(four & byte))
        b = np.float32(np.int32((four >> np.uint32(8)) & byte))
        c = np.float32(np.int32((four >> np.uint32(16)) & byte))
        d = np.float32(np.int32(four >> np.uint32(24)))
        along_upper, along_lower = a + share_x[column] * (b - a), c + share_x[column] * (d - c)
        mixed[column] = along_upper + share_y[column] * (along_lower - along_upper)


@njit(cache=True, nogil=True)
def _warp_target(target, matrix, warped):
    height, width, channels = target.shape
    left, right, top, bottom = _bounds(matrix, height, width)
    across, down = _sources(left, right, width), _sources(top, bottom, height)
    half = np.float32(0.5)
    for row in range(height):
        for column in range(width):
            x = matrix[0, 0] * column + (matrix[0, 1] * row + matrix[0, 2])
            y = matrix[1, 0] * column + (matrix[1, 1] * row + matrix[1, 2])
            whole_x, whole_y = np.floor(x), np.floor(y)
            share_x, share_y = np.float32(x - whole_x), np.float32(y - whole_y)
            to_x, to_y = int(whole_x) - left, int(whole_y) - top
            if channels > 1:
                nearest = down[to_y + (share_y >= half)], across[to_x + (share_x >= half)]
                for channel in range(channels):
                    warped[row, column, channel] = target[nearest[0], nearest[1], channel]
                continue
            west, east, north, south = across[to_x], across[to_x + 1], down[to_y], down[to_y + 1]
            a, b = target[north, west, 0], target[north, east, 0]
            c, d = target[south, west, 0], target[south, east, 0]
            along_upper, along_lower = a + share_x * (b - a), c + share_x * (d - c)
            warped[row, column, 0] = along_upper + share_y * (along_lower - along_upper)
