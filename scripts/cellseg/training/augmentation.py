"""Random rotation, zoom and flips, drawn once and applied alike to image and labels."""

from dataclasses import dataclass

import numpy as np
from numba import njit


@dataclass(frozen=True)
class Augmentation:
    """How far tiles are turned, scaled and mirrored (the report: rotation, zoom, flips).

    Attributes
    ----------
    rotation : largest angle, degrees, either way
    zoom : largest magnification; the smallest is its inverse. 1 means none
    flips : mirror each axis with probability one half
    """

    rotation: float = 180.0
    zoom: float = 1.4
    flips: bool = True

    def draw(self, random: np.random.Generator, size: int) -> np.ndarray:
        """Affine matrix of shape (2, 3) from tile to source pixels, about the tile's centre."""
        angle = np.deg2rad(random.uniform(-self.rotation, self.rotation))
        scale = np.exp(random.uniform(-1, 1) * np.log(self.zoom))
        mirror = random.choice((-1.0, 1.0), size=2) if self.flips else np.ones(2)
        cosine, sine = np.cos(angle), np.sin(angle)
        linear = np.array([[cosine, -sine], [sine, cosine]]) * mirror / scale
        centre = np.full(2, (size - 1) / 2)
        return np.column_stack([linear, centre - linear @ centre])


@njit(cache=True, nogil=True)
def warp(
    image: np.ndarray, labels: np.ndarray, matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Warp a tile and its labels; what lies outside is mirrored in.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8 or float32
        Warped by linear interpolation.
    labels : ndarray of shape (H, W), int32
        Warped by nearest neighbour, so that targets computed afterwards are true distances.
    matrix : ndarray of shape (2, 3), float64, from :meth:`Augmentation.draw`

    Returns
    -------
    image : ndarray of shape (H, W), float32
    labels : ndarray of shape (H, W), of their dtype
    """
    rows, columns = image.shape
    warped, warped_labels = np.empty(image.shape, np.float32), np.empty_like(labels)
    # Flat and unsigned: an index that may be negative costs a comparison.
    values, classes = image.ravel(), labels.ravel()
    half = np.float32(0.5)
    for row in range(rows):
        for column in range(columns):
            x = matrix[0, 0] * column + (matrix[0, 1] * row + matrix[0, 2])
            y = matrix[1, 0] * column + (matrix[1, 1] * row + matrix[1, 2])
            whole_x, whole_y = np.floor(x), np.floor(y)
            share_x, share_y = np.float32(x - whole_x), np.float32(y - whole_y)
            left, above = int(whole_x), int(whole_y)
            right, below = left + 1, above + 1
            if left < 0 or above < 0 or right >= columns or below >= rows:
                left, right = _mirrored(left, columns), _mirrored(right, columns)
                above, below = _mirrored(above, rows), _mirrored(below, rows)
            upper, lower = np.uint64(above * columns), np.uint64(below * columns)
            near, far = np.uint64(left), np.uint64(right)
            a, b = np.float32(values[upper + near]), np.float32(values[upper + far])
            c, d = np.float32(values[lower + near]), np.float32(values[lower + far])
            along_upper, along_lower = a + share_x * (b - a), c + share_x * (d - c)
            warped[row, column] = along_upper + share_y * (along_lower - along_upper)
            nearest = (lower if share_y >= half else upper) + (far if share_x >= half else near)
            warped_labels[row, column] = classes[nearest]
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
    planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(target, -1, 0)]
    place = 0 if len(planes) == 1 else 1
    return np.stack([warp(plane, plane, matrix)[place] for plane in planes], axis=-1)


@njit(cache=True, nogil=True)
def _mirrored(place, length):
    """Where a pixel beyond the border comes from: c b | a b c | b a, the border pixel once."""
    if length == 1:
        return 0
    place = abs(place) % (2 * length - 2)
    return place if place < length else 2 * length - 2 - place
