"""The predicted maps of a run in one file: a zip of 8-bit PNG pictures that any tool can open.

``<head>/<channel>/<image>.png``, such as ``pixelwise/1/<image>.png``, holds one channel of one
image; a channel unpacks into a folder of pictures named like the images. ``maps.json`` holds the
least and the greatest value of each picture. Grey 0 stands for the first, grey 255 for the second,
the greys between for even steps, so nothing is clipped.
"""

import json
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from cellseg.errors import UserError
from cellseg.files import replacing

LEVELS = 255
"""Steps between the least and the greatest value of a picture."""

ERROR_BOUND = 0.5 / LEVELS
"""A value read differs from the one written by at most this times the range of its picture.

Half a step; the rounding to float32 comes on top. For the watershed it follows that

- the mask is the same but where the smoothed interior is nearer to its threshold than this bound
  (a Gaussian is a mean, and changes no further than what it averages);
- as many peaks are found as in the maps written with a ``maxima_threshold`` that differs by no
  more than one step: how far a peak rises above its surroundings (its persistence) changes by at
  most twice the bound (Cohen-Steiner et al., Discrete & Computational Geometry 2007).
"""

MANIFEST = "maps.json"
FORMAT = "predicted maps, version 1"

# Of the settings of OpenCV these make the smallest files of maps, and nearly the fastest.
PNG = [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH]
PNG += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]

LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip member: ends in the lengths of name and extra


def write(
    path: str | os.PathLike, channels: Sequence[str], images: Iterable[tuple[str, np.ndarray]]
) -> None:
    """Write maps image by image, never holding more than one; equal maps give equal bytes.

    Parameters
    ----------
    path : of the zip, which appears whole or not at all
    channels : names of the maps' channels, such as ``pixelwise/1``: head and channel
    images : pairs of image name and ndarray of shape (H, W, channels), float

    Raises
    ------
    ValueError
        A value is not finite, maps do not fit `channels`, or a name cannot be used or comes twice.
    """
    channels = list(channels)
    for name in channels:
        if not re.fullmatch(r"[\w-]+/\d+", name) or channels.count(name) > 1:
            raise ValueError(f"channel '{name}' is not like 'pixelwise/1', or comes twice")
    ranges: dict[str, list[tuple[float, float]]] = {}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for image, maps in images:
            if image in ranges or not re.fullmatch(r"[^/\\\0]+", image):
                raise ValueError(f"image '{image}' comes twice, or its name is that of no file")
            if maps.ndim != 3 or maps.shape[-1] != len(channels) or maps.size == 0:
                raise ValueError(f"maps of shape {maps.shape} of {image} do not fit {channels}")
            ranges[image] = []
            for position, name in enumerate(channels):
                grey, low, high = _quantise(maps[..., position], f"{name} of {image}")
                ranges[image].append((low, high))
                png = cv2.imencode(".png", grey, PNG)[1]
                archive.writestr(_member(_picture(name, image)), png.tobytes())
        about = {"format": FORMAT, "value": f"least + (greatest - least) * grey / {LEVELS}"}
        content = {**about, "channels": channels, "least and greatest": ranges}
        archive.writestr(_member(MANIFEST), json.dumps(content))


class MapStore:
    """The maps of a run, to be read image by image; :func:`open` opens one.

    Reading opens the file anew, so that any number of threads and processes may read at once. A
    store sent to another process travels as its path.

    Attributes
    ----------
    channels : list of str
        Such as ``pixelwise/1``, in the order in which they were written.
    images : list of str, sorted
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        try:
            with zipfile.ZipFile(self.path) as archive:
                content = json.loads(archive.read(MANIFEST))
                self._members = {member.filename: member for member in archive.infolist()}
        except FileNotFoundError:
            raise UserError(f"{path} does not exist. Run the prediction that makes it.") from None
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise self._broken(f"holds no maps, or not all of them ({error})") from error
        if content.get("format") != FORMAT:
            raise self._broken("holds maps of another version")
        self.channels: list[str] = content["channels"]
        self._ranges = content["least and greatest"]
        self.images = sorted(self._ranges)

    def __reduce__(self) -> tuple:
        return open, (self.path,)

    def read(
        self, image: str, channels: Sequence[str] | None = None
    ) -> dict[str, dict[int, np.ndarray]]:
        """Read the maps of one image.

        Parameters
        ----------
        image : name
        channels : those to read; all unless given

        Returns
        -------
        dict of head name to dict of channel to ndarray of shape (H, W), float32
            As :func:`cellseg.watershed.segment_maps` takes them.

        Raises
        ------
        UserError
            The file lacks the image or a channel, or is damaged.
        """
        if image not in self._ranges:
            raise self._broken(f"has no image '{image}'")
        maps: dict[str, dict[int, np.ndarray]] = {}
        for name in self.channels if channels is None else channels:
            if name not in self.channels:
                raise self._broken(f"has no channel '{name}'")
            low, high = self._ranges[image][self.channels.index(name)]
            values = low + (high - low) * (np.arange(LEVELS + 1) / LEVELS)
            grey = cv2.imdecode(self._bytes(_picture(name, image)), cv2.IMREAD_UNCHANGED)
            head, channel = name.split("/")
            maps.setdefault(head, {})[int(channel)] = values.astype(np.float32)[grey]
        return maps

    def _bytes(self, name: str) -> np.ndarray:
        """Content of a member; zipfile's own reading shares one position among processes."""
        member = self._members.get(name)
        if member is None or member.compress_type != zipfile.ZIP_STORED:
            raise self._broken(f"has no '{name}', or packed it anew")
        with self.path.open("rb") as file:
            file.seek(member.header_offset)
            header = file.read(LOCAL_HEADER.size)
            if len(header) == LOCAL_HEADER.size:
                file.seek(sum(LOCAL_HEADER.unpack(header)), os.SEEK_CUR)
            content = file.read(member.file_size)
        if zlib.crc32(content) != member.CRC:
            raise self._broken(f"is damaged at '{name}'")
        return np.frombuffer(content, np.uint8)

    def _broken(self, what: str) -> UserError:
        return UserError(f"{self.path} {what}. Delete it and predict again.")


def open(path: str | os.PathLike) -> MapStore:
    """Open the maps of a run; opened again unchanged, the list of its pictures is not read anew.

    Raises
    ------
    UserError
        The file is missing, cut off or holds no maps.
    """
    try:
        stamp = os.stat(path)
    except OSError:
        return MapStore(path)
    return _opened(os.path.abspath(path), stamp.st_mtime_ns, stamp.st_size, stamp.st_ino)


@lru_cache(maxsize=8)
def _opened(path: str, *_stamp: int) -> MapStore:
    return MapStore(path)


def _picture(channel: str, image: str) -> str:
    return f"{channel}/{image}.png"


def _member(name: str) -> zipfile.ZipInfo:
    # Without the time of writing, which would make other bytes of the same maps. PNG is compressed.
    return zipfile.ZipInfo(name)


def _quantise(values: np.ndarray, what: str) -> tuple[np.ndarray, float, float]:
    """Greys (H, W) uint8, and the values that the least and the greatest grey stand for."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(f"values of {what} are not finite")
    scale = LEVELS / (high - low) if high > low else 0.0
    return np.rint((values.astype(np.float64) - low) * scale).astype(np.uint8), low, high
