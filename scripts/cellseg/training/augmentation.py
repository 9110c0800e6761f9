"""Random rotation, zoom and flips, drawn once for an image and its labels, and grey values."""

from dataclasses import dataclass, field

import numpy as np

from cellseg.training.intensity import Intensity


@dataclass(frozen=True)
class Augmentation:
    """How far tiles are turned, scaled and mirrored (the report: rotation, zoom, flips).

    Attributes
    ----------
    rotation : largest angle, degrees, either way
    zoom : largest magnification; the smallest is its inverse. 1 means none
    flips : mirror each axis with probability one half
    intensity : changes of the grey values, after the warp
    """

    rotation: float = 180.0
    zoom: float = 1.4
    flips: bool = True
    intensity: Intensity = field(default_factory=Intensity)

    def draw(self, random: np.random.Generator, size: int) -> np.ndarray:
        """Affine matrix of shape (2, 3) from tile to source pixels, about the tile's centre."""
        angle = np.deg2rad(random.uniform(-self.rotation, self.rotation))
        scale = np.exp(random.uniform(-1, 1) * np.log(self.zoom))
        mirror = 2.0 * random.integers(2, size=2) - 1 if self.flips else np.ones(2)
        cosine, sine = np.cos(angle), np.sin(angle)
        linear = np.array([[cosine, -sine], [sine, cosine]]) * mirror / scale
        matrix, centre = np.empty((2, 3)), np.full(2, (size - 1) / 2)
        matrix[:, :2], matrix[:, 2] = linear, centre - linear @ centre
        return matrix
