"""The eight orientations of a square grid: mirrored or not, turned by right angles.

Nothing is interpolated, which would blur cells and quieten noise; angles between these are drawn
in training anyway.
"""

import numpy as np

COUNT = 8


def turned(array: np.ndarray, orientation: int) -> np.ndarray:
    """Mirror `array` where the orientation is odd, then turn it; a view, (H, W) or (W, H)."""
    mirrored = array[:, ::-1] if orientation % 2 else array
    return np.rot90(mirrored, orientation // 2)


def turned_points(points: np.ndarray, shape: tuple[int, int], orientation: int) -> np.ndarray:
    """Points of a window as they lie in the window turned alike.

    Parameters
    ----------
    points : ndarray of shape (n, 2), float64, of (x, y); the first pixel covers 0..1
    shape : height and width of the window before, pixels
    """
    height, width = shape
    x, y = points.T
    if orientation % 2:
        x = width - x
    for _ in range(orientation // 2):
        x, y, height, width = y, width - x, width, height
    return np.stack([x, y], axis=1)
