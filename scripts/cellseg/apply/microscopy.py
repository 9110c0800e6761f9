"""Images as microscopes and their users leave them: stacks, any depth, calibrated or not."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import numpy as np
import tifffile

from cellseg.errors import UserError
from cellseg.images import reading, upright
from cellseg.images.decoded import UNNAMED, WHOLE, Part

MICROMETRES = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0),
    "nm": 1e-3,
    "mm": 1e3,
    "cm": 1e4,
}
"""By the name of a unit; ImageJ and OME write several for the micrometre."""

PRINTED = 20.0
"""Micrometres a pixel: a resolution in centimetres that is coarser is that of a printer."""
LONGEST = 200
"""Bytes of a name: file systems take 255, and its results and their temporary files add to it."""


@dataclass(frozen=True)
class Calibration:
    """The size of a pixel, if a file gives it.

    Attributes
    ----------
    pixel_size : height and width of a pixel, µm; None where unknown
    resolution, unit : TIFF's pixels a unit across and down, and ``NONE``, ``INCH`` or
        ``CENTIMETER``
    spacing, interval : ImageJ's distance of slices and seconds between frames
    """

    pixel_size: tuple[float, float] | None = None
    resolution: tuple[float, float] | None = None
    unit: str = "NONE"
    spacing: float | None = None
    interval: float | None = None


@dataclass(frozen=True)
class Stack:
    """One image file.

    Attributes
    ----------
    frames : ndarray of shape (pages, H, W) or (pages, H, W, C), in the depth of the file
    axes : letters of ``TZC``, how the pages are ordered; empty for a single picture
    lengths : of these axes, their product is the number of pages
    calibration : of the frames
    orientation : as the file has it, see :mod:`cellseg.images.upright`; the frames are upright
    first_page : number of the first frame, counted from 1
    """

    frames: np.ndarray
    axes: str
    lengths: tuple[int, ...]
    calibration: Calibration
    orientation: int = 1
    first_page: int = 1


def find(folder: Path, without: Sequence[Path] = ()) -> list[Path]:
    """Image files below a folder, or the file itself where `folder` is one; sorted.

    Raises
    ------
    UserError
        There is no such folder, or no image in it.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise UserError(f"apply.images: the folder {folder} does not exist.")
    found = reading.find(folder, reading.SUFFIXES, without)
    if not found:
        others = sorted({path.suffix for path in folder.rglob("*") if path.is_file()} - {""})
        besides = f" There are files that end in {', '.join(others[:8])}: export" if others else ""
        raise UserError(
            f"{folder} holds no images ({', '.join(reading.SUFFIXES)}).{besides}"
            f"{' them as TIFF with the program of your microscope.' if others else ''}"
        )
    return found


def other_images(folder: Path, without: Sequence[Path] = ()) -> list[Path]:
    """Image files below a folder that :func:`find` passes over: of formats that are not read."""
    return reading.find(folder, reading.OTHER_SUFFIXES, without) if folder.is_dir() else []


def read(path: Path, pixel_size: float | None = None, part: Part = WHOLE) -> Stack:
    """All pages of an image file that are asked for, upright.

    Channels are pages too, but for those of colour pictures.

    Parameters
    ----------
    pixel_size : µm, in place of the file's
    part : channel or page that is asked for alone

    Raises
    ------
    UserError
        The file is broken, its pages differ in size, or it has no such channel or page.
    """
    decoded = reading.decode(path).only(part, path)
    calibration = _calibration_of(path)
    if pixel_size is not None:
        calibration = replace(calibration, pixel_size=(pixel_size, pixel_size))
    if upright.swaps(decoded.orientation):
        calibration = replace(
            calibration,
            pixel_size=calibration.pixel_size and calibration.pixel_size[::-1],
            resolution=calibration.resolution and calibration.resolution[::-1],
        )
    # Rows and columns first, as they are turned; pages last.
    turned = upright.turn(np.moveaxis(decoded.frames, 0, -1), decoded.orientation)
    axes, lengths = decoded.axes, decoded.lengths
    if UNNAMED in axes:  # which ImageJ does not know
        axes = axes.replace(UNNAMED, "T") if "T" not in axes else "T"
        lengths = lengths if len(axes) == len(lengths) else (len(decoded.frames),)
    return Stack(
        np.moveaxis(turned, -1, 0), axes, lengths, calibration, decoded.orientation, part.page or 1
    )


def _calibration_of(path: Path) -> Calibration:
    try:
        with tifffile.TiffFile(path, _multifile=False) as file:
            return _calibration(file)
    except Exception:  # no TIFF, or without a size that can be understood
        return Calibration()


