"""Whole images and their labels that a network is trained on, in a file that can be memory-mapped.

:mod:`cellseg.training.crops` draws windows from them.
"""

import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cellseg.data.tiles import read_grey_values, read_labels
from cellseg.images.reading import Picture
from cellseg.io import memmap_npz
from cellseg.io.atomic import replacing


@dataclass(frozen=True)
class Frames:
    """Images of a split; `X` and `y` are memory-mapped, and read only where they are indexed.

    Attributes
    ----------
    X : ndarray of shape (P,), uint8; grey values of all images, row by row, one after the other
    y : ndarray of shape (P,), int32; label values
    image : ndarray of shape (N,), str; key of each image
    height, width : ndarray of shape (N,), int64; pixels
    """

    X: np.ndarray
    y: np.ndarray
    image: np.ndarray
    height: np.ndarray
    width: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    def frame(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Grey values (H, W) uint8 and labels (H, W) int32 of an image, as views of the file."""
        start = int(self.height[:number] @ self.width[:number])
        height, width = int(self.height[number]), int(self.width[number])
        pixels = slice(start, start + height * width)
        return self.X[pixels].reshape(height, width), self.y[pixels].reshape(height, width)


def write(
    image_keys: Sequence[str],
    pictures: Sequence[Picture],
    labels_path: str | os.PathLike,
    path: str | os.PathLike,
) -> None:
    """Write the images of a split, one at a time; :func:`open` reads them.

    Parameters
    ----------
    image_keys, pictures : key and picture of every image; their shapes must be known
    labels_path : npz of label images by image key
    path : the npz to write. It is not compressed, so that it can be memory-mapped.

    Raises
    ------
    UserError
        A file is broken or does not belong to the others.
    """
    shapes = np.array([picture.shape for picture in pictures], np.int64).reshape(-1, 2)
    pixels = (int(shapes.prod(axis=1).sum()),)
    with np.load(labels_path) as labels, replacing(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            grey: Iterable = map(read_grey_values, pictures)
            memmap_npz.write_rows(archive, "X", grey, pixels, np.uint8)
            cells = (
                read_labels(labels, key, picture.shape)
                for key, picture in zip(image_keys, pictures, strict=True)
            )
            memmap_npz.write_rows(archive, "y", cells, pixels, np.int32)
            memmap_npz.write(archive, "image", np.array(image_keys, dtype=np.str_))
            memmap_npz.write(archive, "height", shapes[:, 0].copy())
            memmap_npz.write(archive, "width", shapes[:, 1].copy())
    print(f"{len(shapes)} whole images to draw crops from.")


def open(path: str | os.PathLike) -> Frames:
    """Open a file of images without reading them.

    Raises
    ------
    UserError
        The file is no such file, or is broken.
    """
    small = ("image", "height", "width")
    return Frames(**memmap_npz.read(path, ("X", "y"), small, "whole images"))
