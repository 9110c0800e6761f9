"""Gaussian smoothing of maps, bit for bit as SciPy does it."""

import numpy as np
from numba import njit

_CUT = 4.0  # standard deviations, SciPy's default


def gaussian(image: np.ndarray, deviation: float) -> np.ndarray:
    """Smooth an image; beyond its border it is mirrored.

    Equal to ``scipy.ndimage.gaussian_filter(image, deviation)``: sums are taken in double precision
    from the outside in, and rounded to the dtype of the image after each axis.

    Parameters
    ----------
    image : ndarray of shape (H, W), float32 or float64
    deviation : float
        Standard deviation, pixels; 0 smooths nothing.

    Returns
    -------
    ndarray of shape (H, W), dtype of `image`
    """
    if deviation <= 0 or image.size == 0:
        return image
    weights = _weights(deviation)
    return _smooth(np.ascontiguousarray(image), weights)


def _weights(deviation: float) -> np.ndarray:
    """Weights of the middle and of the pixels 1, 2, … away."""
    radius = int(_CUT * deviation + 0.5)
    distance = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 / (deviation * deviation) * distance**2)
    return (weights / weights.sum())[radius:]


@njit(cache=True, nogil=True)
def _smooth(image, weights):
    rows, columns = image.shape
    radius = len(weights) - 1
    down = np.empty_like(image)
    total = np.empty(columns, np.float64)
    for row in range(rows):
        for column in range(columns):
            total[column] = image[row, column] * weights[0]
        for distance in range(radius, 0, -1):
            above = image[_mirrored(row - distance, rows)]
            below = image[_mirrored(row + distance, rows)]
            weight = weights[distance]
            for column in range(columns):
                total[column] += (np.float64(above[column]) + np.float64(below[column])) * weight
        for column in range(columns):
            down[row, column] = total[column]
    smoothed = np.empty_like(image)
    line = np.empty(columns + 2 * radius, np.float64)
    sources = np.empty(columns + 2 * radius, np.int64)
    for place in range(len(sources)):
        sources[place] = _mirrored(place - radius, columns)
    for row in range(rows):
        for place in range(len(sources)):
            line[place] = down[row, sources[place]]
        for column in range(columns):
            total[column] = line[column + radius] * weights[0]
        for distance in range(radius, 0, -1):
            weight = weights[distance]
            left, right = line[radius - distance :], line[radius + distance :]
            for column in range(columns):
                total[column] += (left[column] + right[column]) * weight
        for column in range(columns):
            smoothed[row, column] = total[column]
    return smoothed


@njit(cache=True, nogil=True)
def _mirrored(place, length):
    """Where a place beyond the border comes from: c b a | a b c | c b a, and so on."""
    place %= 2 * length
    return place if place < length else 2 * length - 1 - place