def _calibration(file: tifffile.TiffFile) -> Calibration:
    page, imagej = file.pages.first, file.imagej_metadata or {}
    resolution, unit = _resolution(page)
    pixel_size = _of_ome(file.ome_metadata) if file.is_ome else None
    if pixel_size is None and resolution is not None:
        name = str(imagej.get("unit", "")).replace("\\u00B5", "µ").strip().lower()
        scale = MICROMETRES.get(name)
        if scale is None and not imagej and unit == "CENTIMETER":
            scale = 1e4 if 1e4 / max(resolution) < PRINTED else None
        if scale is not None:
            pixel_size = scale / resolution[1], scale / resolution[0]
    return Calibration(
        pixel_size, resolution, unit, _positive(imagej, "spacing"), _positive(imagej, "finterval")
    )


def _resolution(page: tifffile.TiffPage) -> tuple[tuple[float, float] | None, str]:
    unit = page.tags["ResolutionUnit"].value if "ResolutionUnit" in page.tags else 2
    name = {1: "NONE", 2: "INCH", 3: "CENTIMETER"}.get(int(unit), "NONE")
    pairs = [page.tags[n].value for n in ("XResolution", "YResolution") if n in page.tags]
    if len(pairs) < 2 or not all(len(pair) == 2 and pair[0] and pair[1] for pair in pairs):
        return None, name
    across, down = (count / units for count, units in pairs)
    return (across, down), name


def _of_ome(text: str | None) -> tuple[float, float] | None:
    """PhysicalSizeY and PhysicalSizeX of OME's XML, µm."""
    try:
        pixels = ElementTree.fromstring(text or "").find(".//{*}Pixels")
        sizes = []
        for axis in "YX":
            unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
            sizes.append(float(pixels.get(f"PhysicalSize{axis}")) * MICROMETRES[unit])
    except (ElementTree.ParseError, AttributeError, TypeError, ValueError, KeyError):
        return None
    return (sizes[0], sizes[1]) if min(sizes) > 0 else None


def _positive(metadata: dict, key: str) -> float | None:
    value = metadata.get(key)
    return float(value) if isinstance(value, int | float) and value > 0 else None


def write_labels(path: Path, labels: np.ndarray, stack: Stack) -> None:
    """Write label images so that Fiji and napari open them with the calibration of the image.

    Parameters
    ----------
    labels : ndarray of shape (pages, H, W), int32; stored with 16 bits, or 32 where a page has
        more than 65,535 cells (an ImageJ stack cannot, so those are a plain TIFF)
    stack : the image, whose axes and calibration the file gets
    """
    few = labels.max(initial=0) <= np.iinfo(np.uint16).max
    shaped = labels.reshape(*stack.lengths, *labels.shape[1:])
    known, options = stack.calibration, {"compression": "zlib", "photometric": "minisblack"}
    if known.pixel_size is not None:
        scale, unit = (1.0, "NONE") if few else (1e4, "CENTIMETER")
        down, across = known.pixel_size
        options |= {"resolution": (scale / across, scale / down), "resolutionunit": unit}
    elif known.resolution is not None:
        options |= {"resolution": known.resolution, "resolutionunit": known.unit}
    if few:
        about = {
            "axes": f"{stack.axes}YX",
            "unit": "um" if known.pixel_size is not None else None,
            "spacing": known.spacing,
            "finterval": known.interval,
        }
        about = {key: value for key, value in about.items() if value is not None}
        tifffile.imwrite(path, shaped.astype(np.uint16), imagej=True, metadata=about, **options)
    else:
        tifffile.imwrite(path, shaped.astype(np.uint32), metadata=None, **options)


def output_names(paths: Sequence[Path], folder: Path) -> list[str]:
    """A name for what is made of each image: its path below `folder`, as short as is unique.

    The suffix goes, unless another image has the same name with another one. The end of a name
    becomes a checksum where it is too long for what is added to it, or would be taken twice.
    """
    below = [path.relative_to(folder).as_posix() for path in paths]
    short = [PurePosixPath(name).with_suffix("").as_posix() for name in below]
    counts = Counter(name.casefold() for name in short)
    names, taken = [], set()
    for name, whole in zip(short, below, strict=True):
        chosen = name if counts[name.casefold()] == 1 else whole
        if chosen.casefold() in taken or len(PurePosixPath(chosen).name.encode()) > LONGEST:
            chosen = _with_checksum(chosen, whole)
        taken.add(chosen.casefold())
        names.append(chosen)
    return names


def _with_checksum(name: str, whole: str) -> str:
    """A name of at most :data:`LONGEST` bytes that no other path has."""
    stamp = f"~{hashlib.sha256(whole.encode()).hexdigest()[:10]}"
    path = PurePosixPath(name)
    start = path.name.encode()[: LONGEST - len(stamp)].decode(errors="ignore")
    return path.with_name(f"{start}{stamp}").as_posix()
