"""Peaks that rise far enough above their surroundings: h-maxima, without a reconstruction."""

import numpy as np
from numba import njit


def h_maxima(image: np.ndarray, height: float, radius: int, join_equal: bool = False) -> np.ndarray:
    """Find the pixels of peaks of at least a height, numbered by peak.

    The pixels are those of ``skimage.morphology.h_maxima(image, height, disk(radius))``, the
    numbers those that ``skimage.measure.label`` gives them. A pixel is an h-maximum (Soille,
    Morphological Image Analysis, 1999) if no walk leads from it to a higher one without going down
    by `height` on the way; a step may lead to any pixel within `radius`. scikit-image reconstructs
    the whole image to find out. Here the walk itself is made, from the pixels that are no lower
    than their neighbours, highest first. It ends at a higher pixel or where an earlier walk has
    come by, which is nearly always at once. Heights are compared in the same floating-point
    operations as scikit-image's, so that ties fall alike.

    Parameters
    ----------
    image : ndarray of shape (H, W), float32 or float64, finite
    height : float
        Least rise above the surroundings.
    radius : int
        Pixels, at least 1.
    join_equal : bool
        Keep one of the pixels that are equally high and connected by a walk. scikit-image
        keeps all, equal being what differs by less than a millionth or two; where they do not
        touch they have their own numbers.

    Returns
    -------
    ndarray of shape (H, W), int32
        0 but for the peaks; pixels of one peak that touch (8 neighbours) share a number.

    Raises
    ------
    ValueError
        `height` or `radius` is not positive.
    """
    if height <= 0 or radius < 1:
        raise ValueError(f"a peak needs a positive height and radius, not {height} and {radius}")
    height = image.dtype.type(height)
    if image.size == 0 or height > np.ptp(image):
        return np.zeros(image.shape, np.int32)
    image = np.ascontiguousarray(image)
    # What a pixel gives to those around it: its own value lowered by the height and, as in
    # scikit-image, by a little more, against rounding.
    tolerance = 2 * np.finfo(image.dtype).resolution
    lowered = image - height - tolerance * np.abs(image)
    lowest, highest = image.min(), lowered.max()
    is_candidate = _candidates(image, lowered, height, radius == 1, lowest, highest)
    candidates = np.flatnonzero(is_candidate)
    candidates = candidates[np.argsort(-image.ravel()[candidates], kind="stable")]
    # Within a frame that nobody can enter, a step is a constant number of places.
    framed = np.full([length + 2 * radius for length in image.shape], -np.inf, image.dtype)
    framed[radius:-radius, radius:-radius] = image
    row, column = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    steps = (row * framed.shape[1] + column)[row**2 + column**2 <= radius**2]
    rows, columns = np.divmod(candidates, image.shape[1])
    starts = (rows + radius) * framed.shape[1] + columns + radius
    is_peak = _walk(framed.ravel(), height, tolerance, starts, steps[steps != 0], join_equal)
    return numbered(image.shape, np.sort(candidates[is_peak]))


@njit(cache=True, nogil=True)
def _candidates(image, lowered, height, is_cross, lowest, highest_of_all):
    """Pixels from which no single step to a neighbour leads higher."""
    rows, columns = image.shape
    found = np.empty(image.shape, np.bool_)
    best = np.empty(columns, image.dtype)  # of the pixels below, in and above the row
    for row in range(rows):
        line = lowered[row]
        above, below = lowered[max(row - 1, 0)], lowered[min(row + 1, rows - 1)]
        for column in range(columns):
            best[column] = max(max(above[column], below[column]), line[column])
        adjacent = line if is_cross else best
        for column in range(columns):
            highest = best[column]
            if column > 0:
                highest = max(highest, adjacent[column - 1])
            if column < columns - 1:
                highest = max(highest, adjacent[column + 1])
            value = image[row, column]
            # Where nothing is low enough to stop a walk, it sees the whole image.
            if value - lowest < height:
                highest = highest_of_all
            found[row, column] = value - highest >= height
    return found


@njit(cache=True, nogil=True)
def _walk(image, height, tolerance, starts, steps, join_equal):
    """Walk from each start, highest first: does none lead to a higher pixel?

    Nor, where `join_equal` is set, to where an earlier walk has come by: the start of that is as
    high at least, and can be reached from there. Image, places and steps are flattened.
    """
    tops = np.empty(len(starts), image.dtype)
    reached = np.empty(len(starts), image.dtype)  # the highest that a walk has met, lowered
    visitor = np.full(len(image), -1, np.int32)  # the last walk that came by
    waiting = np.empty(len(image), np.int64)
    is_peak = np.empty(len(starts), np.bool_)
    for walk in range(len(starts)):
        start = starts[walk]
        top = image[start]
        highest = top - height - tolerance * abs(top)
        count = 0
        met = visitor[start]
        if met >= 0:
            highest = max(highest, reached[met])
        is_first = met < 0
        if is_first or tops[met] != top:
            visitor[start] = walk
            waiting[0] = start
            count = 1
        while count > 0 and top - highest >= height:
            count -= 1
            here = waiting[count]
            for step in steps:
                place = here + step
                value = image[place]
                if top - value >= height:
                    continue
                met = visitor[place]
                if met == walk:
                    continue
                highest = max(highest, value - height - tolerance * abs(value))
                if met >= 0:
                    # All that an earlier, higher walk has reached can be reached from here.
                    highest = max(highest, reached[met])
                    is_first = False
                    if tops[met] == top:
                        count = 0  # one that began as high has seen all that there is to see
                        break
                if top - highest < height:
                    break
                visitor[place] = walk
                waiting[count] = place
                count += 1
        tops[walk], reached[walk] = top, highest
        is_peak[walk] = top - highest >= height and (is_first or not join_equal)
    return is_peak


@njit(cache=True, nogil=True)
def numbered(shape: tuple[int, int], pixels: np.ndarray) -> np.ndarray:
    """Number pixels so that those which touch (8 neighbours) share a number.

    Parameters
    ----------
    shape : of the image
    pixels : ndarray of shape (N,), int; ascending places in the flattened image

    Returns
    -------
    ndarray of shape (H, W), int32
        Numbered in the order of their first pixels, as ``skimage.measure.label`` does; else 0.
    """
    rows, columns = shape
    numbers = np.zeros(shape, np.int32)
    for pixel in pixels:
        numbers[pixel // columns, pixel % columns] = -1
    waiting = np.empty(len(pixels), np.int64)
    number = 0
    for pixel in pixels:
        row, column = divmod(pixel, columns)
        if numbers[row, column] > 0:
            continue
        number += 1
        numbers[row, column] = number
        waiting[0] = pixel
        count = 1
        while count > 0:
            count -= 1
            row, column = divmod(waiting[count], columns)
            for y in range(max(row - 1, 0), min(row + 2, rows)):
                for x in range(max(column - 1, 0), min(column + 2, columns)):
                    if numbers[y, x] < 0:
                        numbers[y, x] = number
                        waiting[count] = y * columns + x
                        count += 1
    return numbers
