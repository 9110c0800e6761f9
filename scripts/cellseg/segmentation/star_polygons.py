"""Star-convex polygons to cells: non-maximum suppression and painting, as StarDist does both.

Every pixel that is probably in a cell proposes a polygon: its distances along the rays. The most
probable one is kept, those that overlap it are dropped, and so on. Kept ones are painted.

What is kept is what ``stardist.nms.non_maximum_suppression`` keeps, with two exceptions:

- StarDist moves the points where outlines cross to whole pixels, which changes the area of an
  overlap: by up to 0.02 of the smaller polygon of at least 5 pixels radius, by more of a smaller
  one. Here the area is exact. Polygons that overlap by nearly the threshold may be kept by one and
  dropped by the other.
- StarDist sorts equal probabilities in an order that depends on the processor. Here the first pixel
  of the image goes first.

What is painted equals ``stardist.geometry.polygons_to_label`` pixel by pixel.

Schmidt, Weigert, Broaddus and Myers, Cell Detection with Star-Convex Polygons, MICCAI 2018.
"""

import numpy as np
from numba import njit

from cellseg.segmentation import polygon_overlap

BORDER = 2
"""Rows and columns at the border of an image that propose no polygon."""
_BIN = 16  # side of the squares that candidates are sorted into, pixels


