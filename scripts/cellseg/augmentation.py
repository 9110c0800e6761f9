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


def warp_linear(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Warp grey values or a map by linear interpolation; what lies outside is mirrored in.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8 or float32
    matrix : ndarray of shape (2, 3), from :meth:`Augmentation.draw`

    Returns
    -------
    ndarray of shape (H, W), float32
    """
    return _warp_linear(image, matrix)


def warp_nearest(labels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Warp labels or classes by nearest neighbour; what lies outside is mirrored in.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32 or uint8
    matrix : ndarray of shape (2, 3), from :meth:`Augmentation.draw`

    Returns
    -------
    ndarray of shape (H, W), dtype of `labels`
    """
    return _warp_nearest(labels, matrix)


@njit(cache=True, nogil=True)
def _warp_linear(image, matrix):
    rows, columns = image.shape
    warped = np.empty(image.shape, np.float32)
    for row in range(rows):
        for column in range(columns):
            x = matrix[0, 0] * column + matrix[0, 1] * row + matrix[0, 2]
            y = matrix[1, 0] * column + matrix[1, 1] * row + matrix[1, 2]
            left, above = int(np.floor(x)), int(np.floor(y))
            right_share, below_share = np.float32(x - left), np.float32(y - above)
            if left >= 0 and above >= 0 and left < columns - 1 and above < rows - 1:
                right, below = left + 1, above + 1
            else:
                right, below = _mirrored(left + 1, columns), _mirrored(above + 1, rows)
                left, above = _mirrored(left, columns), _mirrored(above, rows)
            upper = image[above, left] + right_share * (
                np.float32(image[above, right]) - image[above, left]
            )
            lower = image[below, left] + right_share * (
                np.float32(image[below, right]) - image[below, left]
            )
            warped[row, column] = upper + below_share * (lower - upper)
    return warped


@njit(cache=True, nogil=True)
def _warp_nearest(labels, matrix):
    rows, columns = labels.shape
    warped = np.empty_like(labels)
    for row in range(rows):
        for column in range(columns):
            x = matrix[0, 0] * column + matrix[0, 1] * row + matrix[0, 2]
            y = matrix[1, 0] * column + matrix[1, 1] * row + matrix[1, 2]
            source_column, source_row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
            if not (0 <= source_column < columns and 0 <= source_row < rows):
                source_column = _mirrored(source_column, columns)
                source_row = _mirrored(source_row, rows)
            warped[row, column] = labels[source_row, source_column]
    return warped


@njit(cache=True, nogil=True)
def _mirrored(place, length):
    """Where a pixel beyond the border comes from: c b | a b c | b a, the border pixel once."""
    if length == 1:
        return 0
    place = abs(place) % (2 * length - 2)
    return place if place < length else 2 * length - 2 - place
