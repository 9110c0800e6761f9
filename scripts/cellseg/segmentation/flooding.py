"""Marker-controlled watershed: scikit-image's priority flood, label for label, without its heap.

scikit-image keeps pixels in a heap by (level, age). The level of a pixel is its own height or, if
that is lower, the height at which the flood reached it: the flood never rises again. So pixels can
be sorted once, and the flood be one walk down the sorted levels with a first-in, first-out queue at
each. Only markers, which all have age 0, can tie; of equal ones scikit-image takes whichever its
heap holds first. Where there are such, the flood begins with a heap that moves its items alike,
and continues with queues as soon as no tie is left.
"""

import numpy as np
from numba import njit

_AGE_BITS = 32  # a heap's key is the level above, the age below
_DIGIT_BITS = 12  # of the radix sort: its counters stay in the first cache


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
    return _flood(*_sorted_pixels(_depth(height), mask), markers, mask, False)[0]


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
        ``above(labels, lowest, threshold)`` equals :func:`flood` above the threshold.

    None is returned where markers tie: which comes first may then depend on the threshold.
    """
    pixels, depths = _sorted_pixels(_depth(height), mask)
    labels, reached, tied = _flood(pixels, depths, markers, mask, True)
    if tied:
        return None
    lowest = np.full(height.shape, -np.inf, height.dtype)
    framed = np.pad(height, 1).ravel()
    reached = reached.reshape(height.shape[0] + 2, -1)[1:-1, 1:-1]
    lowest[labels > 0] = framed[pixels][reached[labels > 0]]
    return labels, lowest


@njit(cache=True, nogil=True)
def above(labels: np.ndarray, lowest: np.ndarray, threshold: float) -> np.ndarray:
    """The flood above a threshold, from :func:`flood_of_all_thresholds`.

    Returns
    -------
    ndarray of shape (H, W), int32
    """
    limit = lowest.dtype.type(threshold)  # as NumPy compares a map with a number
    found = np.zeros_like(labels)
    for row in range(labels.shape[0]):
        for column in range(labels.shape[1]):
            if lowest[row, column] > limit:
                found[row, column] = labels[row, column]
    return found


def _depth(height: np.ndarray) -> np.ndarray:
    """Whole numbers, uint32, that rise from high to low and are equal where heights are equal."""
    if height.dtype == np.float32:
        return _depth_of_float32((0 - height).view(np.uint32))  # 0 - h: makes no negative zero
    return np.unique(-height, return_inverse=True)[1].reshape(height.shape).astype(np.uint32)


@njit(cache=True, nogil=True)
def _depth_of_float32(bits):
    # The bits of a float sort like whole numbers once those of negative ones are turned over.
    depth = np.empty_like(bits)
    sign = np.uint32(1 << 31)
    for row in range(bits.shape[0]):
        for column in range(bits.shape[1]):
            value = bits[row, column]
            depth[row, column] = ~value if value & sign else value | sign
    return depth


@njit(cache=True, nogil=True)
def _sorted_pixels(depth, mask):
    """Pixels of the mask by depth, as places in the image within its frame, and their depths.

    A radix sort, which keeps equal pixels in the order of the image.
    """
    rows, columns = mask.shape
    size = np.count_nonzero(mask)
    items = np.empty(size, np.uint64)  # the depth above, the place below
    least, most = np.uint32(0xFFFFFFFF), np.uint32(0)
    size = 0
    for row in range(rows):
        place = (row + 1) * (columns + 2) + 1
        for column in range(columns):
            if mask[row, column]:
                value = depth[row, column]
                least, most = min(least, value), max(most, value)
                items[size] = np.uint64(value) << np.uint64(32) | np.uint64(place + column)
                size += 1
    n_bits = 0
    while size and most - least >= 1 << n_bits:
        n_bits += 1
    other = np.empty_like(items)
    counts = np.empty(1 << _DIGIT_BITS, np.int64)
    digit = np.uint64((1 << _DIGIT_BITS) - 1)
    for done in range(0, n_bits, _DIGIT_BITS):
        shift = np.uint64(done)
        counts[:] = 0
        for item in items:
            value = np.int64(((item >> np.uint64(32)) - np.uint64(least)) >> shift & digit)
            counts[value] += 1
        before = 0
        for value in range(len(counts)):
            counts[value], before = before, before + counts[value]
        for item in items:
            value = np.int64(((item >> np.uint64(32)) - np.uint64(least)) >> shift & digit)
            other[counts[value]] = item
            counts[value] += 1
        items, other = other, items
    pixels, depths = np.empty(size, np.int32), np.empty(size, np.uint32)
    for rank in range(size):
        pixels[rank] = np.int32(items[rank] & np.uint64(0xFFFFFFFF))
        depths[rank] = np.uint32(items[rank] >> np.uint64(32))
    return pixels, depths


@njit(cache=True, nogil=True)
def _flood(pixels, depths, markers, mask, keep_levels):
    """Labels, if wanted the level at which each pixel was reached, and whether markers tied.

    A level is known by the rank of its first pixel in the sorted order. Those that were reached are
    given with the frame, flattened.
    """
    rows, columns = mask.shape
    stride = columns + 2  # a frame of one pixel, never open
    size = len(pixels)
    # A label; 0 where there is nothing to flood; or of an open pixel -1 - (its level, and in the
    # last bit whether others share the level). One array, because its places are visited at random.
    state = np.zeros((rows + 2) * stride, np.int64)
    level = 0
    for rank in range(size):
        if depths[rank] != depths[level]:
            level = rank
        shared = level != rank or (rank + 1 < size and depths[rank + 1] == depths[rank])
        state[pixels[rank]] = -1 - (2 * level + shared)
    reached = np.zeros(len(state) if keep_levels else 0, np.int32)
    # Of a level that pixels share, those that wait, first to last: 0, in the frame, ends a list.
    first, last = np.zeros(size, np.int32), np.zeros(size, np.int32)
    after = np.zeros(len(state), np.int32)
    marked = np.empty(size, np.int32)
    marked_level = np.empty(size, np.int32)
    n_marked = 0
    last_tied = -1
    for row in range(rows):
        for column in range(columns):
            place = (row + 1) * stride + column + 1
            if markers[row, column] != 0 and state[place] < 0:
                level, shared = _level_of(state[place])
                marked[n_marked], marked_level[n_marked] = place, level
                n_marked += 1
                state[place] = markers[row, column]
                if keep_levels:
                    reached[place] = level
                if shared:
                    if first[level] != 0:
                        last_tied = max(last_tied, level)
                    _append(first, last, after, level, place)

    steps = (-stride, -1, 1, stride)
    queue = np.empty(size, np.int32)
    end, level, rank = 0, 0, 0  # waiting in the queue; the level of those; where the next begins
    if last_tied >= 0:
        first[:] = 0
        after[:] = 0
        level, end = _flood_by_heap(
            state, steps, marked[:n_marked], marked_level[:n_marked], last_tied, queue,
            first, last, after,
        )  # fmt: skip
        rank = level
        while rank < size and depths[rank] == depths[level]:
            rank += 1
    while True:
        begin = 0
        while begin < end:
            place = queue[begin]
            begin += 1
            label = state[place]
            for step in steps:
                neighbour = place + step
                if state[neighbour] < 0:
                    own, shared = _level_of(state[neighbour])
                    state[neighbour] = label
                    if own <= level:
                        queue[end] = neighbour
                        end += 1
                    elif shared:
                        _append(first, last, after, own, neighbour)
                    if keep_levels:
                        reached[neighbour] = max(own, level)
        if rank == size:
            break
        level = rank
        end = 0
        if rank + 1 == size or depths[rank + 1] != depths[rank]:
            rank += 1
            if state[pixels[level]] > 0:
                queue[0] = pixels[level]
                end = 1
        else:
            while rank < size and depths[rank] == depths[level]:
                rank += 1
            place = first[level]
            while place != 0:
                queue[end] = place
                end += 1
                place = after[place]

    labels = np.empty(mask.shape, np.int32)
    for row in range(rows):
        for column in range(columns):
            labels[row, column] = max(state[(row + 1) * stride + column + 1], 0)
    return labels, reached, last_tied >= 0


@njit(cache=True, nogil=True)
def _level_of(state):
    """Level of an open pixel, and whether others share it."""
    return (-1 - state) >> 1, ((-1 - state) & 1) == 1


@njit(cache=True, nogil=True)
def _append(first, last, after, level, place):
    if first[level] == 0:
        first[level] = place
    else:
        after[last[level]] = place
    last[level] = place


@njit(cache=True, nogil=True)
def _flood_by_heap(state, steps, marked, marked_level, last_tied, queue, first, last, after):
    """Flood until no tied marker waits, then sort what waits into the lists.

    Returns the level arrived at, and how many of it wait in the queue.
    """
    keys = np.empty(len(queue), np.int64)
    places = np.empty(len(queue), np.int32)
    count = 0
    for number in range(len(marked)):
        _push(keys, places, count, np.int64(marked_level[number]) << _AGE_BITS, marked[number])
        count += 1
    age = 1
    level = 0
    # Once a younger pixel or a lower one leads, no marker of the last tied level is left.
    while count > 0 and keys[0] <= np.int64(last_tied) << _AGE_BITS:
        place = places[0]
        level = keys[0] >> _AGE_BITS
        count -= 1
        _drop_first(keys, places, count)
        for step in steps:
            neighbour = place + step
            if state[neighbour] < 0:
                own, _ = _level_of(state[neighbour])
                state[neighbour] = state[place]
                age += 1
                _push(keys, places, count, np.int64(max(own, level)) << _AGE_BITS | age, neighbour)
                count += 1
    end = 0
    while count > 0:
        waits_at, place = keys[0] >> _AGE_BITS, places[0]
        count -= 1
        _drop_first(keys, places, count)
        if waits_at == level:
            queue[end] = place
            end += 1
        else:
            _append(first, last, after, waits_at, place)
    return level, end


@njit(cache=True, nogil=True)
def _push(keys, places, count, key, place):
    """Put an item into a binary heap of `count` items; it rises past larger ones only."""
    child = count
    while child > 0:
        parent = (child - 1) >> 1
        if key >= keys[parent]:
            break
        keys[child], places[child] = keys[parent], places[parent]
        child = parent
    keys[child], places[child] = key, place


@njit(cache=True, nogil=True)
def _drop_first(keys, places, count):
    """Take the first item off a heap that keeps `count`: the last one sinks from its place."""
    key, place = keys[count], places[count]
    hole, child = 0, 1
    while child < count:
        if child + 1 < count and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[hole], places[hole] = keys[child], places[child]
        hole, child = child, 2 * child + 1
    keys[hole], places[hole] = key, place
