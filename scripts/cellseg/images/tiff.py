"""The pictures of a TIFF: its pages only, which axis is colour, and what is bright."""

import logging
import os
import struct
from pathlib import Path

import numpy as np
import tifffile
from tifffile import PHOTOMETRIC

from cellseg.errors import UserError
from cellseg.images import upright
from cellseg.images.decoded import EXPANSION, HARMLESS, Decoded, in_order, lossy
from cellseg.io.wording import number_of

# Its warnings are of what is refused here, or not done: missing pages are not filled with zeros.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

ALPHA = (1, 2)  # what ExtraSamples says of transparency

JPEG = (6, 7)
"""Compressions whose decoder makes red, green and blue of YCbCr."""

LOSSY = {
    **dict.fromkeys(JPEG, "JPEG"),
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((22610, 34934), "JPEG XR"),
    50001: "WebP",
    **dict.fromkeys((50002, 52546), "JPEG XL"),
}
"""Compressions that change values, or may do so."""


def opened(path: Path) -> tifffile.TiffFile:
    """Open a TIFF for its pages alone: those of the other files of a set are not its own.

    OME and Micro-Manager write the metadata of a whole set into each file of it. tifffile would
    open the others, and fill the places of missing ones with zeros.

    Raises
    ------
    UserError
        The file is cut off, or its directories are a circle.
    """
    _check_directories(path)
    file = _open(path)
    try:
        if file.is_ome and _invented(file):
            file.close()
            file = _open(path, is_ome=False)
    except BaseException:
        file.close()
        raise
    return file


def _open(path: Path, **flags: bool) -> tifffile.TiffFile:
    return tifffile.TiffFile(path, _multifile=False, is_mmstack=False, is_ndtiff=False, **flags)


def _invented(file: tifffile.TiffFile) -> bool:
    """Whether OME's XML promises pages that the file does not have."""
    try:
        return any(page is None for series in file.series for page in series.pages)
    except Exception:  # metadata that tifffile does not understand: then pages are just pages
        return True


def decode(path: Path, raw: bool = False) -> Decoded:
    """All pages of the file, as grey values or red, green and blue.

    Min-is-white is inverted, the colours of a palette are looked up (but for ImageJ and LSM, whose
    palettes colour grey values for the eye), inks become colours, transparency is dropped.

    Parameters
    ----------
    raw : the numbers as they are, as for label images: indices of a palette, nothing inverted

    Raises
    ------
    UserError
        The file is cut off, holds different kinds of pictures, or colours that cannot be read.
    """
    with opened(path) as file:
        _check_length(file, path)
        series = _series(file, path)
        page = series.keyframe
        if raw and page.compression in LOSSY:
            raise lossy(path, f"TIFF with {LOSSY[page.compression]} compression")
        if series.nbytes > max(EXPANSION * path.stat().st_size, HARMLESS):
            raise UserError(
                f"{path} says that it holds {series.nbytes / 2**20:,.0f} MB of pixels, more than "
                f"its {path.stat().st_size:,} bytes can be. Replace the file: it is broken."
            )
        values, axes = series.asarray(), series.axes
        if "Y" not in axes or "X" not in axes:
            raise UserError(f"{path} holds no pictures: the axes of its data are {axes}.")
        tag = page.tags.get(upright.TAG)
        orientation = upright.number(tag and tag.value)
        if not raw:
            values, axes = _as_seen(values, axes, page, file, path)
    decoded = in_order(values, axes)
    return Decoded(decoded.frames, decoded.axes, decoded.lengths, orientation)


def _check_directories(path: Path) -> None:
    """Refuse a chain of directories that is cut off or a circle, which a reader might follow."""
    with path.open("rb") as file:
        order = "<" if file.read(2) == b"II" else ">"
        big = struct.unpack(f"{order}H", file.read(2))[0] == 43
        count, entry, pointer = ("Q", 20, "Q") if big else ("H", 12, "I")
        file.seek(8 if big else 4)
        size, seen = path.stat().st_size, set()
        try:
            (offset,) = struct.unpack(f"{order}{pointer}", file.read(struct.calcsize(pointer)))
            while offset:
                if offset in seen:
                    raise UserError(
                        f"{path} is broken: its pages are listed in a circle. Replace the file."
                    )
                seen.add(offset)
                file.seek(offset)
                (entries,) = struct.unpack(f"{order}{count}", file.read(struct.calcsize(count)))
                file.seek(min(entries * entry, size), os.SEEK_CUR)
                (offset,) = struct.unpack(f"{order}{pointer}", file.read(struct.calcsize(pointer)))
        except struct.error:
            raise _cut_off(path) from None


