"""Marker-controlled watershed: scikit-image's priority flood, label for label, without its heap.

scikit-image keeps pixels in a heap by (level, age). The level of a pixel is its own height or, if
that is lower, the height at which the flood reached it: levels never rise again. So pixels can be
sorted once, and the flood be one walk down the sorted levels with a first-in, first-out list at
each. Only markers, which all have age 0, can tie; of equal ones scikit-image takes whichever its
heap holds first. Where there are such, the flood begins with a heap that moves its items alike,
and goes on with the lists as soon as no tie is left.
"""

import numpy as np
from numba import njit

from cellseg.radix import sort_positions

_AGE_BITS = 32  # a heap's key is the level above, the age below


def flood(height: np.ndarray, markers: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Grow markers over the mask, highest pixels first.

    Equal to ``skimage.segmentation.watershed(-height, markers, mask=mask)`` of scikit-image 0.26:
    Meyer's flooding (Beucher and Meyer 1993) with four neighbours.

    Parameters
    ----------
    height : ndarray of shape (H, W), float32 or float64; not NaN inside of the mask
    markers : ndarray of shape (H, W), int32; positive in markers, else 0
    mask : ndarray of shape (H, W), bool; no other pixel is given to a cell

    Returns
    -------
    ndarray of shape (H, W), int32
        0 outside of the mask and where no marker reaches.
    """
    return _flood(*_sorted_levels(height, mask), markers, mask)[0]


def flood_of_all_thresholds(
    height: np.ndarray, markers: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Flood once for every mask ``height > threshold`` that lies within `mask`.

    The flood takes no pixel before a higher one that it can reach. So what lies above a threshold
    is shared out as if there were nothing below it, and a pixel is in the flood above the threshold
    exactly if its way from the marker is.

    Parameters
    ----------
    height, markers, mask : see :func:`flood`; `mask` is ``height > t`` for some t

    Returns
    -------
    labels : ndarray of shape (H, W), int32; as of :func:`flood`
    lowest : ndarray of shape (H, W), of the dtype of `height`
        The lowest height on the way from the marker; -inf where there is no label.
        ``np.where(lowest > threshold, labels, 0)`` equals :func:`flood` above the threshold.

    None is returned where markers tie: which comes first may then depend on the threshold.
    """
    places, level = _sorted_levels(height, mask)
    labels, reached, tied = _flood(places, level, markers, mask)
    if tied:
        return None
    lowest = np.full(height.shape, -np.inf, height.dtype)
    found = labels > 0
    heights_of_levels = np.empty(level[-1] + 1 if len(level) else 0, height.dtype)
    heights_of_levels[level] = height.ravel()[places]
    lowest[found] = heights_of_levels[reached[found]]
    return labels, lowest


def _sorted_levels(height: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the mask from high to low, and for each the number of its level, from 0.

    Returns
    -------
    places : ndarray of shape (N,), int32, positions in the flattened image
    level : ndarray of shape (N,), int32, ascending; equal where heights are equal
    """
    places = np.flatnonzero(mask).astype(np.int32)
    values = 0 - height.ravel()[places]  # 0 - h: makes no negative zero
    places = places[sort_positions(values)]
    return places, _levels(height.ravel(), places)


@njit(cache=True, nogil=True)
def _levels(height, places):
    level = np.empty(len(places), np.int32)
    number = -1
    for rank in range(len(places)):
        if rank == 0 or height[places[rank]] != height[places[rank - 1]]:
            number += 1
        level[rank] = number
    return level


@njit(cache=True, nogil=True)
def _flood(places, levels, markers, mask):
    """Labels, the level at which each pixel was reached, and whether markers tied."""
    height, width = mask.shape
    stride = width + 2  # a frame of one pixel, never open
    size = (height + 2) * stride
    labels = np.zeros(size, np.int32)  # -1 where the flood may go
    level = np.zeros(size, np.int32)
    n_levels = levels[-1] + 1 if len(levels) else 0
    # Pixels that wait at a level, first to last: 0, a pixel of the frame, ends a list.
    first = np.zeros(n_levels, np.int32)
    last = np.zeros(n_levels, np.int32)
    after = np.zeros(size, np.int32)

    for rank in range(len(places)):
        row, column = divmod(places[rank], width)
        pixel = (row + 1) * stride + column + 1
        level[pixel] = levels[rank]
        labels[pixel] = -1
    last_tied = -1
    n_markers = 0
    for row in range(height):
        for column in range(width):
            if markers[row, column] != 0 and mask[row, column]:
                pixel = (row + 1) * stride + column + 1
                labels[pixel] = markers[row, column]
                n_markers += 1
                here = level[pixel]
                if first[here] != 0:
                    last_tied = max(last_tied, here)
                _append(first, last, after, here, pixel)

    steps = (-stride, -1, 1, stride)
    start = 0
    if last_tied >= 0:
        first[:] = 0
        after[:] = 0
        start = _flood_by_heap(labels, level, steps, last_tied, len(places), first, last, after)
    for here in range(start, n_levels):
        pixel = first[here]
        while pixel != 0:
            for step in steps:
                beside = pixel + step
                if labels[beside] < 0:
                    labels[beside] = labels[pixel]
                    level[beside] = max(level[beside], here)
                    _append(first, last, after, level[beside], beside)
            pixel = after[pixel]

    found = labels.reshape(height + 2, stride)[1:-1, 1:-1]
    reached = level.reshape(height + 2, stride)[1:-1, 1:-1]
    return np.maximum(found, 0), reached.copy(), last_tied >= 0


@njit(cache=True, nogil=True)
def _append(first, last, after, level, pixel):
    if first[level] == 0:
        first[level] = pixel
    else:
        after[last[level]] = pixel
    last[level] = pixel


@njit(cache=True, nogil=True)
def _flood_by_heap(labels, level, steps, last_tied, n_pixels, first, last, after):
    """Flood until no tied marker waits; put what waits into the lists. Returns the level."""
    keys = np.empty(n_pixels, np.int64)
    pixels = np.empty(n_pixels, np.int32)
    count = 0
    for pixel in range(len(labels)):
        if labels[pixel] > 0:
            _push(keys, pixels, count, np.int64(level[pixel]) << _AGE_BITS, pixel)
            count += 1
    age = 1
    here = 0
    # No marker at or above the last tied level is left once a younger pixel, or a lower one, leads.
    while count > 0 and keys[0] <= np.int64(last_tied) << _AGE_BITS:
        pixel = pixels[0]
        here = level[pixel]
        count -= 1
        _drop_first(keys, pixels, count)
        for step in steps:
            beside = pixel + step
            if labels[beside] < 0:
                labels[beside] = labels[pixel]
                level[beside] = max(level[beside], here)
                age += 1
                key = np.int64(level[beside]) << _AGE_BITS | age
                _push(keys, pixels, count, key, beside)
                count += 1
    for place in np.argsort(keys[:count]):
        _append(first, last, after, level[pixels[place]], pixels[place])
    return here


@njit(cache=True, nogil=True)
def _push(keys, pixels, count, key, pixel):
    """Put an item into a binary heap of `count` items; it rises past larger ones only."""
    child = count
    while child > 0:
        parent = (child - 1) >> 1
        if key >= keys[parent]:
            break
        keys[child], pixels[child] = keys[parent], pixels[parent]
        child = parent
    keys[child], pixels[child] = key, pixel


@njit(cache=True, nogil=True)
def _drop_first(keys, pixels, count):
    """Take the first item off a heap that keeps `count`: the last one sinks from its place."""
    key, pixel = keys[count], pixels[count]
    hole, child = 0, 1
    while child < count:
        if child + 1 < count and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[hole], pixels[hole] = keys[child], pixels[child]
        hole, child = child, 2 * child + 1
    keys[hole], pixels[hole] = key, pixel
