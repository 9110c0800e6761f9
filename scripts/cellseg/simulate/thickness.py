"""Optical thickness of cells and debris, in grey values before the microscope."""

import numpy as np

from cellseg.simulate import shapes
from cellseg.simulate.cell_types import CellType
from cellseg.simulate.optics import smooth_noise
from cellseg.simulate.sheet import Sheet

Window = tuple[slice, slice]

PATCH = 5.0
"""Correlation length of what is hidden of borders and rims, pixels."""
SEAM = 8.0
"""Depth inside a cell, pixels, that a hidden seam looks like."""


def add_spread(
    thickness: np.ndarray,
    sheet: Sheet,
    radii: np.ndarray,
    kind: CellType,
    random: np.random.Generator,
) -> None:
    """Add flat cells: a rim, a dome, a nucleus, and granules that gather around it.

    Parameters
    ----------
    thickness : ndarray of shape (H, W), float32, changed in place
    sheet : the cells
    radii : ndarray of shape (n,), pixels
    kind : cell type
    random : source of all randomness
    """
    if not sheet.cells:
        return
    radius_at = radii[sheet.owner].astype(np.float32)
    depth = sheet.depth
    middle = np.clip(depth / radius_at, 0, 1)
    vigour = _vigour(len(radii), kind.vigour, random)[sheet.owner]
    if kind.seams:
        # Where a seam is hidden, thickness goes on from cell to cell.
        hidden = _patches(thickness.shape, kind.seams, random)
        depth = np.minimum(sheet.free_depth, sheet.contact_depth + SEAM * hidden)
    inside = depth > 0
    relative = np.clip(depth / radius_at, 0, 1)
    faint = _patches(thickness.shape, kind.faint_rims, random) if kind.faint_rims else 0
    rim = 1 - np.exp(-np.maximum(depth, 0) / (kind.edge * (1 + 5 * faint)))
    within, least = relative, 0.25
    if kind.veil:
        width = (kind.veil * random.random(len(radii))).astype(np.float32)[sheet.owner]
        within, least = np.maximum(relative - width, 0) / (1 - width), 0.05
        middle = np.maximum(middle - width, 0) / (1 - width)
    height = kind.height * rim + kind.dome * (1 - (1 - within) ** 2)

    patches = 1 + 0.45 * smooth_noise(thickness.shape, 3.5, random)
    patches = np.clip(patches, 0.1, 2.5)
    around = np.clip((middle - kind.lamella) / 0.3, least, 1) * patches
    centres = [_centre(cell.depth, random, radius) for cell, radius in zip(
        sheet.cells, radii, strict=True
    )]  # fmt: skip
    for cell, radius, centre in zip(sheet.cells, radii, centres, strict=True):
        reach = kind.nucleus_radius * radius * random.uniform(0.9, 1.1)
        softness = 1 + 0.08 * radius
        window, nucleus = _ellipse(cell.window, centre, reach, (1, 1.4), softness, random)
        around[window] *= 1 - (0.55 + 0.4 * kind.nuclei) * nucleus
        height[window] += kind.nucleus * nucleus
        for _ in range(random.poisson(kind.nucleoli * (1 + kind.nuclei))):
            place = centre + random.normal(0, 0.35 * reach, 2)
            size = random.uniform(0.7, 1.3)
            window, nucleolus = _ellipse(cell.window, place, size, (1, 1.3), 1.0, random)
            strength = (1 + kind.nuclei) * random.uniform(0.5, 1.2)
            height[window] += strength * kind.granule_height * nucleolus

    texture = kind.texture * smooth_noise(thickness.shape, 0.6, random)
    granular = texture + kind.granule_height * _specks(thickness.shape, kind.granules, random)
    granular -= kind.granule_height * _specks(thickness.shape, kind.droplets, random)
    granular *= around
    if kind.grain:
        granular += kind.grain * texture * np.maximum(patches - around, 0)
    height += _vigour(len(radii), kind.vigour, random)[sheet.owner] * granular
    # The membrane bends light out of the cell: a bright line just outside the rim, here and there
    # stronger than elsewhere.
    line = np.exp(-(((depth + 0.5) / 0.65) ** 2)) * np.clip(patches, 0.5, 1.6)
    line *= 1 - faint
    thickness += vigour * (np.where(inside, height, 0) - kind.membrane * line)