def _check_length(file: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file whose end is missing, for which tifffile may give zeros."""
    size = path.stat().st_size
    for page in file.pages:
        ends = np.add(page.dataoffsets, page.databytecounts)
        if len(ends) and ends.max() > size:
            raise _cut_off(path)


def _cut_off(path: Path) -> UserError:
    return UserError(f"{path} is cut off: its last part is missing. Copy it once more.")


def _series(file: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    """The pictures of the file, without thumbnails, masks and the smaller copies of a pyramid."""
    whole = [
        one for one in file.series if not (one.keyframe.is_reduced or one.keyframe.is_mask)
    ] or file.series
    if not whole:
        raise UserError(f"{path} lists no pictures: it is broken. Copy or export it again.")
    if len(whole) != 1:
        raise UserError(
            f"{path} holds pictures of different sizes or kinds, or of several places "
            f"({len(whole)} series). Store each in a separate file."
        )
    return whole[0]


def _as_seen(
    values: np.ndarray,
    axes: str,
    page: tifffile.TiffPage,
    file: tifffile.TiffFile,
    path: Path,
) -> tuple[np.ndarray, str]:
    """Grey values, in which more is brighter, or red, green and blue along the axis ``S``."""
    # Without the tag, tifffile says 0, which is min-is-white.
    known = "PhotometricInterpretation" in page.tags
    photometric = page.photometric if known else PHOTOMETRIC.MINISBLACK
    samples = values.shape[axes.index("S")] if "S" in axes else 1
    if samples == 1 and "S" in axes:
        values, axes = values.take(0, axes.index("S")), axes.replace("S", "")
    if photometric == PHOTOMETRIC.MINISWHITE and samples == 1:
        return _inverted(values, page), axes
    if photometric == PHOTOMETRIC.PALETTE and samples == 1:
        if file.is_imagej or file.is_lsm or page.colormap is None:
            return values, axes
        # Of 16 bits, of which the upper eight count; some programs fill the lower ones alone.
        colours = page.colormap >> (8 if page.colormap.max() > 255 else 0)
        return np.moveaxis(colours.astype(np.uint8), 0, -1)[values], f"{axes}S"
    if photometric == PHOTOMETRIC.RGB and samples == 1:
        return values, axes  # channels that are pages, as Zeiss's LSM stores them
    if photometric == PHOTOMETRIC.MINISBLACK or (photometric == PHOTOMETRIC.RGB and samples > 4):
        if samples == 2 and page.extrasamples and page.extrasamples[0] in ALPHA:
            return values.take(0, axes.index("S")), axes.replace("S", "")
        # Not colours: channels, unless there are such pages already.
        return values, axes.replace("S", "Q" if "C" in axes else "C")
    if photometric == PHOTOMETRIC.RGB and samples >= 3:
        return _first_three(values, axes)
    if photometric == PHOTOMETRIC.YCBCR and samples == 3 and page.compression in JPEG:
        return values, axes
    if photometric == PHOTOMETRIC.SEPARATED and samples == 4 and values.dtype.kind == "u":
        values = np.moveaxis(values, axes.index("S"), -1)
        most = np.iinfo(values.dtype).max
        light = (most - values[..., :3].astype(np.float64)) * (most - values[..., 3:]) / most
        return np.rint(light).astype(values.dtype), f"{axes.replace('S', '')}S"
    name = getattr(photometric, "name", photometric)
    raise UserError(
        f"{path} has colours that cannot be read ({name}, {number_of(samples, 'sample')} a "
        "pixel). Save it as grey values or as RGB."
    )


def _first_three(values: np.ndarray, axes: str) -> tuple[np.ndarray, str]:
    """Red, green and blue without transparency."""
    return np.moveaxis(values, axes.index("S"), -1)[..., :3], f"{axes.replace('S', '')}S"


def _inverted(values: np.ndarray, page: tifffile.TiffPage) -> np.ndarray:
    """Bright where the file has small values."""
    if values.dtype.kind == "f":
        return -values
    if values.dtype.kind == "u":
        return ((1 << page.bitspersample) - 1 - values).astype(values.dtype)
    return ~values  # of signed values, -1 - value
