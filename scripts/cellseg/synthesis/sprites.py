"""Clumps of cells cut from an image, with the halo around them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cellseg.synthesis.background import REACH, Background, distance_to
from cellseg.synthesis.clumps import Cell
from cellseg.synthesis.orientation import turned, turned_points

FULL = 3.0  # pixels around cells that are pasted as they are; the rest of the halo fades out
RIM = 4  # pixels next to a cell in which it meets another
EDGE = 3  # pixels within a cell that its border makes bright
MARGIN = REACH + 2  # pixels of a sprite's window around its cells


@dataclass(frozen=True)
class Sprite:
    """Cells in a window, ready to be pasted.

    Attributes
    ----------
    cells : list of Cell, in the window's coordinates
    mask : ndarray of shape (h, w), bool; all cells
    values : ndarray of shape (h, w), float32; deviation from the background's level, grey values
    weight : ndarray of shape (h, w), float32; share of `values`: 1 in cells, 0 far from them and
        where another cell was
    halo : ndarray of shape (h, w), float32
        Grey values to add where another cell hid this one's halo: as bright as on its free sides
    torn : ndarray of shape (h, w), bool; pixels next to its cells that were another cell's
    torn_share : of the rim, 0 for a whole clump
    """

    cells: list[Cell]
    mask: np.ndarray
    values: np.ndarray
    weight: np.ndarray
    halo: np.ndarray
    torn: np.ndarray
    torn_share: float

    @property
    def area(self) -> int:
        """Pixels of its cells."""
        return int(np.count_nonzero(self.mask))

    def turned(self, orientation: int) -> "Sprite":
        """The same in another of the eight orientations."""
        arrays = {
            name: np.ascontiguousarray(turned(getattr(self, name), orientation))
            for name in ("mask", "values", "weight", "halo", "torn")
        }
        return Sprite(
            cells=[_turned_cell(cell, self.mask.shape, orientation) for cell in self.cells],
            torn_share=self.torn_share,
            **arrays,
        )


def cut(
    numbers: Sequence[int],
    cells: Sequence[Cell],
    covered: np.ndarray,
    background: Background,
    profiles: tuple[np.ndarray, np.ndarray],
) -> Sprite:
    """Cut a clump out of its image.

    Parameters
    ----------
    numbers : of the clump's cells
    covered : ndarray of shape (H, W), int32
        How many cells cover each pixel of the image, also those without an outline
    profiles : from :func:`rim_profiles`, for want of free sides of the clump's own
    """
    chosen = [cells[number] for number in numbers]
    top, left = (min(getattr(c, name) for c in chosen) - MARGIN for name in ("row", "column"))
    bottom = max(c.place[0].stop for c in chosen) + MARGIN
    right = max(c.place[1].stop for c in chosen) + MARGIN
    shifted = [_moved(cell, -top, -left) for cell in chosen]
    own = np.zeros((bottom - top, right - left), np.int32)
    for cell in shifted:
        own[cell.place] += cell.mask
    values, inside = _window(background.residual, top, left, own.shape)
    others = _window(covered, top, left, own.shape)[0] > own
    mask = own > 0
    away, to_others = distance_to(mask), distance_to(others & ~mask)
    fades = _smooth_step((REACH - away) / (REACH - FULL))
    unshared = np.clip((to_others - away) / 2, 0, 1) * inside
    weight = np.where(mask, 1, fades * unshared).astype(np.float32)
    outside, edge = profiles
    means = _means_by_distance(values, away, (unshared == 1) & ~mask, outside)
    halo = np.interp(away, np.arange(len(means)) + 0.5, means) * fades * (1 - unshared)
    halo = np.where(mask, 0, halo).astype(np.float32)
    values += _mended_edge(values, mask, to_others, edge)
    rim = (away > 0) & (away <= RIM)
    torn = rim & ((to_others <= RIM) | ~inside)
    share = float(np.count_nonzero(torn) / np.count_nonzero(rim))
    return Sprite(shifted, mask, values, weight, halo, torn, share)


def _mended_edge(
    values: np.ndarray, mask: np.ndarray, to_others: np.ndarray, edge: np.ndarray
) -> np.ndarray:
    """What makes torn edges as bright as free ones: added to the outermost pixels of cells."""
    depth = distance_to(~mask)
    torn = mask & (depth <= EDGE) & (to_others <= EDGE)
    free = _means_by_distance(values, depth, mask & (to_others > REACH), edge)
    now = _means_by_distance(values, depth, torn, free)
    return np.where(torn, (free - now)[depth.astype(int).clip(0, REACH)], 0)


def rim_profiles(covered: np.ndarray, background: Background) -> tuple[np.ndarray, np.ndarray]:
    """Mean deviation from the background around cells and at their free edges.

    Returns
    -------
    outside, inside : ndarrays of shape (REACH + 1,), float64
        By whole pixels of distance from the nearest cell, and from the background
    """
    unknown = np.zeros(REACH + 1)
    cells, strange = (covered > 0) & ~background.strange, background.strange
    return tuple(
        _means_by_distance(background.residual, distance_to(mask), ~mask & ~strange, unknown)
        for mask in (cells, ~cells)
    )


def _means_by_distance(
    values: np.ndarray, away: np.ndarray, where: np.ndarray, otherwise: np.ndarray
) -> np.ndarray:
    near = where & (away <= REACH)
    places = away[near].astype(int)
    counts = np.bincount(places, minlength=REACH + 1)
    sums = np.bincount(places, values[near], minlength=REACH + 1)
    return np.where(counts >= 8, sums / np.maximum(counts, 1), otherwise)


def _window(
    array: np.ndarray, top: int, left: int, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """A window of an image, zero beyond its frame, and what of the window lies within."""
    window, inside = np.zeros(shape, array.dtype), np.zeros(shape, bool)
    rows, columns = (
        slice(max(begin, 0), min(begin + length, size))
        for begin, length, size in zip((top, left), shape, array.shape, strict=True)
    )
    here = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    window[here], inside[here] = array[rows, columns], True
    return window, inside


def _smooth_step(values: np.ndarray) -> np.ndarray:
    values = np.clip(values, 0, 1)
    return values * values * (3 - 2 * values)


def _moved(cell: Cell, down: int, right: int) -> Cell:
    outline = cell.outline
    if isinstance(outline, list):
        outline = [part + (right, down) for part in outline]
    return replace(cell, outline=outline, row=cell.row + down, column=cell.column + right)


def _turned_cell(cell: Cell, window: tuple[int, int], orientation: int) -> Cell:
    rows, columns = cell.place
    corners = np.array([(columns.start, rows.start), (columns.stop, rows.stop)], np.float64)
    column, row = turned_points(corners, window, orientation).min(0).astype(int).tolist()
    mask = turned(cell.mask, orientation)
    if isinstance(cell.outline, list):
        outline = [turned_points(part, window, orientation) for part in cell.outline]
    else:
        outline = mask
    return Cell(outline, mask, row, column)
