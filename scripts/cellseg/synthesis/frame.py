"""One synthetic image: background, cells at new places, and their outlines."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from cellseg.data import true_cells
from cellseg.synthesis import clumps, outlines, sprites
from cellseg.synthesis.background import Background, distance_to, estimate
from cellseg.synthesis.clumps import Cell, Outline
from cellseg.synthesis.layout import Layout, Placed, overlap_of
from cellseg.synthesis.levels import levels
from cellseg.synthesis.orientation import COUNT, turned
from cellseg.synthesis.sprites import Sprite

SKIRT = 2.5  # pixels over which a cell's edge blends into a cell next to it
MOST_COPIES = 2  # of a cell, by the mean number of copies of all
FAILURES = 60  # clumps in a row without a place, after which the frame counts as full
SAME_SHAPE = (0, 1, 4, 5)  # orientations that keep height and width


@dataclass(frozen=True)
class Frame:
    """A synthetic image and its truth.

    Attributes
    ----------
    image : ndarray of shape (H, W), uint8
    outlines : a list of polygons, or a mask of shape (H, W), a cell
    confluence : share of the image that cells cover
    asked : the share that was asked for
    """

    image: np.ndarray
    outlines: list[Outline]
    confluence: float
    asked: float


@dataclass(frozen=True)
class _Source:
    """What the synthetic images of one real image have in common.

    ``covered`` counts the cells at each pixel, one without an outline for one.
    """

    cells: list[Cell]
    covered: np.ndarray
    background: Background
    profiles: tuple[np.ndarray, np.ndarray]
    pairs: clumps.Pairs
    usable: list[int]
    clumps_per_cell: float


def extend(
    key: str,
    image: np.ndarray,
    segmentations: Sequence[Any],
    count: int,
    doublings: float,
    confluence: tuple[float, float],
    seed: int,
) -> Iterator[Frame]:
    """Make synthetic images of one real image.

    Parameters
    ----------
    key : the image's name; with `seed` it decides all that is drawn
    image : ndarray of shape (H, W), uint8
    segmentations : its cells, as in :func:`cellseg.data.rasterize.rasterize`
    count : of synthetic images; the first ones are the same however many are asked for
    doublings, confluence : see :func:`cellseg.synthesis.levels.levels`
    seed : of all randomness
    """
    cells = drawn_cells(segmentations, image.shape)
    covered = np.zeros(image.shape, np.int32)
    for cell in cells:
        covered[cell.place] += cell.mask
    areas = [np.count_nonzero(cell.mask) for cell in cells]
    background = estimate(image, covered > 0, float(np.median(areas)) if cells else np.inf)
    clumps_per_cell = _clumps_per_cell(covered, len(cells))
    covered += background.strange
    pairs = clumps.neighbours(cells, background.residual)
    source = _Source(
        cells=cells,
        covered=covered,
        background=background,
        profiles=sprites.rim_profiles(covered, background),
        pairs=pairs,
        usable=clumps.usable(cells, image.shape, pairs),
        clumps_per_cell=clumps_per_cell,
    )
    start = [seed, zlib.crc32(key.encode())]
    asked = levels(
        np.count_nonzero(covered) / covered.size,
        count,
        doublings,
        confluence,
        np.random.default_rng(start),
    )
    for number, level in enumerate(asked, start=1):
        random = np.random.default_rng([*start, number])
        layout = _layout(source, level, confluence[1], random)
        yield _paint(layout, background, level, random)


def _layout(source: _Source, level: float, most: float, random: np.random.Generator) -> Layout:
    """Put clumps down until they cover `level` of the frame, and never more than `most`.

    No clump comes a second time before every other one has had its turn, and none more than
    :data:`MOST_COPIES` times as often as all would on average: rather than with few cells over and
    over, the frame ends less dense.
    """
    shape = source.covered.shape
    layout = Layout(shape)
    wanted, limit = level * source.covered.size, most * source.covered.size
    failures, mean_cells, tear = 0, 1 / max(source.clumps_per_cell, 1e-6), False
    area = sum(np.count_nonzero(source.cells[number].mask) for number in source.usable)
    most_copies = MOST_COPIES * max(wanted / max(area, 1), 1)
    copies, turns = np.zeros((2, len(source.cells)), int)  # put down, and tried, of each cell
    while source.cells and layout.covered < wanted and failures < FAILURES:
        deck: list[tuple[list[int], Sprite]] = []
        missing = wanted - layout.covered
        chosen = [number for number in source.usable if copies[number] < most_copies]
        if not chosen:
            break
        parts = clumps.parted(source.cells, chosen, shape, source.pairs, mean_cells, tear, random)
        parts.sort(key=lambda part: turns[part].mean())
        for part in parts:
            sprite = sprites.cut(
                part, source.cells, source.covered, source.background, source.profiles
            )
            deck.append((part, sprite))
            missing -= sprite.area
            if missing < 0:
                break
        # First, apart from each other, as many as the source has clumps, the least torn ones; then
        # those that grow next to them. Large ones before small ones.
        deck.sort(key=lambda dealt: dealt[1].torn_share)
        n_founders = round(source.clumps_per_cell * sum(len(part) for part, _ in deck))
        dealt = [(number >= n_founders, *dealt) for number, dealt in enumerate(deck)]
        for touching, part, sprite in sorted(dealt, key=lambda turn: (turn[0], -turn[2].area)):
            if layout.covered >= wanted:
                break
            fits = layout.covered + sprite.area / 2 <= wanted
            # Where not even one cell fits, one is better than none.
            fits |= not layout.placed and failures > FAILURES // 2
            done = fits and layout.put(
                sprite.turned(int(random.integers(COUNT))),
                touching=touching,
                crowded=failures > 0,
                room=int(limit - layout.covered),
                random=random,
            )
            failures = 0 if done else failures + 1
            turns[part] += 1
            copies[part] += done
        if failures:  # smaller ones still find room
            if mean_cells > 1:
                turns = copies.copy()  # in smaller parts, what found no place may find one
            mean_cells, tear = max(mean_cells / 2, 1), True
    return layout


def _paint(
    layout: Layout, background: Background, level: float, random: np.random.Generator
) -> Frame:
    orientation = SAME_SHAPE[random.integers(len(SAME_SHAPE))]
    brightness = turned(background.level, orientation)
    deviations = np.array(turned(background.erased(random), orientation), np.float32)
    occupied = np.zeros(deviations.shape, bool)
    found: list[Outline] = []
    # Small ones on top, as round cells lie on spread ones.
    for placed in sorted(layout.placed, key=lambda placed: -placed.sprite.area):
        paste(deviations, occupied, placed)
        found += outlines.seen(placed, deviations.shape)
    image = np.clip(np.rint(brightness + deviations), 0, 255).astype(np.uint8)
    return Frame(image, found, layout.confluence, level)


def paste(deviations: np.ndarray, occupied: np.ndarray, placed: Placed) -> None:
    """Paste a sprite into deviations from the background's level, and mark its cells.

    Cells are put down as they are. Around them the weights of halo and background add up to one
    when squared, so that the noise of both together is as strong as that of either; a halo lies
    next to existing cells, not on them, but for a narrow skirt where cells touch.

    Parameters
    ----------
    deviations : ndarray of shape (H, W), float32; changed
    occupied : ndarray of shape (H, W), bool; changed
    """
    sprite = placed.sprite
    here, there = overlap_of(sprite.mask.shape, placed.row, placed.column, deviations.shape)
    mask, below, taken = sprite.mask[here], deviations[there], occupied[there]
    skirt = np.clip(1 - distance_to(sprite.mask) / SKIRT, 0, 1)[here]
    weight = np.where(taken & ~mask, np.minimum(sprite.weight[here], skirt), sprite.weight[here])
    rest = np.where(taken, 1 - weight, np.sqrt(1 - weight**2))
    halo = np.where(taken, 0, sprite.halo[here])
    below[:] = weight * sprite.values[here] + halo + rest * below
    taken |= mask


def drawn_cells(segmentations: Sequence[Any], shape: tuple[int, int]) -> list[Cell]:
    """Cells of an image of `shape`, as pycocotools draws them, without those of no pixel."""
    drawn = true_cells.draw(segmentations, *shape)
    cells = []
    for number, segmentation in enumerate(segmentations):
        runs = slice(*drawn.first_run[number : number + 2])
        start, length = drawn.start[runs], drawn.length[runs]
        if drawn.pixels[number] == 0:
            continue
        steps = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        columns, rows = np.divmod(np.repeat(start, length) + steps, shape[0])
        top, left = int(rows.min()), int(columns.min())
        mask = np.zeros((rows.max() - top + 1, columns.max() - left + 1), bool)
        mask[rows - top, columns - left] = True
        cells.append(Cell(_outline(segmentation, mask), mask, top, left))
    return cells


def _outline(segmentation: Any, mask: np.ndarray) -> Outline:
    """Polygons as arrays; where there are none, the mask."""
    if isinstance(segmentation, Mapping):
        return mask
    parts = [part for part in segmentation if len(part) >= 6 and len(part) % 2 == 0]
    return [np.array(part, np.float64).reshape(-1, 2) for part in parts]


def _clumps_per_cell(covered: np.ndarray, n_cells: int) -> float:
    """Number of clumps, cells within two pixels of each other, by the number of cells."""
    grown = cv2.dilate((covered > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    return (cv2.connectedComponents(grown)[0] - 1) / max(n_cells, 1)
