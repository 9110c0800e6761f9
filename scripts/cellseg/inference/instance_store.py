"""The detections of a run in one file: a zip of NumPy arrays by image.

``<image>/boxes.npy``, ``scores.npy`` and ``probabilities.npy`` are the arrays of
:class:`cellseg.targets.instances.Detections`; ``instances.json`` holds the shape of each image, and
how all were predicted.
"""

import io
import json
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from cellseg.errors import UserError
from cellseg.io import zip_files
from cellseg.io.atomic import replacing
from cellseg.targets.instances import CHANNEL, HEAD, SIDE, Detections

MANIFEST = "instances.json"
FORMAT = "detections, version 1"
PACKED = zipfile.ZIP_DEFLATED
ARRAYS = {"boxes": (4,), "scores": (), "probabilities": (SIDE, SIDE)}
"""By name, the shape of what is stored for each detection."""


def write(
    path: str | os.PathLike,
    images: Iterable[tuple[str, Detections]],
    options: Mapping | None = None,
) -> None:
    """Write detections image by image; equal detections give equal bytes.

    Parameters
    ----------
    path : of the zip, which appears whole or not at all
    images : pairs of image name and its detections
    options : of the prediction, which go with them

    Raises
    ------
    ValueError
        A value is not finite, arrays do not fit each other, or a name cannot be used or comes
        twice.
    """
    shapes: dict[str, list[int]] = {}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for image, found in images:
            if image in shapes or not re.fullmatch(r"[^/\\\0]+", image):
                raise ValueError(f"image '{image}' comes twice, or its name is that of no file")
            shapes[image] = [int(length) for length in found.shape]
            for name, shape in ARRAYS.items():
                array = getattr(found, name)
                if array.shape != (len(found.scores), *shape) or not np.isfinite(array).all():
                    raise ValueError(f"{image}: {name} of shape {array.shape}, or not finite")
                archive.writestr(zip_files.member(f"{image}/{name}.npy", PACKED), _bytes(array))
        content = {"format": FORMAT, "prediction": options, "shapes": shapes}
        archive.writestr(zip_files.member(MANIFEST, PACKED), json.dumps(content))


class InstanceStore:
    """The detections of a run, to be read image by image; :func:`open` gives one.

    It has what a :class:`cellseg.inference.map_store.MapStore` has.

    Attributes
    ----------
    channels : list of str; that of detections alone
    images : list of str, sorted
    prediction : dict, or None
        Options of the prediction, as far as they were written.
    """

    channels = [CHANNEL]  # noqa: RUF012

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        try:
            with zipfile.ZipFile(self.path) as archive:
                content = json.loads(archive.read(MANIFEST))
            if content["format"] != FORMAT:
                raise ValueError(f"their format is '{content['format']}', not '{FORMAT}'")
            self.prediction: dict | None = content["prediction"]
            self._shapes: dict[str, list[int]] = content["shapes"]
        except FileNotFoundError:
            raise UserError(f"{path} does not exist. Run the prediction that makes it.") from None
        except (*zip_files.BROKEN, LookupError, TypeError, ValueError) as why:
            raise self._broken(f"holds no detections, or is cut off ({why})") from why
        self.images = sorted(self._shapes)

    def read(self, image: str) -> dict[str, Detections]:
        """Detections of one image, as :mod:`cellseg.segmentation.methods` takes them.

        Raises
        ------
        UserError
            The file lacks the image, or is damaged.
        """
        if image not in self._shapes:
            raise self._broken(f"has no image '{image}'")
        try:
            with zipfile.ZipFile(self.path) as archive:
                arrays = {
                    name: np.load(io.BytesIO(archive.read(f"{image}/{name}.npy")))
                    for name in ARRAYS
                }
        except (*zip_files.BROKEN, LookupError, ValueError) as why:
            raise self._broken(f"is damaged at '{image}' ({why})") from why
        return {HEAD: Detections(tuple(self._shapes[image]), **arrays)}

    def _broken(self, what: str) -> UserError:
        return UserError(f"{self.path} {what}. Delete it and run the prediction again.")


def open(path: str | os.PathLike) -> InstanceStore:
    """Open the detections of a run; a file opened before, and not changed since, is not read again.

    Raises
    ------
    UserError
        The file is missing or cut off, or holds no detections.
    """
    return _opened(path)


_opened = zip_files.remembered(InstanceStore)


def copy(source: InstanceStore, path: str | os.PathLike, images: Iterable[str]) -> None:
    """Write the detections of some images of a store into their own file.

    Raises
    ------
    UserError
        The source lacks an image, or is damaged.
    """
    write(path, ((image, source.read(image)[HEAD]) for image in images), source.prediction)


def _bytes(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(array), allow_pickle=False)
    return content.getvalue()
