"""Image files to arrays: the one place where files are decoded, by content, not by name."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cellseg.errors import UserError
from cellseg.images import upright
from cellseg.images.decoded import EXPANSION, HARMLESS, UNNAMED, Decoded, lossy

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""What TIFFs begin with, the last two BigTIFFs; of either byte order."""

FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "JPEG2000")
"""That Pillow may open: it would start Ghostscript for a PostScript file with another name."""

LOSSY = ("JPEG", "MPO", "WEBP", "JPEG2000")
"""Which change values a little: no format for label images."""

DEEP_PNG = (2, 4, 6)
"""PNG's types of colour that Pillow cuts down from 16 to 8 bits."""


def decode(path: str | os.PathLike, raw: bool = False) -> Decoded:
    """All pictures of an image file, as grey values or red, green and blue.

    Parameters
    ----------
    path : of a TIFF, PNG, JPEG or BMP, or of an npy with one array
    raw : the numbers as they are, as for label images: indices of a palette, nothing inverted

    Raises
    ------
    UserError
        The file is missing, no regular file, broken, or of a format that cannot be read.
    """
    path = Path(path)
    need_file(path)
    try:
        if path.suffix.lower() == ".npy":
            return _decode_npy(path)
        with path.open("rb") as file:
            is_tiff = file.read(4) in TIFF
        if is_tiff:
            from cellseg.images import tiff  # with tifffile, which a plan has not to wait for

            return tiff.decode(path, raw)
        return _decode_picture(path, raw)
    except UserError:
        raise
    except PermissionError as error:
        raise unopened(path, error) from None
    except MemoryError as error:
        raise UserError(
            f"{path} does not fit into the memory of this machine ({error}). Cut it into pieces."
        ) from error
    except Exception as error:  # each decoder raises other exceptions
        raise UserError(
            f"{path} cannot be read as an image ({error}). Replace the file: it is broken, or of a "
            "format other than TIFF, PNG, JPEG and BMP."
        ) from error


def need_file(path: Path) -> None:
    """Refuse what is no regular file: to open a pipe waits for ever.

    Raises
    ------
    UserError
        Says what it is instead.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        what = "is a link to a file that does not exist" if path.is_symlink() else "does not exist"
        raise UserError(f"{path} {what}. Restore the file, or drop it from the data set.") from None
    except OSError as error:
        raise unopened(path, error) from None
    if not stat.S_ISREG(mode):
        raise UserError(f"{path} is no regular file, but a folder, pipe or device. Move it away.")


def unopened(path: str | os.PathLike, error: OSError) -> UserError:
    """What to say of a file that the system does not open."""
    return UserError(f"{path} cannot be opened ({error.strerror}). Correct its name or rights.")


def _decode_npy(path: Path) -> Decoded:
    try:
        values = np.load(path, allow_pickle=False)
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise UserError(
            f"{path} holds Python objects, which may run code and are not opened. Of Cellpose, "
            "save the masks as PNG or TIFF; of other programs, save the array of numbers."
        ) from None
    if not isinstance(values, np.ndarray):
        values.close()
        raise UserError(f"{path} is a zip of arrays. Save the one array with numpy.save.")
    kept = [length for length in values.shape if length != 1]
    values = values if values.ndim <= 2 else values.reshape(kept)
    return Decoded(values[None])


def _decode_picture(path: Path, raw: bool) -> Decoded:
    # Pillow, not OpenCV: OpenCV returns the upper part of a truncated file without an error.
    from PIL import Image

    # Stitched images have more pixels than Pillow expects; a bomb is known by its small file.
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path, formats=FORMATS) as picture:
        width, height = picture.size
        # Of a photo with previews only the photo.
        count = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
        size = path.stat().st_size
        if width * height * count > max(EXPANSION * size, HARMLESS):
            raise UserError(
                f"{path} says that it holds {width} x {height} pixels, {count} times, more than "
                f"its {size:,} bytes can be. Replace the file: it is broken."
            )
        if raw and picture.format in LOSSY:
            raise lossy(path, picture.format)
        deep = _deep_png(path)
        frames = [deep] if deep is not None else list(_frames(picture, count, raw))
        orientation = _orientation(picture)
    if not raw:
        frames = [_without_alpha(frame) for frame in frames]
    if len({frame.shape for frame in frames}) > 1:
        raise UserError(f"{path} holds pictures of different kinds. Store each in a separate file.")
    pages = len(frames)
    axes, lengths = (UNNAMED, (pages,)) if pages > 1 else ("", ())
    return Decoded(np.stack(frames), axes, lengths, orientation)


def _frames(picture, count: int, raw: bool) -> Iterator[np.ndarray]:
    for number in range(count):
        if count > 1:
            picture.seek(number)
        picture.load()
        simple = picture.mode in ("1", "L", "LA", "RGB", "RGBA", "I", "F") or "I;16" in picture.mode
        yield np.asarray(picture if raw or simple else picture.convert("RGB"))


def _deep_png(path: Path) -> np.ndarray | None:
    """A PNG of 16 bits a sample in colour or with transparency, which Pillow cuts down to 8."""
    with path.open("rb") as file:
        head = file.read(33)
    if not head.startswith(b"\x89PNG") or len(head) < 26 or head[24] != 16:
        return None
    if head[25] not in DEEP_PNG:
        return None
    import imagecodecs

    return imagecodecs.png_decode(path.read_bytes())


def _orientation(picture) -> int:
    try:
        return upright.number(picture.getexif().get(upright.TAG))
    except Exception:  # broken EXIF says nothing, and viewers pass over it
        return 1


def _without_alpha(frame: np.ndarray) -> np.ndarray:
    if frame.ndim == 2:
        return frame
    return frame[..., 0] if frame.shape[2] <= 2 else frame[..., :3]