def add_rounded(
    thickness: np.ndarray,
    sheet: Sheet,
    radii: np.ndarray,
    kind: CellType,
    random: np.random.Generator,
) -> None:
    """Put rounded cells on top: steep, thick, and bright again in the middle like a lens.

    Parameters as in :func:`add_spread`.
    """
    if not sheet.cells:
        return
    depth = sheet.depth
    relative = np.clip(depth / radii[sheet.owner].astype(np.float32), 0, 1)
    vigour = _vigour(len(radii), kind.vigour, random)[sheet.owner]
    height = np.sqrt(1 - (1 - np.minimum(3 * relative, 1)) ** 2)
    height -= 0.30 * np.clip((relative - 0.35) / 0.4, 0, 1)
    mottle = smooth_noise(thickness.shape, 0.8, random)
    height += 0.30 * mottle * np.clip((relative - 0.1) / 0.3, 0, 1)
    line = np.exp(-(((depth + 0.8) / 0.9) ** 2))
    own = kind.rounded_height * vigour * (height - 0.25 * line)
    thickness[:] = np.where(depth > 0, own, thickness - kind.rounded_height * vigour * 0.25 * line)


def add_debris(thickness: np.ndarray, number: float, random: np.random.Generator) -> None:
    """Scatter about `number` small bodies: dots, rods, and now and then one out of focus."""
    height, width = thickness.shape
    whole = (slice(0, height), slice(0, width))
    for _ in range(random.poisson(number)):
        centre = random.uniform(0, (height, width))
        radius = 0.6 + random.gamma(1.5, 0.45)
        stretch = (1, 1.3) if random.random() < 0.85 else (2, 6)
        window, body = _ellipse(whole, centre, radius, stretch, 1.0, random)
        thickness[window] += random.uniform(40, 160) * body
    for _ in range(random.poisson(number / 80)):
        centre = random.uniform(0, (height, width))
        window, blur = _ellipse(whole, centre, random.uniform(5, 12), (1, 1.6), 6.0, random)
        # Out of focus: faint rings instead of an edge.
        thickness[window] += random.uniform(8, 25) * np.sin(blur * random.uniform(4, 9))


def _vigour(count: int, spread: float, random: np.random.Generator) -> np.ndarray:
    """Contrast of each cell about one."""
    return np.exp(random.normal(0, spread, count)).astype(np.float32)


def _patches(size: tuple[int, int], share: float, random: np.random.Generator) -> np.ndarray:
    """Smooth patches on a share of all pixels: 1 in their middle, 0 outside."""
    field = smooth_noise(size, PATCH, random)
    return np.clip(2 * (field - np.quantile(field[::4, ::4], 1 - share)), 0, 1)


def _specks(size: tuple[int, int], density: float, random: np.random.Generator) -> np.ndarray:
    """Single pixels of random strength, `density` of them a pixel."""
    strength = random.random(size, np.float32)
    return np.where(strength < density, 0.3 + 1.4 * strength / density, 0)


def _centre(depth: np.ndarray, random: np.random.Generator, radius: float) -> np.ndarray:
    """Place of the nucleus in a cell's window: near the deepest point."""
    peak = np.unravel_index(depth.argmax(), depth.shape)
    return np.add(peak, random.normal(0, 0.08 * radius, 2))


def _ellipse(
    window: Window,
    centre: np.ndarray,
    radius: float,
    elongations: tuple[float, float],
    softness: float,
    random: np.random.Generator,
) -> tuple[Window, np.ndarray]:
    """Part of `window` around `centre` (relative to its corner), and a soft ellipse there, 0..1."""
    elongation = random.uniform(*elongations)
    angle = random.uniform(0, np.pi)
    start = np.array([part.start for part in window])
    stop = np.array([part.stop for part in window])
    reach = radius * np.sqrt(elongation) + softness
    low = np.clip(np.floor(start + centre - reach), start, stop).astype(int)
    high = np.clip(np.ceil(start + centre + reach) + 1, low, stop).astype(int)
    rows = np.arange(low[0], high[0])[:, None] - start[0] - centre[0]
    columns = np.arange(low[1], high[1])[None] - start[1] - centre[1]
    shape = shapes.Shape(radius, elongation, angle, np.empty((0, 4)), 1.0)
    soft = np.clip(shapes.depth(shape, rows, columns) / softness + 0.5, 0, 1)
    return (slice(low[0], high[0]), slice(low[1], high[1])), soft
