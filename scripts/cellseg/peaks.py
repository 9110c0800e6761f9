"""Peaks that rise far enough above their surroundings: h-maxima, without a reconstruction."""

import numpy as np
from numba import njit


def h_maxima(image: np.ndarray, height: float, radius: int) -> np.ndarray:
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
    lowered = image - height - 2 * np.finfo(image.dtype).resolution * np.abs(image)
    row, column = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    within = row**2 + column**2 <= radius**2
    within[radius, radius] = False
    candidates = np.flatnonzero(_candidates(image, lowered, height, radius == 1))
    order = np.argsort(-image.ravel()[candidates], kind="stable")
    candidates = candidates[order].astype(np.int32)
    is_peak = _walk(image, lowered, height, candidates, row[within], column[within])
    return numbered(image.shape, np.sort(candidates[is_peak]))


@njit(cache=True, nogil=True)
def _candidates(image, lowered, height, is_cross):
    """Pixels from which no single step to a neighbour leads higher."""
    rows, columns = image.shape
    found = np.zeros(image.shape, np.bool_)
    best = np.empty(columns, image.dtype)  # of the pixels below, in and above the row
    beside = np.empty(columns, image.dtype)
    for row in range(rows):
        best[:] = lowered[row]
        if row > 0:
            best[:] = np.maximum(best, lowered[row - 1])
        if row < rows - 1:
            best[:] = np.maximum(best, lowered[row + 1])
        beside[:] = lowered[row] if is_cross else best
        for column in range(columns):
            highest = best[column]
            if column > 0:
                highest = max(highest, beside[column - 1])
            if column < columns - 1:
                highest = max(highest, beside[column + 1])
            found[row, column] = image[row, column] - highest >= height
    return found


@njit(cache=True, nogil=True)
def _walk(image, lowered, height, candidates, step_row, step_column):
    """Walk from each candidate, highest first: does none lead to a higher pixel?"""
    rows, columns = image.shape
    is_peak = np.zeros(len(candidates), np.bool_)
    if len(candidates) == 0:
        return is_peak
    lowest, highest = image.min(), lowered.max()
    tops = np.empty(len(candidates), image.dtype)
    reached = np.empty(len(candidates), image.dtype)  # the highest that a walk has met, lowered
    visitor = np.full(image.shape, -1, np.int32)  # the last walk that came by
    waiting = np.empty(image.size, np.int32)
    for walk in range(len(candidates)):
        row, column = divmod(candidates[walk], columns)
        top = image[row, column]
        tops[walk] = top
        if top - lowest < height:
            # Nothing is low enough to stop this walk: it would see the whole image.
            is_peak[walk] = top - highest >= height
            continue
        reached[walk] = lowered[row, column]
        count = 0
        met = visitor[row, column]
        if met >= 0:
            reached[walk] = max(reached[walk], reached[met])
        if met < 0 or tops[met] != top:
            visitor[row, column] = walk
            waiting[0] = candidates[walk]
            count = 1
        while count > 0 and top - reached[walk] >= height:
            count -= 1
            row, column = divmod(waiting[count], columns)
            for step in range(len(step_row)):
                y, x = row + step_row[step], column + step_column[step]
                if y < 0 or y >= rows or x < 0 or x >= columns:
                    continue
                if top - image[y, x] >= height:
                    continue
                met = visitor[y, x]
                if met == walk:
                    continue
                # All that an earlier walk has reached, starting higher, can be reached from here.
                further = lowered[y, x] if met < 0 else max(lowered[y, x], reached[met])
                reached[walk] = max(reached[walk], further)
                if top - reached[walk] < height:
                    break
                if met >= 0 and tops[met] == top:
                    count = 0  # one that started as high has seen all that there is to see
                    break
                visitor[y, x] = walk
                waiting[count] = y * columns + x
                count += 1
        is_peak[walk] = top - reached[walk] >= height
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
