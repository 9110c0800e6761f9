"""The predicted maps of a run in one file: a zip of PNG pictures that any tool can open.

``<head>/<channel>/<image>.png``, such as ``pixelwise/1/<image>.png``, is one channel of one image;
``maps.json`` holds the least and the greatest value of each picture, and how all were predicted.
Black is the first value, white the second, so that nothing is clipped, and the greys
between for::

    least + (greatest - least) * sin(pi / 2 * grey / white) ** 2

This curve, the inverse of the arcsine transformation of proportions, has its finest steps at both
ends: there a network that is sure of itself puts most of its values, and there the watershed
follows differences of 1e-4 inside of cells, or ends a cell where a distance falls to 0.01.
"""

import json
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from cellseg.errors import UserError
from cellseg.io import zip_files
from cellseg.io.atomic import replacing
from cellseg.runtime.parallel import ordered_map
from cellseg.targets.channels import marker_head

MANIFEST = "maps.json"
FORMAT = "predicted maps, version 2"
VALUE = "least + (greatest - least) * sin(pi / 2 * grey / white) ** 2, white is 255 or 65535"

# The smallest pictures of maps among OpenCV's settings, and written nearly as fast as any.
PNG = [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH]
PNG += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]

LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip member; ends in the lengths of name and extra

Maps = dict[str, dict[int, np.ndarray]]


def depths(channels: Sequence[str], precise: Container[str] | None = None) -> dict[str, type]:
    """Depth of the pictures of each channel: uint16 for those that need it, else uint8.

    The watershed compares peaks with one another. Two of one cell that come out equal are both
    taken for cells, and with 8 bits many do. A mask bears 8 bits well.

    Parameters
    ----------
    channels : names such as ``pixelwise/1``: head and channel
    precise : those with 16 bits; unless given, those of the head of the watershed's markers

    Returns
    -------
    dict of channel name to numpy.uint8 or numpy.uint16
    """
    if precise is None:
        marker = marker_head([name.split("/")[0] for name in channels])
        precise = [name for name in channels if name.split("/")[0] == marker]
    return {name: np.uint16 if name in precise else np.uint8 for name in channels}


def error_bounds(channels: Sequence[str]) -> dict[str, float]:
    """Largest difference of values read from those written, as a share of the picture's range.

    This is half a step of the curve where it is steepest: 0.0031 with 8 bits, 0.000012 with 16. The
    rounding to float32 comes on top. With e, the bound times the range, it follows that

    - the mask is the same but where the smoothed interior is within e of its threshold (a mean
      changes no further than what it averages);
    - every peak that rises more than ``maxima_threshold`` + 2e above its surroundings is found,
      and none that rises less than ``maxima_threshold`` - 2e.

    Returns
    -------
    dict of channel name to float
    """
    return {name: np.pi / 4 / np.iinfo(depth).max for name, depth in depths(channels).items()}


def write(
    path: str | os.PathLike,
    channels: Sequence[str],
    images: Iterable[tuple[str, np.ndarray]],
    threads: int = 1,
    options: Mapping | None = None,
    precise: Container[str] | None = None,
) -> None:
    """Write maps image by image, never holding more than a few; equal maps give equal bytes.

    Parameters
    ----------
    path : of the zip, which appears whole or not at all
    channels : names of the maps' channels, such as ``pixelwise/1``: head and channel
    images : pairs of image name and ndarray of shape (H, W, channels), float32
    threads : images packed at once, while the next ones are made
    options : of the prediction, which go with the maps
    precise : channels with 16 bits, see :func:`depths`

    Raises
    ------
    ValueError
        A value is not finite, maps do not fit `channels`, or a name cannot be used or comes twice.
    """
    depth = depths(channels, precise)
    if len(depth) < len(channels) or not all(re.fullmatch(r"[\w-]+/\d+", name) for name in depth):
        raise ValueError(f"channels {channels}: expected different names such as 'pixelwise/1'")
    ranges: dict[str, list[tuple[float, float]]] = {}
    packed = ordered_map(partial(_pack, depth), images, threads, processes=False)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for image, pictures in packed:
            if image in ranges or not re.fullmatch(r"[^/\\\0]+", image):
                raise ValueError(f"image '{image}' comes twice, or its name is that of no file")
            ranges[image] = [bounds for bounds, _ in pictures]
            for name, (_, png) in zip(channels, pictures, strict=True):
                archive.writestr(zip_files.member(_picture(name, image)), png)
        content = {"format": FORMAT, "value": VALUE, "channels": list(channels)}
        content |= {"prediction": options, "least and greatest": ranges}
        archive.writestr(zip_files.member(MANIFEST), json.dumps(content))


def copy(source: "MapStore", path: str | os.PathLike, images: Iterable[str]) -> None:
    """Write the maps of some images of a store into another file, picture by picture.

    Parameters
    ----------
    source : opened store
    path : of the zip, which appears whole or not at all
    images : names; with equal maps the file is the same as one that :func:`write` makes

    Raises
    ------
    UserError
        The source lacks an image, or is damaged.
    """
    ranges = {}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for image in images:
            ranges[image] = source.ranges(image)
            for name in source.channels:
                archive.writestr(zip_files.member(_picture(name, image)), source.png(name, image))
        content = {"format": FORMAT, "value": VALUE, "channels": source.channels}
        content |= {"prediction": source.prediction, "least and greatest": ranges}
        archive.writestr(zip_files.member(MANIFEST), json.dumps(content))


