"""Where cells sit in a frame, and which of them are rounded."""

from dataclasses import dataclass

import numpy as np

from cellseg.simulate.cell_types import CellType

FRAME_AREA = 520 * 704  # pixels; the counts in the table of cell types refer to it
LAST_HOUR = 96.0
CANDIDATES = 12  # places tried for a cell before the frame counts as full


@dataclass(frozen=True)
class Placement:
    """Centres (row, column) and radii in pixels, and which cells are rounded."""

    centres: np.ndarray  # (n, 2), float64
    radii: np.ndarray  # (n,), float64
    rounded: np.ndarray  # (n,), bool


def between(ends: tuple[float, float], hours: float) -> float:
    """Geometric interpolation between the values at the start and after four days."""
    start, end = ends
    return start * (end / start) ** (hours / LAST_HOUR)


def place(
    kind: CellType, hours: float, height: int, width: int, random: np.random.Generator
) -> Placement:
    """Scatter cells so that clumps grow: each cell sits next to an earlier one or on its own.

    Parameters
    ----------
    kind : cell type
    hours : since seeding; cells divide, so that there are more the later it is
    height, width : of the area to fill, pixels
    random : source of all randomness

    Returns
    -------
    Placement
        Fewer cells than wanted where the frame is full.
    """
    wanted = between(kind.cells, hours) * height * width / FRAME_AREA
    count = max(1, round(wanted * np.exp(random.normal(0, 0.2))))
    rounded = random.random(count) < between(kind.rounded, hours)
    radii = kind.radius * np.exp(random.normal(0, kind.radius_spread, count))
    # A rounded cell has drawn itself in: smaller than the spread one, and more regular.
    radii[rounded] = 0.72 * kind.radius * np.exp(random.normal(0, 0.12, rounded.sum()))
    radii = np.minimum(radii, kind.radius * 2.2)
    clumping = between(kind.clumping, hours)
    centres = np.empty((count, 2))
    kept = np.zeros(count, bool)
    for cell in range(count):
        options = random.uniform(0, (height, width), (CANDIDATES, 2))
        score = random.random(CANDIDATES)
        neighbours = np.flatnonzero(kept)
        suits = np.ones(CANDIDATES, bool)
        if neighbours.size:
            places, sizes = centres[neighbours], radii[cell] + radii[neighbours]
            joins = random.random() < clumping
            if joins:
                hosts = random.integers(neighbours.size, size=CANDIDATES)
                angles = random.uniform(0, 2 * np.pi, CANDIDATES)
                reach = kind.spacing * sizes[hosts] * random.uniform(0.95, 1.15)
                steps = np.stack([np.sin(angles), np.cos(angles)], 1)
                options = places[hosts] + reach[:, None] * steps
            rows = options[:, :1] - places[:, 0]
            columns = options[:, 1:] - places[:, 1]
            crowding = (rows * rows + columns * columns) / (kind.spacing * sizes) ** 2
            # Rounded cells also lie on top of spread ones.
            limit = np.where(rounded[cell] ^ rounded[neighbours], 0.5, 0.85)
            suits &= (crowding > limit).all(1)
            if joins:
                # Cells that stick together fill the places with the most neighbours first.
                score += kind.compactness * (crowding < 1.6).sum(1)
        suits &= ((options >= 0) & (options < (height, width))).all(1)
        if suits.any():
            centres[cell] = options[np.where(suits, score, -1).argmax()]
            kept[cell] = True
    return Placement(centres[kept], radii[kept], rounded[kept])
