"""Cells that grow together: which touch, which must not be parted, and clumps of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

BOUND = 0.05  # cells that share more of the smaller one stay together
GLARING = 0.25  # share of the borders that shine too much to be cut
LEAST_GLARE = 20.0  # grey values; a fainter border may be cut
LARGEST = 0.06  # share of the frame; larger clumps are parted

Outline = list[np.ndarray] | np.ndarray
"""Polygons, each of shape (n, 2), float64, of (x, y) in pixels; or a mask, (h, w) bool."""


@dataclass(frozen=True)
class Cell:
    """A cell of an image.

    Attributes
    ----------
    outline : in the coordinates of the image, or of a sprite's window
    mask : ndarray of shape (h, w), bool
    row, column : upper left corner of `mask`, pixels
    """

    outline: Outline
    mask: np.ndarray
    row: int
    column: int

    @property
    def place(self) -> tuple[slice, slice]:
        height, width = self.mask.shape
        return slice(self.row, self.row + height), slice(self.column, self.column + width)


@dataclass(frozen=True)
class Pairs:
    """Pairs of cell numbers, the smaller first, sorted: cells that touch, and those that stay so.

    Bound are cells that overlap much, and those whose border shines most: a cell cut from a round,
    bright one would take a crescent of that one's halo along.
    """

    touching: list[tuple[int, int]]
    overlapping: list[tuple[int, int]]
    bound: list[tuple[int, int]]


def neighbours(cells: Sequence[Cell], values: np.ndarray) -> Pairs:
    """Find the pairs of cells that touch, and those of them that should not be parted.

    Parameters
    ----------
    values : ndarray of shape (H, W), float32; deviations from the background's level
    """
    areas = [int(np.count_nonzero(cell.mask)) for cell in cells]
    owner = np.full(values.shape, -1, np.int32)
    overlapping, contrasts = set(), {}
    for number in np.argsort(areas, kind="stable")[::-1].tolist():
        cell = cells[number]
        under = np.bincount(owner[cell.place][cell.mask] + 1)[1:]
        for other in np.flatnonzero(under).tolist():
            pair = (min(number, other), max(number, other))
            contrasts[pair] = 0.0
            if under[other] > BOUND * min(areas[number], areas[other]):
                overlapping.add(pair)
        owner[cell.place][cell.mask] = number
    for number, cell in enumerate(cells):
        grown, rows, columns = _grown(cell, values.shape)
        owners, deviations = owner[rows, columns][grown], np.abs(values[rows, columns][grown])
        for other in np.unique(owners[(owners >= 0) & (owners != number)]).tolist():
            pair = (min(number, other), max(number, other))
            contrast = float(np.quantile(deviations[owners == other], 0.9))
            contrasts[pair] = max(contrasts.get(pair, 0.0), contrast)
    bound = set(overlapping)
    if contrasts:
        strong = max(float(np.quantile(list(contrasts.values()), 1 - GLARING)), LEAST_GLARE)
        bound |= {pair for pair, contrast in contrasts.items() if contrast > strong}
    return Pairs(sorted(contrasts), sorted(overlapping), sorted(bound))


def usable(cells: Sequence[Cell], shape: tuple[int, int], pairs: Pairs) -> list[int]:
    """Numbers of the cells that the frame does not cut, and that overlap none that it cuts.

    All cells, where there are none of these.
    """
    cut = {number for number, cell in enumerate(cells) if _is_cut(cell, shape)}
    cut.update(*(pair for pair in pairs.overlapping if not cut.isdisjoint(pair)))
    return [number for number in range(len(cells)) if number not in cut] or list(range(len(cells)))


def parted(
    cells: Sequence[Cell],
    chosen: Sequence[int],
    shape: tuple[int, int],
    pairs: Pairs,
    mean_cells: float,
    tear: bool,
    random: np.random.Generator,
) -> list[list[int]]:
    """Part cells of an image into clumps of neighbours.

    Bound cells stay together, touching ones may.

    Parameters
    ----------
    chosen : numbers of the cells to part, such as the :func:`usable` ones
    pairs : from :func:`neighbours`
    mean_cells : mean number of cells of a part of a larger clump
    tear : part small clumps too, and take what is left over; else only those larger than
        :data:`LARGEST`

    Returns
    -------
    list of lists of cell numbers, in random order
    """
    these = set(chosen)
    kept = pairs.bound if tear else _not_to_part(cells, shape, pairs)
    kept = [pair for pair in kept if these.issuperset(pair)]
    groups = [group for group in _groups(len(cells), kept) if these.issuperset(group)]
    group_of = {number: place for place, group in enumerate(groups) for number in group}
    next_to: list[list[int]] = [[] for _ in groups]
    for first, second in pairs.touching:
        if first in group_of and second in group_of:
            next_to[group_of[first]].append(group_of[second])
            next_to[group_of[second]].append(group_of[first])
    centres = np.array([np.mean([_centre(cells[n]) for n in group], axis=0) for group in groups])
    areas = [sum(np.count_nonzero(cells[n].mask) for n in group) for group in groups]
    free = np.ones(len(groups), bool)
    result, scraps = [], []
    for start in random.permutation(len(groups)).tolist():
        if not free[start]:
            continue
        wanted = mean_cells * random.uniform(0.5, 1.5)
        free[start] = False
        clump, area = list(groups[start]), areas[start]
        members, edge = {start}, set(next_to[start])
        while len(clump) < wanted and area < LARGEST * shape[0] * shape[1]:
            open_ = sorted(place for place in edge if free[place])
            if not open_:
                break
            # The nearest first, so that clumps are round as colonies are.
            far = np.square(centres[open_] - centres[start]).sum(1)
            following = open_[int(np.argmin(far))]
            free[following] = False
            members.add(following)
            clump += groups[following]
            area += areas[following]
            edge |= set(next_to[following])
        # What is left over between other parts looks like no clump that grew.
        is_scrap = not tear and len(clump) < wanted / 2 and not edge <= members
        (scraps if is_scrap else result).append(sorted(clump))
    return result or scraps


def _not_to_part(
    cells: Sequence[Cell], shape: tuple[int, int], pairs: Pairs
) -> list[tuple[int, int]]:
    """Bound pairs, and all pairs of clumps that are small enough."""
    kept = list(pairs.bound)
    areas = np.array([np.count_nonzero(cell.mask) for cell in cells])
    clump_of = np.empty(len(cells), int)
    clumps = _groups(len(cells), pairs.touching)
    for number, clump in enumerate(clumps):
        clump_of[clump] = number
    small = np.bincount(clump_of, areas) < LARGEST * shape[0] * shape[1]
    return kept + [pair for pair in pairs.touching if small[clump_of[pair[0]]]]


def _groups(count: int, bound: list[tuple[int, int]]) -> list[list[int]]:
    """Cells that are bound to each other, also by way of others; sorted."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = np.array(bound, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    n_groups, group = connected_components(graph, directed=False)
    return [np.flatnonzero(group == number).tolist() for number in range(n_groups)]


def _grown(cell: Cell, shape: tuple[int, int]) -> tuple[np.ndarray, slice, slice]:
    """A cell's mask wider by two pixels, within the frame."""
    grown = cv2.dilate(np.pad(cell.mask, 2).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    top, left = cell.row - 2, cell.column - 2
    rows = slice(max(top, 0), min(top + grown.shape[0], shape[0]))
    columns = slice(max(left, 0), min(left + grown.shape[1], shape[1]))
    grown = grown[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return grown, rows, columns


def _is_cut(cell: Cell, shape: tuple[int, int]) -> bool:
    rows, columns = cell.place
    return (
        min(rows.start, columns.start) <= 1
        or rows.stop >= shape[0] - 1
        or columns.stop >= shape[1] - 1
    )


def _centre(cell: Cell) -> tuple[float, float]:
    rows, columns = cell.place
    return (rows.start + rows.stop) / 2, (columns.start + columns.stop) / 2
