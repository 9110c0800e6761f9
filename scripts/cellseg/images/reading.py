"""Pictures and label images of data sets, and grey values as TIFF."""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cellseg.errors import UserError
from cellseg.images import upright
from cellseg.images.decoded import WHOLE, Part
from cellseg.images.decoding import decode
from cellseg.images.grey_values import luminance, to_8_bit
from cellseg.io import folder_walk

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
OTHER_SUFFIXES = (
    *(".gif", ".webp", ".jp2", ".jpe", ".jfif", ".avif", ".heic", ".jxl", ".dib", ".pgm", ".ppm"),
    *(".czi", ".nd2", ".lif", ".lsm", ".oib", ".oif", ".oir", ".vsi", ".ims", ".zvi", ".stk"),
    *(".dm3", ".dm4", ".mrc", ".svs", ".ndpi", ".scn", ".btf", ".tf8", ".dcm", ".nii"),
)
"""Of pictures that are not read: a microscope's own formats, and rare ones."""
LABEL_SUFFIXES = (".tif", ".tiff", ".png", ".npy")


class Picture(NamedTuple):
    """A picture of a data set.

    Attributes
    ----------
    path : of its file
    shape : height and width that its annotations say; None if they are not known
    part : which picture of the file
    """

    path: str | os.PathLike
    shape: tuple[int, int] | None = None
    part: Part = WHOLE

    def read(self) -> np.ndarray:
        """Grey values, see :func:`read`."""
        return read(*self)


def read(
    path: str | os.PathLike, shape: tuple[int, int] | None = None, part: Part = WHOLE
) -> np.ndarray:
    """Read an image as 8-bit grey values, upright.

    8-bit grey values are returned as they are. Colour becomes luminance (ITU-R BT.601; an alpha
    channel is ignored). Any other depth is stretched, see :mod:`cellseg.images.grey_values`:
    cameras of 10, 12 or 14 bits store their values in 16, so that scaling by the range of
    the type would leave an image of a few grey levels.

    Parameters
    ----------
    shape : height and width that the annotations say; they decide whether an orientation tag is
        heeded, see :func:`cellseg.images.upright.fit`
    part : which picture of the file

    Returns
    -------
    ndarray of shape (H, W), uint8

    Raises
    ------
    UserError
        The file is missing or broken, or holds more than one picture.
    """
    return read_as_annotated(path, shape, part)[0]


def read_as_annotated(
    path: str | os.PathLike, shape: tuple[int, int] | None, part: Part = WHOLE
) -> tuple[np.ndarray, tuple[str, str] | None]:
    """As :func:`read`, and what is to be listed of the picture's orientation, or None."""
    decoded = decode(path).only(part, path)
    grey = luminance(decoded.picture(path), path)
    turned, problem = upright.fit(grey, decoded.orientation, shape)
    return np.ascontiguousarray(to_8_bit(turned, path)), problem


def read_labels(path: str | os.PathLike, part: Part = WHOLE) -> np.ndarray:
    """Read a label image (TIFF, PNG or npy): 0 is background, each cell has another value.

    The values of a palette are its indices.

    Parameters
    ----------
    part : which picture of a file with several; one that has no such axis is taken as it is

    Returns
    -------
    ndarray of shape (H, W), int32

    Raises
    ------
    UserError
        The file is missing or broken, is in colour, or its values are not counting numbers.
    """
    decoded = decode(path, raw=True)
    decoded = decoded.only(
        Part(
            part.channel if "C" in decoded.axes else None,
            part.page if set(decoded.axes) - {"C"} else None,
        ),
        path,
    )
    labels = upright.turn(decoded.picture(path), decoded.orientation)
    if labels.ndim != 2:
        raise UserError(
            f"{path} is not a label image: its array has shape {labels.shape}. Store one number "
            "a pixel (16-bit grey PNG, TIFF or npy), 0 for background."
        )
    if labels.dtype.kind not in "buif":
        raise UserError(
            f"{path}: label values must be whole numbers, not of type {labels.dtype}. Save them as "
            "16-bit integers."
        )
    # NaN is neither.
    if labels.size == 0 or not (labels.min() >= 0 and labels.max() <= np.iinfo(np.int32).max):
        raise UserError(
            f"{path}: label values must be 0 (background), 1, 2, … below 2^31. Replace others, "
            "such as NaN or -1, by 0. Renumber larger ones."
        )
    whole = labels.astype(np.int32)
    if labels.dtype.kind == "f" and not np.array_equal(whole, labels):
        raise UserError(
            f"{path}: label values must be whole numbers, but some have fractions, as after "
            "interpolation. Resize label images by nearest neighbour."
        )
    return np.ascontiguousarray(whole)


def find(folder: Path, suffixes: Iterable[str], without: Iterable[Path] = ()) -> list[Path]:
    """All files below `folder` that end in one of `suffixes`, see :func:`folder_walk.files`."""
    return folder_walk.files(folder, frozenset(suffixes), without)


def as_tiff(image: np.ndarray) -> bytes:
    """Content of a TIFF file like LIVECell's, of grey values ``(H, W)`` uint8, without loss."""
    import tifffile

    content = io.BytesIO()  # straight to a full disk, tifffile may write a part and say nothing
    tifffile.imwrite(
        content, image, photometric="minisblack", compression="lzw", predictor=True, metadata=None,
        software=False,
    )  # fmt: skip
    return content.getvalue()
