"""Area of the overlap of polygons with whole-numbered vertices.

Between two rows of whole numbers such a polygon has no vertex: it is a few trapezoids. They are
found once a polygon, and the overlap of two polygons is the sum of that of their trapezoids, exact
but for rounding. No special case of touching edges or shared vertices is needed.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def trapezoids(vertices: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """Parts of a polygon between whole-numbered rows.

    What the outline goes around, either way, is inside (non-zero winding).

    Parameters
    ----------
    vertices : ndarray of shape (n, 2), int32; row and column

    Returns
    -------
    top : the first row
    first : ndarray of shape (rows + 1,), int32
        The parts from row ``top + k`` to the next are ``first[k]`` to ``first[k + 1] - 1``.
    sides : ndarray of shape (parts, 4), float32
        Columns of left and right side at the upper row, then at the lower one.
    """
    n = len(vertices)
    top, bottom = vertices[:, 0].min(), vertices[:, 0].max()
    rows = bottom - top
    count = np.zeros(rows + 1, np.int32)
    for here in range(n):
        a, b = vertices[here, 0], vertices[(here + 1) % n, 0]
        for row in range(min(a, b) - top, max(a, b) - top):
            count[row + 1] += 1
    start = np.cumsum(count)
    upper, lower = np.empty(start[-1], np.float32), np.empty(start[-1], np.float32)
    turn = np.empty(start[-1], np.int8)
    filled = start[:-1].copy()
    for here in range(n):
        after = here + 1 if here + 1 < n else 0
        a, b = vertices[here, 0], vertices[after, 0]
        if a == b:
            continue
        slope = (vertices[after, 1] - vertices[here, 1]) / (b - a)
        for row in range(min(a, b), max(a, b)):
            # Sorted by the middle of the side, by insertion: most rows have two.
            at = vertices[here, 1] + slope * (row - a)
            to = vertices[here, 1] + slope * (row + 1 - a)
            place = filled[row - top]
            filled[row - top] += 1
            while place > start[row - top] and upper[place - 1] + lower[place - 1] > at + to:
                upper[place], lower[place] = upper[place - 1], lower[place - 1]
                turn[place] = turn[place - 1]
                place -= 1
            upper[place], lower[place] = at, to
            turn[place] = 1 if b > a else -1
    first = np.zeros(rows + 1, np.int32)
    sides = np.empty((start[-1] // 2, 4), np.float32)
    parts = 0
    for row in range(rows):
        winding = 0
        for side in range(start[row], start[row + 1]):
            if winding == 0:
                sides[parts, 0], sides[parts, 2] = upper[side], lower[side]
            winding += turn[side]
            if winding == 0:
                sides[parts, 1], sides[parts, 3] = upper[side], lower[side]
                parts += 1
        first[row + 1] = parts
    return top, first, sides[:parts]


@njit(cache=True, nogil=True)
def overlap(
    top_a: int, first_a: np.ndarray, sides_a: np.ndarray,
    top_b: int, first_b: np.ndarray, sides_b: np.ndarray,
    enough: float,
) -> float:  # fmt: skip
    """Area that two polygons share, from their :func:`trapezoids`.

    Parameters
    ----------
    enough : return any area above this as soon as it is reached

    Returns
    -------
    float, pixels
    """
    area = 0.0
    for row in range(max(top_a, top_b), min(top_a + len(first_a), top_b + len(first_b)) - 1):
        for a in range(first_a[row - top_a], first_a[row - top_a + 1]):
            for b in range(first_b[row - top_b], first_b[row - top_b + 1]):
                area += _shared(sides_a[a], sides_b[b])
        if area > enough:
            break
    return area


@njit(cache=True, nogil=True)
def exceeds(own: tuple, vertices: np.ndarray, enough: float) -> bool:
    """Whether a polygon shares more than an area with one whose :func:`trapezoids` are known."""
    top, first, sides = trapezoids(vertices)
    return overlap(own[0], own[1], own[2], top, first, sides, enough) > enough


@njit(cache=True, nogil=True)
def _shared(a, b):
    """Area that two trapezoids share: the integral of a width, linear between crossings."""
    upper = min(a[1], b[1]) - max(a[0], b[0])
    lower = min(a[3], b[3]) - max(a[2], b[2])
    lefts_cross = (a[0] - b[0]) * (a[2] - b[2]) < 0
    rights_cross = (a[1] - b[1]) * (a[3] - b[3]) < 0
    if not (lefts_cross or rights_cross):
        return _positive(upper, lower, 1.0)
    one = (a[0] - b[0]) / ((a[0] - b[0]) - (a[2] - b[2])) if lefts_cross else 0.0
    two = (a[1] - b[1]) / ((a[1] - b[1]) - (a[3] - b[3])) if rights_cross else 0.0
    one, two = min(one, two), max(one, two)
    at_one, at_two = _width(a, b, one), _width(a, b, two)
    return (
        _positive(upper, at_one, one)
        + _positive(at_one, at_two, two - one)
        + _positive(at_two, lower, 1 - two)
    )


@njit(cache=True, nogil=True)
def _width(a, b, share):
    left = max(a[0] + share * (a[2] - a[0]), b[0] + share * (b[2] - b[0]))
    right = min(a[1] + share * (a[3] - a[1]), b[1] + share * (b[3] - b[1]))
    return right - left


@njit(cache=True, nogil=True)
def _positive(begin, end, length):
    """Integral of the positive part of what goes linearly from `begin` to `end`."""
    if begin >= 0 and end >= 0:
        return (begin + end) / 2 * length
    if begin <= 0 and end <= 0:
        return 0.0
    above = max(begin, end)
    return above * above / (above - min(begin, end)) / 2 * length