def _pack(
    depth: Mapping[str, type], job: tuple[str, np.ndarray]
) -> tuple[str, list[tuple[tuple[float, float], bytes]]]:
    """Range and picture of each channel of an image."""
    image, maps = job
    if maps.ndim != 3 or maps.shape[-1] != len(depth) or maps.size == 0:
        raise ValueError(f"{image}: maps of shape {maps.shape} do not fit {list(depth)}")
    pictures = []
    for name, values in zip(depth, np.moveaxis(maps, -1, 0), strict=True):
        low, high = float(values.min()), float(values.max())
        if not np.isfinite([low, high]).all():
            raise ValueError(f"{image}: values of {name} are not finite")
        png = cv2.imencode(".png", _greys(values, low, high, depth[name]), PNG)[1]
        pictures.append(((low, high), png.tobytes()))
    return image, pictures


class MapStore:
    """The maps of a run, to be read image by image; :func:`open` gives one.

    Any number of threads and processes may read at once: each reading opens the file for itself. A
    store that is sent to another process travels as its path.

    Attributes
    ----------
    channels : list of str
        Such as ``pixelwise/1``, in the order in which they were written.
    images : list of str, sorted
    prediction : dict, or None
        Options of the prediction, as far as they were written.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        try:
            with zipfile.ZipFile(self.path) as archive:
                content = json.loads(archive.read(MANIFEST))
                self._members = {member.filename: member for member in archive.infolist()}
            if content["format"] != FORMAT:
                raise ValueError(f"their format is '{content['format']}', not '{FORMAT}'")
            self.channels: list[str] = content["channels"]
            self.prediction: dict | None = content.get("prediction")
            self._ranges: dict[str, list] = content["least and greatest"]
        except FileNotFoundError:
            raise UserError(f"{path} does not exist. Run the prediction that makes it.") from None
        except (*zip_files.BROKEN, LookupError, TypeError, ValueError) as why:
            raise self._broken(f"holds no predicted maps, or is cut off ({why})") from why
        self.images = sorted(self._ranges)

    def __reduce__(self) -> tuple:
        return open, (self.path,)

    def read(self, image: str, channels: Sequence[str] | None = None) -> Maps:
        """Read the maps of one image.

        Parameters
        ----------
        image : name
        channels : names of those to read; all unless given

        Returns
        -------
        dict of head name to dict of channel to ndarray of shape (H, W), float32
            As :mod:`cellseg.segmentation.methods` takes them.

        Raises
        ------
        UserError
            The file lacks the image or a channel, or is damaged.
        """
        bounds = self.ranges(image)
        maps: Maps = {}
        for name in self.channels if channels is None else channels:
            if name not in self.channels:
                raise self._broken(f"has no channel '{name}'")
            low, high = bounds[self.channels.index(name)]
            grey = cv2.imdecode(self._content(_picture(name, image)), cv2.IMREAD_UNCHANGED)
            if grey is None or grey.ndim != 2 or grey.dtype not in (np.uint8, np.uint16):
                raise self._broken(f"has no grey picture at '{_picture(name, image)}'")
            share = _curve(grey.dtype)
            values = (low * (1 - share) + high * share).astype(np.float32)  # exact at both ends
            head, channel = name.split("/")
            # As values[grey], in half the time and without Python's lock.
            maps.setdefault(head, {})[int(channel)] = cv2.LUT(grey, values)
        return maps

    def ranges(self, image: str) -> list:
        """Least and greatest value of each channel of an image, in the order of the channels."""
        if image not in self._ranges:
            raise self._broken(f"has no image '{image}'")
        return self._ranges[image]

    def png(self, channel: str, image: str) -> bytes:
        """The picture of one channel of one image, as it is stored."""
        return self._content(_picture(channel, image)).tobytes()

    def _content(self, name: str) -> np.ndarray:
        """Bytes of a member. A ZipFile kept open has one position, which forked workers share."""
        member = self._members.get(name)
        if member is None or member.compress_type != zipfile.ZIP_STORED:
            raise self._broken(f"has no '{name}', or was packed by another program")
        content = b""
        with self.path.open("rb") as file:
            # A damaged list may name places before the file or far behind it.
            n_bytes = os.fstat(file.fileno()).st_size
            if 0 <= member.header_offset < n_bytes and member.file_size <= n_bytes:
                file.seek(member.header_offset)
                header = file.read(LOCAL_HEADER.size)
                if len(header) == LOCAL_HEADER.size:
                    file.seek(sum(LOCAL_HEADER.unpack(header)), os.SEEK_CUR)
                    content = file.read(member.file_size)
        # OpenCV returns the upper part of a truncated picture without an error.
        if zlib.crc32(content) != member.CRC:
            raise self._broken(f"is damaged at '{name}'")
        return np.frombuffer(content, np.uint8)

    def _broken(self, what: str) -> UserError:
        return UserError(f"{self.path} {what}. Delete it and run the prediction again.")


def open(path: str | os.PathLike) -> MapStore:
    """Open the maps of a run; a file opened before, and not changed since, is not listed again.

    Raises
    ------
    UserError
        The file is missing or cut off, or holds no maps.
    """
    return _opened(path)


_opened = zip_files.remembered(MapStore)


def _greys(values: np.ndarray, low: float, high: float, depth: type) -> np.ndarray:
    """Picture of a map: ndarray of shape (H, W), uint8 or uint16; black where all is equal."""
    if low == high:
        return np.zeros(values.shape, depth)
    share = values.astype(np.float64, order="C")
    share -= low
    share /= high - low
    np.arcsin(np.sqrt(share, out=share), out=share)
    share *= 2 / np.pi * np.iinfo(depth).max
    return np.rint(share, out=share).astype(depth)


@lru_cache
def _curve(depth: np.dtype) -> np.ndarray:
    """Share of the range that each grey means: float64, from exactly 0 to exactly 1."""
    white = np.iinfo(depth).max
    return np.sin(np.pi / 2 * np.arange(white + 1) / white) ** 2


def _picture(channel: str, image: str) -> str:
    return f"{channel}/{image}.png"
