"""Squares of images and labels that a network trains on, in a file that can be memory-mapped."""

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from cellseg.errors import UserError
from cellseg.images.reading import Picture
from cellseg.io import memmap_npz
from cellseg.io.atomic import replacing
from cellseg.io.wording import number_of

MODES = ("cut", "resize")


@dataclass(frozen=True)
class Tiles:
    """Tiles of a split; `X` and `y` are memory-mapped and only read where they are indexed.

    Attributes
    ----------
    X : ndarray of shape (N, S, S, 1), uint8, grey values
    y : ndarray of shape (N, S, S, 1), int32, label values of the whole label image
    image : ndarray of shape (N,), str, key of the image a tile comes from
    row, column : ndarray of shape (N,), int64, offset of the tile in the image, pixels
    scale : ndarray of shape (N, 2), float64
        Tile pixels per image pixel, down and across; 1 for cut tiles
    """

    X: np.ndarray
    y: np.ndarray
    image: np.ndarray
    row: np.ndarray
    column: np.ndarray
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.X)


def offsets(length: int, size: int, overlap: int, grid: int = 1) -> list[int]:
    """Where tiles begin along an axis: as few as cover it with `overlap`, evenly spread.

    Parameters
    ----------
    length : of the image along the axis, pixels
    size : of a tile, pixels
    overlap : least overlap of neighbouring tiles, pixels; less by up to `grid`
    grid : of which the places are multiples; `length` - `size` must be one, too
    """
    if length <= size:
        return [0]
    count = ceil((length - overlap) / (size - overlap))
    places = np.linspace(0, (length - size) / grid, count)
    return (np.rint(places).astype(int) * grid).tolist()


def n_windows(height: int, width: int, size: int, overlap: int) -> int:
    """Number of tiles that cover an image, see :func:`offsets`."""
    return len(offsets(height, size, overlap)) * len(offsets(width, size, overlap))


def cut(image: np.ndarray, size: int, row: int, column: int) -> np.ndarray:
    """Cut a tile of shape (size, size); what the image lacks is mirrored at its far edges.

    Grey values and labels are mirrored alike, as
    :func:`cellseg.inference.sliding_window.predict_image` mirrors what it segments: a cell
    must not be background to the network because it is a mirror image.

    Parameters
    ----------
    image : ndarray of shape (H, W), grey values or labels
    size : of the tile, pixels
    row, column : upper left corner of the tile in the image, pixels
    """
    tile = image[row : row + size, column : column + size]
    padding = [(0, size - length) for length in tile.shape]
    return np.pad(tile, padding, mode="symmetric")


def resize(image: np.ndarray, size: int, nearest: bool = False) -> np.ndarray:
    """Resize a whole image to (size, size), whatever its proportions.

    Linear with an anti-aliasing filter for grey values; nearest neighbour for labels.
    """
    from skimage import transform

    how = {"order": 0 if nearest else 1, "anti_aliasing": not nearest}
    # Labels pass as float64: scikit-image converts integers of other depths with a loss.
    resized = transform.resize(
        image.astype(np.float64), (size, size), mode="reflect", preserve_range=True, **how
    )
    return np.rint(resized).astype(image.dtype)


@dataclass(frozen=True)
class _Plan:
    """Which tiles there will be, before any is made."""

    image: list[str]
    row: list[int]
    column: list[int]
    scale: list[tuple[float, float]]


