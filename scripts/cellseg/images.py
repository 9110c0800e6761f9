"""Image files: grey values and label images read, grey values as TIFF."""

import io
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cellseg.errors import UserError

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
LABEL_SUFFIXES = (".tif", ".tiff", ".png", ".npy")
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def read(path: str | os.PathLike) -> np.ndarray:
    """Read an image as 8-bit grey values.

    8-bit grey values are returned as they are. Colour becomes luminance (ITU-R BT.601; an alpha
    channel is ignored). Any other depth is stretched linearly from its own minimum and maximum to
    0..255: cameras of 10, 12 or 14 bits store their values in 16, so that scaling by the range of
    the type would leave an image of a few grey levels.

    Returns
    -------
    ndarray of shape (H, W), uint8

    Raises
    ------
    UserError
        The file is missing or broken, or holds more than one picture.
    """
    values = read_array(path)
    if values.ndim == 3 and values.shape[0] in (3, 4) and values.shape[2] not in (3, 4):
        values = np.moveaxis(values, 0, -1)  # planar colour
    return to_8_bit(luminance(values, path), path)


def luminance(values: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    """Grey values of one picture, in the depth of its file; see :func:`read` for colour.

    Parameters
    ----------
    values : ndarray of shape (H, W), or (H, W, C) with grey and alpha, RGB or RGBA
    path : named in errors

    Returns
    -------
    ndarray of shape (H, W); float64 where colour was deeper than 8 bits

    Raises
    ------
    UserError
        The array is not one picture.
    """
    if values.ndim == 3 and values.shape[2] == 2:
        values = values[..., 0]  # grey and alpha
    if values.ndim == 3 and values.shape[2] in (3, 4):
        colour = values[..., :3] @ LUMINANCE
        values = np.rint(colour).astype(np.uint8) if values.dtype == np.uint8 else colour
    if values.ndim != 2 or values.size == 0:
        raise UserError(
            f"{path} is not one picture: its array has shape {values.shape}. "
            "Store each picture of a stack in a file of its own."
        )
    return values


def to_8_bit(values: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    """8-bit grey values: stretched from their own minimum and maximum, unless they have 8 bits.

    Raises
    ------
    UserError
        A value is not finite.
    """
    return values if values.dtype == np.uint8 else _stretch(values, path)


def read_labels(path: str | os.PathLike) -> np.ndarray:
    """Read a label image (TIFF, PNG or npy): 0 is background, every cell has a value of its own.

    Returns
    -------
    ndarray of shape (H, W), int32

    Raises
    ------
    UserError
        The file is missing or broken, is in colour, or its values are not counting numbers.
    """
    labels = read_array(path)
    if labels.ndim != 2:
        raise UserError(
            f"{path} is not a label image: its array has shape {labels.shape}. Store one number "
            "a pixel (16-bit grey PNG, TIFF or npy), 0 for background."
        )
    if labels.size == 0 or labels.min() < 0 or labels.max() > np.iinfo(np.int32).max:
        raise UserError(f"{path}: label values must be 0 (background), 1, 2, … below 2^31.")
    whole = labels.astype(np.int32)
    if not np.array_equal(whole, labels):
        raise UserError(f"{path}: label values must be whole numbers.")
    return whole


def find(folder: Path, suffixes: Iterable[str], without: Iterable[Path] = ()) -> list[Path]:
    """All files below `folder` that end in one of `suffixes`, sorted; hidden ones left out.

    What lies in a folder of `without` is left out too, where that folder lies below `folder`.
    """
    wanted = tuple(suffixes)
    here = folder.resolve()
    inner = [other for path in without if here in (other := path.resolve()).parents]
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in wanted
        # archives made on a Mac carry a hidden twin of every file
        and not path.name.startswith(".")
        and "__MACOSX" not in path.parts
        and not any(other in (here / path.relative_to(folder)).parents for other in inner)
    ]
    return sorted(found)


def read_array(path: str | os.PathLike) -> np.ndarray:
    """Read the file as it is, without axes of length one.

    Raises
    ------
    UserError
        The file is missing or broken.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist. Restore the file, or drop it from the data set.")
    try:
        values = _decode(path)
    except Exception as error:  # every decoder has exceptions of its own
        raise UserError(
            f"{path} cannot be read as an image ({error}). Replace the file: it is broken, or of a "
            f"format other than {', '.join(SUFFIXES)}."
        ) from error
    kept = tuple(axis for axis in range(values.ndim) if values.shape[axis] != 1)
    return values if values.ndim <= 2 else values.reshape([values.shape[axis] for axis in kept])


def _decode(path: Path) -> np.ndarray:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if suffix in (".tif", ".tiff"):
        import tifffile

        return tifffile.imread(path)
    # Pillow, not OpenCV: OpenCV returns the upper part of a truncated file without an error.
    from PIL import Image

    with Image.open(path) as picture:
        palette = picture.mode in ("P", "PA")
        return np.asarray(picture.convert("RGB") if palette else picture)


def _stretch(values: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    if not np.isfinite(values).all():
        raise UserError(f"{path} holds values that are not finite. Replace them by grey values.")
    low, high = float(values.min()), float(values.max())
    scale = 255 / (high - low) if high > low else 0.0
    return np.rint((values.astype(np.float64) - low) * scale).astype(np.uint8)


def as_tiff(image: np.ndarray) -> bytes:
    """Content of a TIFF file like LIVECell's, of grey values ``(H, W)`` uint8, without loss."""
    import tifffile

    content = io.BytesIO()  # straight to a full disk, tifffile may write a part and say nothing
    tifffile.imwrite(
        content, image, photometric="minisblack", compression="lzw", predictor=True, metadata=None,
        software=False,
    )  # fmt: skip
    return content.getvalue()