def suppress(
    distances: np.ndarray,
    probability: np.ndarray,
    probability_threshold: float,
    nms_threshold: float,
    grid: int = 1,
    border: int = BORDER,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Polygons that no more probable one overlaps.

    Parameters
    ----------
    distances : ndarray of shape (H, W, n_rays), float32; pixels
    probability : ndarray of shape (H, W), float32
    probability_threshold : a candidate's probability is above it
    nms_threshold : a candidate is dropped if it shares a larger fraction than this of the smaller
        area with one that is kept
    grid : pixels of the image between two values
    border : rows and columns at the border of the maps that propose nothing

    Returns
    -------
    points : ndarray of shape (n, 2), int32; row and column, pixels; the most probable first
    scores : ndarray of shape (n,), float32
    distances : ndarray of shape (n, n_rays), float32
    """
    allowed = probability > probability_threshold
    if border:
        inner = np.zeros_like(allowed)
        inner[border:-border, border:-border] = True
        allowed &= inner
    points = np.argwhere(allowed).astype(np.int32)
    scores = probability[allowed]
    order = np.argsort(-scores, kind="stable")
    points, scores = points[order], scores[order]
    rays = np.ascontiguousarray(distances[points[:, 0], points[:, 1]], np.float32)
    points *= grid
    kept = _kept(points, rays, *_directions(rays.shape[1]), float(nms_threshold))
    return points[kept], scores[kept], rays[kept]


def _directions(n_rays: int) -> tuple[np.ndarray, np.ndarray]:
    # As float32 of sine and cosine in double precision, of an angle in float32.
    angles = (np.arange(n_rays, dtype=np.float32) * np.float32(2 * np.pi / n_rays)).astype(float)
    return np.sin(angles).astype(np.float32), np.cos(angles).astype(np.float32)


@njit(cache=True, nogil=True)
def _outline(point, rays, sines, cosines, vertices):
    """Whole-numbered vertices of a polygon; returns its area."""
    n = len(rays)
    twice = np.int64(0)
    for ray in range(n):
        vertices[ray, 0] = np.int32(np.float32(point[0]) + rays[ray] * sines[ray])
        vertices[ray, 1] = np.int32(np.float32(point[1]) + rays[ray] * cosines[ray])
    for ray in range(n):
        after = ray + 1 if ray + 1 < n else 0
        twice += np.int64(vertices[ray, 0]) * vertices[after, 1]
        twice -= np.int64(vertices[ray, 1]) * vertices[after, 0]
    return abs(twice) / 2


@njit(cache=True, nogil=True)
def _kept(points, rays, sines, cosines, threshold):
    n, n_rays = rays.shape
    area = np.empty(n, np.float64)
    boxes = np.empty((n, 4), np.int32)  # first and last row, first and last column
    vertices = np.empty((n_rays, 2), np.int32)
    for number in range(n):
        area[number] = _outline(points[number], rays[number], sines, cosines, vertices)
        boxes[number, 0], boxes[number, 1] = vertices[:, 0].min(), vertices[:, 0].max()
        boxes[number, 2], boxes[number, 3] = vertices[:, 1].min(), vertices[:, 1].max()
    # Candidates by square of the image, with the box around all boxes of a square.
    height, width = 0, 0
    for number in range(n):
        height, width = max(height, points[number, 0]), max(width, points[number, 1])
    height, width = height // _BIN + 1, width // _BIN + 1
    first = np.zeros(height * width + 1, np.int64)
    for number in range(n):
        first[points[number, 0] // _BIN * width + points[number, 1] // _BIN + 1] += 1
    first = np.cumsum(first)
    end = first[:-1].copy()
    members = np.empty(n, np.int64)
    around = np.empty((height * width, 4), np.int32)
    around[:, 0::2], around[:, 1::2] = 2**30, -(2**30)
    for number in range(n):
        square = points[number, 0] // _BIN * width + points[number, 1] // _BIN
        members[end[square]] = number
        end[square] += 1
        for side in range(0, 4, 2):
            around[square, side] = min(around[square, side], boxes[number, side])
            around[square, side + 1] = max(around[square, side + 1], boxes[number, side + 1])
    kept = np.ones(n, np.bool_)
    other = np.empty((n_rays, 2), np.int32)
    for number in range(n):
        if not kept[number]:
            continue
        _outline(points[number], rays[number], sines, cosines, vertices)
        own = polygon_overlap.trapezoids(vertices)
        for square in range(height * width):
            if end[square] == first[square] or not _meet(boxes[number], around[square]):
                continue
            place = first[square]
            while place < end[square]:
                candidate = members[place]
                if candidate > number and _meet(boxes[number], boxes[candidate]):
                    enough = threshold * min(area[number], area[candidate])
                    _outline(points[candidate], rays[candidate], sines, cosines, other)
                    kept[candidate] = not polygon_overlap.exceeds(own, other, enough)
                if candidate <= number or not kept[candidate]:  # no longer compared
                    end[square] -= 1
                    members[place] = members[end[square]]
                else:
                    place += 1
    return kept


@njit(cache=True, nogil=True)
def _meet(one, two):
    return one[0] <= two[1] and two[0] <= one[1] and one[2] <= two[3] and two[2] <= one[3]


def paint(
    points: np.ndarray, scores: np.ndarray, distances: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Label image of polygons; where they overlap the most probable is seen.

    A pixel is painted if its middle is inside or on the outline, as by ``skimage.draw.polygon``.

    Parameters
    ----------
    points : ndarray of shape (n, 2); row and column
    scores : ndarray of shape (n,)
    distances : ndarray of shape (n, n_rays), float32; pixels

    Returns
    -------
    ndarray of `shape`, int32; polygon k has the value k + 1, if any of it is seen
    """
    labels = np.zeros(shape, np.int32)
    angles = np.linspace(0, 2 * np.pi, distances.shape[1], endpoint=False)
    outward = np.array([np.sin(angles), np.cos(angles)])
    vertices = (distances[:, None] * outward).astype(np.float32)
    vertices += np.asarray(points)[..., None]
    for number in np.argsort(scores, kind="stable").tolist():
        _paint(labels, vertices[number].astype(float), number + 1)
    return labels


@njit(cache=True, nogil=True)
def _paint(labels, vertices, value):
    y, x = vertices
    n = len(x)
    rows, columns = labels.shape
    left, right = max(0, int(np.floor(x.min()))), min(columns - 1, int(np.ceil(x.max())))
    rising, falling = np.empty(n, np.int64), np.empty(n, np.int64)
    for row in range(max(0, int(np.floor(y.min()))), min(rows - 1, int(np.ceil(y.max()))) + 1):
        # Sides that cross the row's middle line: those that end on it count once, from above for
        # what lies to the right of a pixel and from below for what lies to its left.
        n_rising = n_falling = 0
        for here in range(n):
            before = here - 1 if here else n - 1
            if (y[before] > row) != (y[here] > row):
                rising[n_rising] = here
                n_rising += 1
            if (y[before] < row) != (y[here] < row):
                falling[n_falling] = here
                n_falling += 1
        for column in range(left, right + 1):
            to_right = to_left = 0
            for place in range(n_rising):
                to_right += _crossing(x, y, rising[place], column, row) > 0
            for place in range(n_falling):
                to_left += _crossing(x, y, falling[place], column, row) < 0
            if to_right % 2 or to_left % 2:
                labels[row, column] = value
    for here in range(n):
        row, column = int(y[here]), int(x[here])
        if row == y[here] and column == x[here] and 0 <= row < rows and 0 <= column < columns:
            labels[row, column] = value


@njit(cache=True, nogil=True)
def _crossing(x, y, here, column, row):
    """Where a side crosses the middle line of a row, from the middle of a pixel."""
    before = here - 1 if here else len(x) - 1
    x0, y0, x1, y1 = x[before] - column, y[before] - row, x[here] - column, y[here] - row
    return (x0 * y1 - x1 * y0) / (y1 - y0)
