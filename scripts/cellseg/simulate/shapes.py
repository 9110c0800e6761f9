"""The outline of one cell, as a map of depth: pixels inside the outline, negative outside."""

from dataclasses import dataclass

import numpy as np

from cellseg.simulate.cell_types import CellType


@dataclass(frozen=True)
class Shape:
    """An ellipse with tapering processes.

    Attributes
    ----------
    radius : of the disc of the same area as the ellipse, pixels
    elongation : ratio of the axes
    angle : of the long axis, radians
    arms : ndarray of shape (n, 4): angle (radians), length, half width at root and tip (pixels)
    fillet : pixels over which body and processes blend
    """

    radius: float
    elongation: float
    angle: float
    arms: np.ndarray
    fillet: float

    @property
    def reach(self) -> float:
        """Distance from the centre beyond which there is nothing, pixels."""
        longest = (self.arms[:, 1] + self.arms[:, 3]).max(initial=0)
        return max(self.radius * np.sqrt(self.elongation), longest) + 2 * self.fillet + 2


def draw(kind: CellType, radius: float, rounded: bool, random: np.random.Generator) -> Shape:
    """Draw the shape of one cell of the given radius (pixels)."""
    angle = random.uniform(0, 2 * np.pi)
    if rounded:
        return Shape(radius, 1 + abs(random.normal(0, 0.1)), angle, np.empty((0, 4)), 1.0)
    if kind.spindles and random.random() < kind.spindles:
        return _spindle(kind, radius, angle, random)
    elongation = 1 + (kind.elongation - 1) * random.gamma(3, 1 / 3)
    count = random.poisson(kind.arms)
    # Processes keep apart from each other, and prefer the long axis.
    angles = angle + 2 * np.pi * (np.arange(count) + random.uniform(-0.3, 0.3, count)) / max(
        count, 1
    )
    lengths = radius * (1 + (kind.arm_length - 1) * random.gamma(1.8, 1 / 1.8, count))
    roots = radius * kind.arm_width * np.exp(random.normal(0, 0.35, count))
    tips = np.minimum(roots, random.uniform(0.3, 1.2, count))
    arms = np.stack([angles, lengths, roots, tips], 1)
    # What processes add to the area the body gives up.
    added = ((roots + tips) * np.maximum(lengths - radius, 0)).sum()
    body = radius / np.sqrt(1 + added / (np.pi * radius**2))
    return Shape(body, elongation, angle, arms, max(1.0, kind.fillet * radius))


def _spindle(kind: CellType, radius: float, angle: float, random: np.random.Generator) -> Shape:
    """A cell drawn out to both sides, with a body that tapers into a process at either end."""
    elongation = random.uniform(2.5, 7)
    body = 0.85 * radius
    long, short = body * np.sqrt(elongation), body / np.sqrt(elongation)
    angles = angle + np.array([0, np.pi]) + random.normal(0, 0.12, 2)
    lengths = long * random.uniform(1.1, 1.9, 2)
    roots = short * random.uniform(0.5, 0.8, 2)
    tips = np.minimum(roots, random.uniform(0.3, 1.0, 2))
    arms = np.stack([angles, lengths, roots, tips], 1)
    return Shape(body, elongation, angle, arms, max(1.0, kind.fillet * short))


def depth(shape: Shape, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Depth map of a shape about the origin.

    Parameters
    ----------
    shape : the cell
    rows, columns : ndarrays of shape (H, W), float32
        Coordinates relative to the cell's centre, pixels.

    Returns
    -------
    ndarray of shape (H, W), float32
        Roughly the distance to the outline, pixels; positive inside.
    """
    cosine, sine = np.cos(shape.angle), np.sin(shape.angle)
    along = (columns * cosine + rows * sine) / np.sqrt(shape.elongation)
    across = (rows * cosine - columns * sine) * np.sqrt(shape.elongation)
    result = shape.radius - np.hypot(along, across)
    for angle, length, root, tip in shape.arms:
        cosine, sine = np.cos(angle), np.sin(angle)
        along = np.clip(columns * cosine + rows * sine, 0, length)
        gap = np.hypot(columns - along * cosine, rows - along * sine)
        arm = root + (tip - root) * along / length - gap
        result = blend(result, arm, shape.fillet)
    return result.astype(np.float32)


def blend(first: np.ndarray, second: np.ndarray, width: float) -> np.ndarray:
    """Maximum of two depths, with a concave fillet of `width` pixels where they are equal."""
    overlap = np.maximum(width - np.abs(first - second), 0) / width
    return np.maximum(first, second) + overlap**2 * (width / 4)