def write(
    image_keys: Sequence[str],
    pictures: Sequence[Picture],
    labels_path: str | os.PathLike,
    path: str | os.PathLike,
    size: int,
    mode: str = "cut",
    tile_overlap: int = 0,
) -> None:
    """Write the tiles of a split, one image at a time; :func:`open` reads them.

    Parameters
    ----------
    image_keys, pictures : key and picture of every image; their shapes must be known
    labels_path : npz of label images by image key
    path : the npz to write. It is not compressed, so that it can be memory-mapped.
    size : of a tile, pixels; a power of two
    mode : ``cut`` covers the image with tiles; ``resize`` shrinks it to one tile, as the
        Mesmer-on-LIVECell report did
    tile_overlap : least overlap of cut tiles, pixels

    Raises
    ------
    UserError
        A setting is out of range, or a file is broken or does not belong to the others.
    """
    if mode not in MODES:
        raise UserError(f"tiling mode '{mode}' is not one of {', '.join(MODES)}.")
    if size < 16 or size & (size - 1):
        raise UserError(f"tile size {size}: it must be a power of two of at least 16 pixels.")
    if not 0 <= tile_overlap < size:
        raise UserError(f"tile_overlap {tile_overlap}: it must be at least 0 and less than {size}.")
    plan = _plan(image_keys, [picture.shape for picture in pictures], size, mode, tile_overlap)
    by_key = dict(zip(image_keys, pictures, strict=True))
    with np.load(labels_path) as labels, replacing(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            # All grey values, then all labels: a zip file takes one array after the other.
            shape = (len(plan.image), size, size, 1)
            grey = _tiles(plan, lambda key: read_grey_values(by_key[key]), size, mode)
            memmap_npz.write_rows(archive, "X", grey, shape, np.uint8)
            cells = _tiles(
                plan,
                lambda key: read_labels(labels, key, by_key[key].shape),
                size,
                mode,
                nearest=True,
            )
            memmap_npz.write_rows(archive, "y", cells, shape, np.int32)
            memmap_npz.write(archive, "image", np.array(plan.image, dtype=np.str_))
            memmap_npz.write(archive, "row", np.array(plan.row, dtype=np.int64))
            memmap_npz.write(archive, "column", np.array(plan.column, dtype=np.int64))
            memmap_npz.write(archive, "scale", np.array(plan.scale, np.float64).reshape(-1, 2))
    made = number_of(len(plan.image), "tile")
    print(f"{made} of {size} x {size} pixels from {number_of(len(by_key), 'image')}.")


def open(path: str | os.PathLike) -> Tiles:
    """Open a file of tiles without reading them.

    Raises
    ------
    UserError
        The file is no tiles file, or is broken.
    """
    small = ("image", "row", "column", "scale")
    return Tiles(**memmap_npz.read(path, ("X", "y"), small, "tiles"))


def _plan(
    image_keys: Sequence[str],
    shapes: Sequence[tuple[int, int]],
    size: int,
    mode: str,
    overlap: int,
) -> _Plan:
    plan = _Plan([], [], [], [])
    for key, (height, width) in zip(image_keys, shapes, strict=True):
        shrunk = mode == "resize"
        rows, columns = (
            [0] if shrunk else offsets(length, size, overlap) for length in (height, width)
        )
        for row in rows:
            for column in columns:
                plan.image.append(key)
                plan.row.append(row)
                plan.column.append(column)
                plan.scale.append((size / height, size / width) if shrunk else (1.0, 1.0))
    return plan


def _tiles(
    plan: _Plan, read: Callable[[str], np.ndarray], size: int, mode: str, nearest: bool = False
) -> Iterator[np.ndarray]:
    """Make the planned tiles of grey values or labels (`nearest`); each image is read once."""
    current, whole = None, None
    for key, row, column in zip(plan.image, plan.row, plan.column, strict=True):
        if key != current:
            current, whole = key, read(key)
        if mode == "resize":
            yield resize(whole, size, nearest)
        else:
            yield cut(whole, size, row, column)


def read_grey_values(picture: Picture) -> np.ndarray:
    """Grey values (H, W) uint8 of an image, refused where its size is not the known one."""
    image, shape = picture.read(), tuple(picture.shape)
    if image.shape != shape:
        raise UserError(f"{picture.path} has {image.shape} pixels, its annotations say {shape}.")
    return image


def read_labels(labels: np.lib.npyio.NpzFile, key: str, shape: tuple[int, int]) -> np.ndarray:
    """Label image (H, W) int32 of an image, refused where it is not of that shape."""
    if key not in labels or labels[key].shape != tuple(shape):
        raise UserError(f"the label images do not fit the image table at '{key}'. Rasterize again.")
    return labels[key]
