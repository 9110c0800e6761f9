"""Where cells go: at random, next to others as often as in the source, with little overlap."""

from dataclasses import dataclass

import cv2
import numpy as np

from cellseg.synthesis.clumps import Cell
from cellseg.synthesis.sprites import Sprite

GRID = 4  # pixels; places are searched on a grid of this width, then tried pixel by pixel
TRIES = 4  # pixel-exact tries in each search
LOOSE, TIGHT = 0.02, 0.10  # share of a clump that may lie on others: when free, and when crowded
HIDDEN = 0.25  # largest share of any cell that it may have in common with other cells
CLOSE = 0.4  # share of the closest contact that counts as contact
TORN = 0.15  # share of a rim torn from other cells, from which that side goes next to some again
LEAST_SEEN = 0.3  # share of a clump within the frame
SMALLEST = 5  # pixels; less of a cell at the edge of the frame is no cell


@dataclass(frozen=True)
class Placed:
    """A sprite with its upper left corner in the frame, pixels; it may reach beyond the frame."""

    sprite: Sprite
    row: int
    column: int


class Layout:
    """The cells of a frame, put down one clump after the other.

    Attributes
    ----------
    owner : ndarray of shape (H, W), int32; number of the cell seen at each pixel, -1 for none
    placed : list of Placed, in the order in which they were put down
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.owner = np.full(shape, -1, np.int32)
        self.placed: list[Placed] = []
        self._pixels: list[int] = []  # of each cell within the frame
        self._shared: list[int] = []  # those of them that it has in common with others
        self._taken = _shrunk(self.owner >= 0)
        self.covered = 0  # pixels

    @property
    def confluence(self) -> float:
        """Share of the frame that cells cover."""
        return self.covered / self.owner.size

    def put(
        self, sprite: Sprite, touching: bool, crowded: bool, room: int, random: np.random.Generator
    ) -> bool:
        """Put a sprite somewhere; False where there is no place for it.

        Parameters
        ----------
        touching : next to existing cells, the torn side of a torn clump foremost;
            else apart from them, if possible
        crowded : overlap a little more
        room : pixels that it may newly cover at most
        """
        share = TIGHT if crowded else LOOSE
        places = self._search(sprite, touching, share, random)
        return any(self._try(sprite, row, column, share, room) for row, column in places)

    def _search(
        self, sprite: Sprite, touching: bool, share: float, random: np.random.Generator
    ) -> list[tuple[int, int]]:
        """Some places, as the sprite's upper left corners, where it about fits."""
        mask = _shrunk(sprite.mask)
        pad = [length // 2 + 1 for length in mask.shape]
        around = [(pad[0], pad[0]), (pad[1], pad[1])]
        taken = np.pad(self._taken, around)
        frame = np.pad(np.ones(self._taken.shape, np.float32), around)
        area = float(mask.sum())
        fits = (_matches(taken, mask) <= share * area) & (
            _matches(frame, mask) >= LEAST_SEEN * area
        )
        if self.covered:
            contact = np.where(fits, _matches(taken, self._rim(sprite)), 0)
            if not touching and (fits & (contact == 0)).any():
                fits &= contact == 0
            elif touching and contact.max() > 0:
                # Among the closest contacts, not the very closest: colonies are no packings.
                fits = contact >= CLOSE * contact.max()
        rows, columns = np.nonzero(fits)
        if len(rows) == 0:
            return []
        drawn = random.integers(len(rows), size=TRIES)
        jitter = random.integers(-(GRID // 2), GRID // 2 + 1, size=(TRIES, 2))
        return [
            (int(rows[n] - pad[0]) * GRID + int(dy), int(columns[n] - pad[1]) * GRID + int(dx))
            for n, (dy, dx) in zip(drawn, jitter, strict=True)
        ]

    def _rim(self, sprite: Sprite) -> np.ndarray:
        """Where a sprite should meet others: where it did before, or anywhere next to it."""
        if sprite.torn_share > TORN:
            return _shrunk(sprite.torn)
        mask = _shrunk(sprite.mask)
        return np.maximum(cv2.dilate(mask, np.ones((3, 3), np.uint8)) - mask, 0)

    def _try(self, sprite: Sprite, row: int, column: int, share: float, room: int) -> bool:
        """Put a sprite at one place, unless it overlaps too much there."""
        here, there = overlap_of(sprite.mask.shape, row, column, self.owner.shape)
        if here is None:
            return False
        mask, below = sprite.mask[here], self.owner[there]
        taken = mask & (below >= 0)
        n_taken, n_pixels = np.count_nonzero(taken), np.count_nonzero(mask)
        if n_pixels < LEAST_SEEN * sprite.area or n_taken > share * n_pixels:
            return False
        if n_pixels - n_taken > room:
            return False
        hidden = np.bincount(below[taken], minlength=len(self._pixels))
        shared = np.array(self._shared, int) + hidden
        if np.any((hidden > 0) & (shared > HIDDEN * np.array(self._pixels, int))):
            return False
        n_cells = np.zeros(self.owner.shape, np.int32)  # of the sprite at each pixel
        seen_cells = [_seen(cell, row, column, self.owner.shape) for cell in sprite.cells]
        for place, seen in seen_cells:
            n_cells[place] += seen
        added = []
        for place, seen in seen_cells:
            pixels = np.count_nonzero(seen)
            others = seen & (self.owner[place] >= 0)
            common = np.count_nonzero(others | (seen & (n_cells[place] > 1)))
            if others.any() and common > HIDDEN * pixels:
                return False
            added.append((place, seen, pixels, common))
        self._shared = shared.tolist()
        for place, seen, pixels, common in sorted(added, key=lambda cell: -cell[2]):
            self.owner[place][seen] = len(self._pixels)
            self._pixels.append(pixels)
            self._shared.append(common)
        self._taken = _shrunk(self.owner >= 0)
        self.covered += int(n_pixels - n_taken)
        self.placed.append(Placed(sprite, row, column))
        return True


def _seen(
    cell: Cell, row: int, column: int, shape: tuple[int, int]
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Place of a cell in the frame and its mask there, both empty where it lies beyond."""
    here, there = overlap_of(cell.mask.shape, row + cell.row, column + cell.column, shape)
    if here is None:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), bool)
    return there, cell.mask[here]


def overlap_of(
    window: tuple[int, int], row: int, column: int, shape: tuple[int, int]
) -> tuple[tuple[slice, slice] | None, tuple[slice, slice] | None]:
    """What of a window lies in the frame: its slices in the window, and in the frame."""
    here, there = [], []
    for length, begin, size in zip(window, (row, column), shape, strict=True):
        first, last = max(begin, 0), min(begin + length, size)
        if first >= last:
            return None, None
        here.append(slice(first - begin, last - begin))
        there.append(slice(first, last))
    return tuple(here), tuple(there)


def _shrunk(mask: np.ndarray) -> np.ndarray:
    """Share of True pixels in each square of the grid, float32."""
    height, width = (-(-length // GRID) for length in mask.shape)
    padded = np.zeros((height * GRID, width * GRID), np.float32)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return cv2.resize(padded, (width, height), interpolation=cv2.INTER_AREA)


def _matches(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Sum of `image` under `mask` at every place, by its upper left corner; exact.

    Both hold shares of GRID x GRID pixels, so that sums are whole numbers of their products. OpenCV
    convolves large masks by Fourier transforms, whose rounding would else decide, differently on
    each machine, where nothing touches.
    """
    sums = cv2.filter2D(image, cv2.CV_32F, mask, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)[
        : image.shape[0] - mask.shape[0] + 1, : image.shape[1] - mask.shape[1] + 1
    ]
    return np.rint(sums * GRID**4) / GRID**4
