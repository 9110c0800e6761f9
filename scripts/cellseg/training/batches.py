"""Tiles to batches: augmented, normalised, with the targets of the wanted heads."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

import numpy as np

from cellseg.images.normalization import BATCH_WISE, normalize_in_place
from cellseg.targets import heads as head_registry
from cellseg.training.augmentation import Augmentation
from cellseg.training.reused_arrays import ReusedArrays
from cellseg.training.warping import warp, warp_target

HELD = 4
"""Batches besides one a worker whose memory is used again: waiting ones, and those in use."""

Batch = tuple[np.ndarray, dict[str, np.ndarray]]


class TileArrays(Protocol):
    """A tile file, opened: see :func:`cellseg.data.tiles.open`."""

    X: np.ndarray  # (N, S, S, 1), uint8
    y: np.ndarray  # (N, S, S, 1), int32
    image: np.ndarray  # (N,), str


class Pool(Protocol):
    """What a stream takes its samples from, by number.

    Attributes
    ----------
    size : side of the samples, pixels
    image : ndarray of shape (N,), str; the image that each sample is from
    """

    size: int
    image: np.ndarray

    def source(
        self, number: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image (H, W) uint8 and labels (H, W) int32, and the affine map (2, 3) to them.

        The map leads from (column, row) of the sample to (column, row) of the image.
        """


class FixedPool(Pool, Protocol):
    """A pool whose samples are the same in all epochs, as validation needs them."""

    def tile(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (S, S) uint8 and labels (S, S) int32 of a sample."""


class TilePool:
    """Several tile files as one, read tile by tile.

    Attributes
    ----------
    size : side of the tiles, pixels
    image : ndarray of shape (N,), str; the image that each tile is from
    """

    def __init__(self, files: Sequence[TileArrays]) -> None:
        self.size = files[0].X.shape[1]
        self.image = np.concatenate([file.image for file in files])
        self._places = [(file, number) for file in files for number in range(len(file.image))]

    def tile(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (S, S) uint8 and labels (S, S) int32 of tile `number`."""
        file, place = self._places[number]
        # Copies: a kernel is compiled again for memory-mapped or read-only arrays.
        return np.array(file.X[place, ..., 0]), np.array(file.y[place, ..., 0])

    def source(
        self, number: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The tile itself; see :class:`Pool`."""
        del random
        file, place = self._places[number]
        return file.X[place, ..., 0], file.y[place, ..., 0], np.eye(2, 3)


@dataclass
class TileStream:
    """Batches of tiles, the same for a seed whatever the number of workers.

    Each tile of each epoch has its own random generator, so neither the number of workers
    nor where a run was resumed changes what the network sees.

    Attributes
    ----------
    tiles : only what a batch needs is read
    index : ndarray of int, the samples of the pool that belong to this stream
    heads : settings of each head whose targets are wanted
    augmentation : None for none (validation), which needs a :class:`FixedPool`
    targets_first : compute the targets, then warp them, as deepcell does; of tiles, not of crops
        Distances are then interpolated, and no longer those of the warped cells. False warps the
        labels and computes the targets of those.
    """

    tiles: Pool | FixedPool
    index: np.ndarray
    heads: Mapping[str, Mapping]
    batch_size: int
    normalization: str
    seed: int
    augmentation: Augmentation | None = None
    targets_first: bool = False
    shuffle: bool = True
    workers: int = 1
    _pool: ThreadPoolExecutor = field(init=False, repr=False)
    _memory: dict[str, ReusedArrays] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.index) == 0:
            raise ValueError("a tile stream needs at least one tile")
        self._pool = ThreadPoolExecutor(self.workers)

    def __len__(self) -> int:
        """Batches in one epoch; the last one may be smaller."""
        return -(-len(self.index) // self.batch_size)

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of epoch `number`, made ahead of their use by the workers.

        Parameters
        ----------
        first : batches to leave out at the start, of which no tile is read

        Yields
        ------
        x : ndarray of shape (B, S, S, 1), float32
        y : dict of head name to ndarray of shape (B, S, S, target channels), float32; with fewer
            rows and columns of a head with a grid
        """
        order = np.asarray(self.index)
        if self.shuffle:
            order = np.random.default_rng([self.seed, number]).permutation(order)
        starts = range(first * self.batch_size, len(order), self.batch_size)
        waiting: deque = deque()
        try:
            for start in starts:
                waiting.append(self._begin(number, order[start : start + self.batch_size]))
                if len(waiting) > 1 + self.workers:
                    yield self._finish(*waiting.popleft())
            while waiting:
                yield self._finish(*waiting.popleft())
        finally:
            for future in (future for _, futures in waiting for future in futures):
                future.cancel()

    def endless(self) -> Iterator[Batch]:
        """Yield the batches of one epoch after the other."""
        for number in count():
            yield from self.epoch(number)

    def _begin(self, epoch: int, tiles: np.ndarray) -> tuple[Batch, list[Future]]:
        """A batch that workers fill, a part for each."""
        side = (self.tiles.size, self.tiles.size)
        x = self._array("", (*side, 1), len(tiles))
        y = {
            name: self._array(
                name, head_registry.HEADS[name].target_shape(settings, side), len(tiles)
            )
            for name, settings in self.heads.items()
        }
        parts = np.array_split(np.arange(len(tiles)), min(self.workers, len(tiles)))
        return (x, y), [
            self._pool.submit(self._fill_part, x, y, epoch, tiles, part) for part in parts
        ]

    def _array(self, of: str, shape: tuple[int, ...], count: int) -> np.ndarray:
        """Room of images (no name) or of the targets of a head, of a number of samples."""
        if of not in self._memory:
            self._memory[of] = ReusedArrays((self.batch_size, *shape), self.workers + HELD)
        return self._memory[of].take(count)

    def _fill_part(
        self,
        x: np.ndarray,
        y: dict[str, np.ndarray],
        epoch: int,
        tiles: np.ndarray,
        part: np.ndarray,
    ) -> None:
        for place in part.tolist():
            self._fill(x[place], {name: y[name][place] for name in y}, epoch, int(tiles[place]))

    def _finish(self, batch: Batch, futures: list[Future]) -> Batch:
        for future in futures:
            future.result()
        if self._is_batch_wise:
            normalize_in_place(batch[0], self.normalization)
        return batch

    @property
    def _is_batch_wise(self) -> bool:
        return self.normalization in BATCH_WISE

    def _fill(self, x: np.ndarray, y: dict[str, np.ndarray], epoch: int, tile: int) -> None:
        matrix, grey = None, x[..., 0]
        if self.augmentation is None:
            grey[:], labels = self.tiles.tile(tile)
        else:
            random = np.random.default_rng([self.seed, epoch, tile])
            image, labels, to_source = self.tiles.source(tile, random)
            matrix = after(to_source, self.augmentation.draw(random, self.tiles.size))
            _, warped_labels = warp(image, labels, matrix, self.tiles.size, out=grey)
            labels = labels if self.targets_first else warped_labels
            changed = self.augmentation.intensity.apply(grey, random)
            if changed is not grey:
                grey[:] = changed
        if not self._is_batch_wise:
            normalize_in_place(x[None], self.normalization)
        for name, target in head_registry.compute(labels, self.heads).items():
            if matrix is not None and self.targets_first:
                target = warp_target(target, matrix)
            y[name][:] = target


def after(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The affine map (2, 3) that is `first`, then `second`."""
    combined = second[:, :2] @ first
    combined[:, 2] += second[:, 2]
    return combined
