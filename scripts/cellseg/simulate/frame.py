"""One simulated frame: image and outlines."""

from dataclasses import dataclass

import cv2
import numpy as np

from cellseg.simulate import layout, optics, shapes, thickness
from cellseg.simulate.cell_types import CellType
from cellseg.simulate.sheet import Sheet, area, outline
from cellseg.simulate.variation import Departure

PADDING = 32  # pixels simulated around the frame, so that cells are cut by its border
SMALLEST = 40.0  # square pixels; smaller remains of a cell are not annotated
TOLERANCE = 0.2  # pixels; gives polygons of about as many points as LIVECell's


@dataclass(frozen=True)
class Frame:
    """A frame and its truth.

    Attributes
    ----------
    image : ndarray of shape (H, W), uint8
    outlines : unclosed polygons, ndarrays of shape (n, 2), float64, of (x, y) in pixels
    """

    image: np.ndarray
    outlines: list[np.ndarray]


def simulate_frame(
    kind: CellType,
    hours: float,
    height: int,
    width: int,
    random: np.random.Generator,
    departure: Departure | None = None,
) -> Frame:
    """Simulate one frame of a cell type.

    Parameters
    ----------
    kind : cell type
    hours : since seeding, 0 to about 96
    height, width : pixels
    random : source of all randomness
    departure : from :func:`cellseg.simulate.variation.draw`, whose cell type replaces `kind`; None
        for a frame of the table
    """
    departure = departure or Departure(kind)
    kind, scale = departure.kind, departure.magnification
    height, width, wanted = round(height / scale), round(width / scale), (height, width)
    size = (height + 2 * PADDING, width + 2 * PADDING)
    placement = layout.place(kind, hours, *size, random)
    spread, rounded = _sheets(kind, placement, size, random)
    object_ = np.zeros(size, np.float32)
    thickness.add_debris(object_, kind.debris * height * width / layout.FRAME_AREA, random)
    thickness.add_spread(object_, spread, placement.radii[~placement.rounded], kind, random)
    thickness.add_rounded(object_, rounded, placement.radii[placement.rounded], kind, random)
    focus = kind.blur * np.exp(random.normal(0, 0.05))
    inner = (slice(PADDING, -PADDING),) * 2
    signal = optics.phase_contrast(object_, focus)[inner]
    outlines = _outlines(spread, 1.2, size, random) + _outlines(rounded, 2.0, size, random)
    if wanted != signal.shape:
        factors = np.array(wanted[::-1]) / signal.shape[::-1]
        shrunk = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        signal = cv2.resize(signal, wanted[::-1], interpolation=shrunk)
        outlines = [polygon * factors for polygon in outlines]
        outlines = [polygon for polygon in outlines if area(polygon) >= SMALLEST]
    signal = departure.contrast * signal
    if departure.light is not None:
        signal = signal + optics.uneven_light(signal.shape, departure.light)
    if departure.streaks:
        signal = signal + departure.streaks * optics.streaks(signal.shape, random)
    return Frame(optics.camera(signal, random), outlines)


def _sheets(kind, placement, size, random) -> tuple[Sheet, Sheet]:
    """Spread cells, and the rounded ones that lie on top of them."""
    grid = np.indices(size, np.float32)
    # Bending space a little bends every straight process and wobbles every outline.
    for axis in (0, 1):
        grid[axis] += 2.5 * optics.smooth_noise(size, 14, random)
    ruffle = kind.ruffle * optics.smooth_noise(size, 2.5, random)
    spread = Sheet(size, grid, ruffle, kind.adhesion * kind.radius)
    rounded = Sheet(size, grid, 0.25 * ruffle, 1.0)
    for centre, radius, is_rounded in zip(
        placement.centres, placement.radii, placement.rounded, strict=True
    ):
        shape = shapes.draw(kind, radius, is_rounded, random)
        (rounded if is_rounded else spread).add(shape, centre)
    return spread, rounded


def _outlines(sheet, margin, size, random) -> list[np.ndarray]:
    polygons = []
    for index, cell in enumerate(sheet.cells):
        overlap = 0.3 + (random.random() < 0.15) * random.uniform(0.5, 2.5)
        visible = sheet.visible(index, margin, overlap)
        low = np.array([part.start for part in cell.window])
        skip = np.maximum(PADDING - low, 0)
        stop = np.array(size) - PADDING - low
        visible = visible[skip[0] : max(stop[0], 0), skip[1] : max(stop[1], 0)]
        if min(visible.shape) < 3:
            continue
        polygon = outline(visible, TOLERANCE)
        if polygon is not None and area(polygon) >= SMALLEST:
            polygons.append(polygon + (low + skip - PADDING)[::-1])
    return polygons
