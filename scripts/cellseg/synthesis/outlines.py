"""Outlines of pasted cells, as far as they lie within the frame."""

import numpy as np

from cellseg.synthesis.clumps import Outline
from cellseg.synthesis.layout import SMALLEST, Placed, overlap_of


def seen(placed: Placed, shape: tuple[int, int]) -> list[Outline]:
    """Outlines of a sprite's cells within a frame of `shape`; of hardly a pixel, none.

    Large ones come first: drawn in this order, one sprite after the other, they show what the
    picture shows.
    """
    found: list[Outline] = []
    for cell in sorted(placed.sprite.cells, key=lambda cell: -np.count_nonzero(cell.mask)):
        row, column = placed.row + cell.row, placed.column + cell.column
        here, there = overlap_of(cell.mask.shape, row, column, shape)
        if here is None or np.count_nonzero(cell.mask[here]) < SMALLEST:
            continue
        parts = cell.outline if isinstance(cell.outline, list) else []
        clipped = [clip(part + (placed.column, placed.row), shape) for part in parts]
        polygons = [part for part in clipped if len(part) >= 3]
        whole = np.zeros(shape, bool)
        whole[there] = cell.mask[here]
        found.append(polygons or whole)
    return found


def clip(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The part of a polygon within the frame (Sutherland and Hodgman, 1974).

    Parts that the frame separates stay joined along it, by edges without area.

    Parameters
    ----------
    polygon : ndarray of shape (n, 2), float64, unclosed, of (x, y) in pixels
    shape : height and width of the frame, pixels
    """
    for axis, bound, sign in ((0, 0, 1), (0, shape[1], -1), (1, 0, 1), (1, shape[0], -1)):
        if len(polygon) == 0:
            break
        within = sign * (polygon[:, axis] - bound) >= 0
        if within.all():
            continue
        kept = []
        for number, point in enumerate(polygon):
            before = polygon[number - 1]
            if within[number] != within[number - 1]:
                share = (bound - before[axis]) / (point[axis] - before[axis])
                kept.append(before + share * (point - before))
            if within[number]:
                kept.append(point)
        polygon = np.array(kept).reshape(-1, 2)
    return polygon
