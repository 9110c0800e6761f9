"""Sorting many float32 values by their digits, several times faster than by comparing them."""

import numpy as np
from numba import njit

_BITS = 11  # of a digit: 2048 counters stay in the first cache


def sort_positions(values: np.ndarray) -> np.ndarray:
    """Positions of the values in ascending order; of equal ones the first comes first.

    Equal to ``np.argsort(values, kind="stable")``.

    Parameters
    ----------
    values : ndarray of shape (N,), float32 or float64
        Without NaN and negative zeros, which have digits of their own.

    Returns
    -------
    ndarray of shape (N,), int32 or int64
    """
    if values.dtype != np.float32:
        return np.argsort(values, kind="stable")
    return _sort_float32(np.ascontiguousarray(values).view(np.uint32))


@njit(cache=True, nogil=True)
def _sort_float32(bits):
    size = len(bits)
    keys = np.empty(size, np.uint32)
    counts = np.zeros((3, 1 << _BITS), np.int64)
    digit_mask = np.uint32((1 << _BITS) - 1)
    for place in range(size):
        value = bits[place]
        # The bits of a float sort like whole numbers once negative ones are turned over.
        key = ~value if value >> np.uint32(31) else value | np.uint32(1 << 31)
        keys[place] = key
        for digit in range(3):
            counts[digit, (key >> np.uint32(_BITS * digit)) & digit_mask] += 1
    positions = np.arange(size).astype(np.int32)
    other_keys, other_positions = np.empty_like(keys), np.empty_like(positions)
    for digit in range(3):
        shift = np.uint32(_BITS * digit)
        if size and counts[digit, (keys[0] >> shift) & digit_mask] == size:
            continue  # all alike
        start = 0
        for value in range(1 << _BITS):
            counts[digit, value], start = start, start + counts[digit, value]
        for place in range(size):
            key = keys[place]
            value = (key >> shift) & digit_mask
            target = counts[digit, value]
            counts[digit, value] = target + 1
            other_keys[target] = key
            other_positions[target] = positions[place]
        keys, other_keys = other_keys, keys
        positions, other_positions = other_positions, positions
    return positions
