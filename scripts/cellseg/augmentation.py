"""Random rotation, zoom and flips, drawn once and applied alike to image and labels."""

from dataclasses import dataclass

import cv2
import numpy as np


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


def warp(image: np.ndarray, labels: np.ndarray, matrix: np.ndarray) -> tuple:
    """Warp a tile and its labels; what lies outside is mirrored in.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    labels : ndarray of shape (H, W), int32
        Warped by nearest neighbour, so that targets computed afterwards are true distances.
    matrix : ndarray of shape (2, 3), from :meth:`Augmentation.draw`

    Returns
    -------
    image : ndarray of shape (H, W), float32
    labels : ndarray of shape (H, W), int32
    """
    size = image.shape[::-1]
    how = {"borderMode": cv2.BORDER_REFLECT_101}
    inverse = cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(
        image.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR | inverse, **how
    )
    # OpenCV warps no int32; float32 holds label values up to 2^24 exactly.
    warped_labels = cv2.warpAffine(
        labels.astype(np.float32), matrix, size, flags=cv2.INTER_NEAREST | inverse, **how
    )
    return warped, warped_labels.astype(np.int32)
