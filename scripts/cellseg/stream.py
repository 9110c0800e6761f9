"""Tiles to batches: augmented, normalised, with the targets of the wanted heads."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cellseg import heads as head_registry
from cellseg.augmentation import Augmentation, warp
from cellseg.normalization import normalize

Batch = tuple[np.ndarray, dict[str, np.ndarray]]


class TileArrays(Protocol):
    """A tile file, opened: see :func:`cellseg.tiles.open`."""

    X: np.ndarray  # (N, S, S, 1), uint8
    y: np.ndarray  # (N, S, S, 1), int32
    image: np.ndarray  # (N,), str


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
        return file.X[place, ..., 0], file.y[place, ..., 0]


@dataclass
class TileStream:
    """Batches of tiles, the same for a seed whatever the number of workers.

    Each tile of each epoch has a random generator of its own, so neither the number of workers
    nor where a run was resumed changes what the network sees.

    Attributes
    ----------
    tiles : only the tiles of a batch are read
    index : ndarray of int, the tiles that belong to this stream
    heads : settings of each head whose targets are wanted
    augmentation : None for none (validation)
    """

    tiles: TilePool
    index: np.ndarray
    heads: Mapping[str, Mapping]
    batch_size: int
    normalization: str
    seed: int
    augmentation: Augmentation | None = None
    shuffle: bool = True
    workers: int = 1
    _pool: ThreadPoolExecutor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.index) == 0:
            raise ValueError("a tile stream needs at least one tile")
        self._pool = ThreadPoolExecutor(self.workers)

    def __len__(self) -> int:
        """Batches in one epoch; the last one may be smaller."""
        return -(-len(self.index) // self.batch_size)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of epoch `number`, made ahead of their use by the workers.

        Yields
        ------
        x : ndarray of shape (B, S, S, 1), float32
        y : dict of head name to ndarray of shape (B, S, S, channels), float32
        """
        order = np.asarray(self.index)
        if self.shuffle:
            order = np.random.default_rng([self.seed, number]).permutation(order)
        starts = range(0, len(order), self.batch_size)
        parts = iter([order[start : start + self.batch_size] for start in starts])
        waiting: deque = deque()
        try:
            for part in parts:
                waiting.append([self._pool.submit(self._sample, number, tile) for tile in part])
                if len(waiting) > 1 + self.workers:
                    yield self._batch(waiting.popleft())
            while waiting:
                yield self._batch(waiting.popleft())
        finally:
            for future in (future for futures in waiting for future in futures):
                future.cancel()

    def _sample(self, epoch: int, tile: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        image, labels = self.tiles.tile(tile)
        if self.augmentation is not None:
            random = np.random.default_rng([self.seed, epoch, int(tile)])
            image, labels = warp(image, labels, self.augmentation.draw(random, image.shape[0]))
        return image, head_registry.compute(np.ascontiguousarray(labels), self.heads)

    def _batch(self, futures: list) -> Batch:
        samples = [future.result() for future in futures]
        images = np.stack([image for image, _ in samples])[..., None]
        maps = {name: np.stack([maps[name] for _, maps in samples]) for name in self.heads}
        return normalize(images, self.normalization), maps
