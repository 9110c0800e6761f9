"""Crops of images with their cells one by one, overlaps kept, for instance detectors."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from cellseg.data import cell_layers, true_cells
from cellseg.data.tiles import cut
from cellseg.data.true_cells import TrueCells
from cellseg.errors import UserError
from cellseg.images.normalization import normalize
from cellseg.io.atomic import open_stack
from cellseg.targets.instances import Instances
from cellseg.training.batches import TileStream, after
from cellseg.training.warping import warp

SMALLEST = 4
"""Pixels of the visible part of a cell below which a crop leaves it out."""


@dataclass
class InstanceStream(TileStream):
    """Batches of crops and of the cells in each; see :class:`cellseg.training.batches.TileStream`.

    The crops are the same as those of a stream of maps: drawn by seed, epoch and number, then
    turned, scaled and mirrored, with grey values changed.

    Attributes
    ----------
    tiles : :class:`cellseg.training.crops.CropPool` or, without augmentation,
        :class:`cellseg.training.crops.WindowPool`
    cells : gives the true cells of an image by its key
    """

    cells: Callable[[str], TrueCells] | None = None

    def _begin(
        self, epoch: int, tiles: np.ndarray
    ) -> tuple[tuple[np.ndarray, list[Instances | None]], list[Future]]:
        """A batch that workers fill: ``(B, S, S, 1)`` float32 and the instances of each crop."""
        x = self._array("", (self.tiles.size, self.tiles.size, 1), len(tiles))
        y: list[Instances | None] = [None] * len(tiles)
        parts = np.array_split(np.arange(len(tiles)), min(self.workers, len(tiles)))
        return (x, y), [
            self._pool.submit(self._fill_crops, x, y, epoch, tiles, part) for part in parts
        ]

    def _fill_crops(
        self,
        x: np.ndarray,
        y: list[Instances | None],
        epoch: int,
        tiles: np.ndarray,
        part: np.ndarray,
    ) -> None:
        for place in part.tolist():
            tile = int(tiles[place])
            image, y[place] = self._window(tile) if self.augmentation is None else self._crop(
                epoch, tile
            )  # fmt: skip
            x[place, ..., 0] = image
            if not self._is_batch_wise:
                x[place] = normalize(x[place][None], self.normalization)[0]

    def _layers(self, tile: int) -> np.ndarray:
        return cell_layers.layers(self.cells(str(self.tiles.image[tile])))

    def _window(self, tile: int) -> tuple[np.ndarray, Instances]:
        """A window as it is."""
        image, _ = self.tiles.tile(tile)
        row, column = self.tiles.corner(tile)
        layers = [cut(layer, self.tiles.size, row, column) for layer in self._layers(tile)]
        return image, instances_in(layers)

    def _crop(self, epoch: int, tile: int) -> tuple[np.ndarray, Instances]:
        """A crop, drawn and changed."""
        random = np.random.default_rng([self.seed, epoch, tile])
        whole, _, to_source = self.tiles.source(tile, random)
        matrix = after(to_source, self.augmentation.draw(random, self.tiles.size))
        found = self._layers(tile)
        if found.shape[1:] != whole.shape:
            raise UserError(
                f"image {self.tiles.image[tile]} is {whole.shape[0]} x {whole.shape[1]} pixels but "
                f"{found.shape[1]} x {found.shape[2]} in its outlines. Delete the tiles and the "
                "labels of the data set and run again."
            )
        warped = [warp(whole, layer, matrix, self.tiles.size) for layer in found]
        image = self.augmentation.intensity.apply(warped[0][0], random)
        is_mirrored = _leaves(matrix, self.tiles.size, whole.shape)
        return image, instances_in([labels for _, labels in warped], is_mirrored)


def cells_of(paths: Sequence[str | Path]) -> Callable[[str], TrueCells]:
    """Reader of the true cells of images.

    Parameters
    ----------
    paths : npz files of :func:`cellseg.data.true_cells.arrays`, one a split

    Raises
    ------
    UserError
        When it reads: no file has the image.
    """

    def read(image: str) -> TrueCells:
        for path in paths:
            stack = open_stack(path)
            if f"{image}/shape" in stack:
                return true_cells.read(stack, image)
        raise UserError(
            f"image {image} has no outlines in {', '.join(map(str, paths))}. The data set has "
            "changed since its tiles were made: delete the tiles and run again."
        )

    return read


def instances_in(layers: Sequence[np.ndarray], split: bool = False) -> Instances:
    """The cells of label images of one crop, ordered by label.

    Parameters
    ----------
    layers : ndarrays of shape (H, W), int32, of :func:`cellseg.data.cell_layers.layers`, warped
    split : take separate pieces of a label for cells: a cell and its mirror image, where the crop
        goes beyond the image
    """
    found: list[tuple[int, int, int, np.ndarray]] = []
    for layer in layers:
        for number, place in enumerate(ndimage.find_objects(layer), start=1):
            if place is None:
                continue
            mask = (layer[place] == number).astype(np.uint8)
            count, pieces = cv2.connectedComponents(mask) if split else (2, mask)
            for piece in range(1, count):
                own = (pieces == piece).astype(np.uint8)
                if np.count_nonzero(own) >= SMALLEST:
                    left, top, width, height = cv2.boundingRect(own)
                    inner = own[top : top + height, left : left + width]
                    found.append((number, place[1].start + left, place[0].start + top, inner))
    found.sort(key=lambda one: one[:3])
    origins = np.array([[left, top] for _, left, top, _ in found], np.int64).reshape(-1, 2)
    masks = [np.ascontiguousarray(mask) for *_, mask in found]
    sizes = np.array([mask.shape[::-1] for mask in masks], np.int64).reshape(-1, 2)
    return Instances(np.hstack([origins, origins + sizes]).astype(np.float32), masks, origins)


def _leaves(matrix: np.ndarray, size: int, shape: tuple[int, int]) -> bool:
    """Whether a crop reaches beyond the image."""
    end = size - 1
    corners = matrix[:, :2] @ np.array([[0, 0, end, end], [0, end, 0, end]]) + matrix[:, 2:]
    return bool((corners.min() < 0) or (corners.max(axis=1) > np.array(shape[::-1]) - 1).any())
