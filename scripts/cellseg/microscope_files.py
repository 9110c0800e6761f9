"""Images as microscopes and their users leave them: stacks, any depth, calibrated or not."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile

from cellseg import images
from cellseg.errors import UserError

MICROMETRES = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0),
    "nm": 1e-3,
    "mm": 1e3,
    "cm": 1e4,
}
"""By the name of a unit; ImageJ and OME write several for the micrometre."""

PRINTED = 20.0
"""Micrometres a pixel: a resolution in centimetres that is coarser is that of a printer."""

STACKED = "TZC"  # the order of ImageJ, and so of pages


@dataclass(frozen=True)
class Calibration:
    """The size of a pixel, as far as a file tells.

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
    """

    frames: np.ndarray
    axes: str
    lengths: tuple[int, ...]
    calibration: Calibration


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
    found = [path for path in images.find(folder, images.SUFFIXES, without) if not path.is_dir()]
    if not found:
        others = sorted({path.suffix for path in folder.rglob("*") if path.is_file()} - {""})
        besides = f" There are files that end in {', '.join(others[:8])}: export" if others else ""
        raise UserError(
            f"{folder} holds no images ({', '.join(images.SUFFIXES)}).{besides}"
            f"{' them as TIFF with the program of your microscope.' if others else ''}"
        )
    return found


def read(path: Path, pixel_size: float | None = None) -> Stack:
    """All pages of a TIFF, or the picture of another file.

    Channels are pages too, but for those of colour pictures.

    Parameters
    ----------
    pixel_size : µm, in place of what the file tells

    Raises
    ------
    UserError
        The file is broken, or its pages differ in size.
    """
    if path.suffix.lower() not in (".tif", ".tiff"):
        return Stack(images.read_array(path)[None], "", (), _of_size(Calibration(), pixel_size))
    try:
        with tifffile.TiffFile(path) as file:
            _check_length(file, path)
            if len(file.series) != 1:
                raise UserError(
                    f"{path} holds pictures of different sizes or kinds ({len(file.series)}). "
                    "Store each in a file of its own."
                )
            values, axes = file.series[0].asarray(), file.series[0].axes
            calibration = _of_size(_calibration(file), pixel_size)
    except UserError:
        raise
    except Exception as error:  # tifffile's, imagecodecs', NumPy's
        raise UserError(
            f"{path} cannot be read as a TIFF ({error}). Replace the file: it is broken."
        ) from error
    return Stack(*_in_order(values, axes, path), calibration)


def _check_length(file: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file whose end is missing, for which tifffile may give zeros."""
    size = path.stat().st_size
    for page in file.pages:
        ends = np.add(page.dataoffsets, page.databytecounts)
        if len(ends) and ends.max() > size:
            raise UserError(f"{path} is cut off: its last part is missing. Copy it once more.")


def _in_order(values: np.ndarray, axes: str, path: Path) -> tuple[np.ndarray, str, tuple[int, ...]]:
    """Pages first, in ImageJ's order of time, slice and channel; then rows, columns, colours."""
    if "Y" not in axes or "X" not in axes:
        raise UserError(f"{path} holds no pictures: the axes of its data are {axes}.")
    colours = [axis for axis in "S" if axis in axes]
    outer = [axis for axis in axes if axis not in "YXS"]
    known = set(outer) <= set(STACKED)
    if known:
        outer.sort(key=STACKED.index)
    order = [axes.index(axis) for axis in (*outer, "Y", "X", *colours)]
    values = values.transpose(order)
    lengths = values.shape[: len(outer)]
    frames = values.reshape(-1, *values.shape[len(outer) :])
    kept = [(axis, length) for axis, length in zip(outer, lengths, strict=True) if length > 1]
    if not known:  # such as pages that no metadata explain
        kept = [("T", len(frames))] if len(frames) > 1 else []
    return frames, "".join(axis for axis, _ in kept), tuple(length for _, length in kept)


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


def _of_size(calibration: Calibration, pixel_size: float | None) -> Calibration:
    if pixel_size is None:
        return calibration
    return replace(calibration, pixel_size=(pixel_size, pixel_size))


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

    The suffix goes, unless another image has the same name with another one.
    """
    below = [path.relative_to(folder) for path in paths]
    short = [path.with_suffix("").as_posix() for path in below]
    counts: dict[str, int] = {}
    for name in short:
        counts[name.casefold()] = counts.get(name.casefold(), 0) + 1
    return [
        name if counts[name.casefold()] == 1 else path.as_posix()
        for name, path in zip(short, below, strict=True)
    ]


def printable(path: Path) -> bool:
    """Whether a name can be written into tables: it is text in the encoding of the disk."""
    return re.search(r"[\ud800-\udfff]", str(path)) is None
