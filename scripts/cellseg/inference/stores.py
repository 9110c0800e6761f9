"""What networks predicted, whichever kind: maps or detections."""

import os
import zipfile
from collections.abc import Iterable, Mapping

from cellseg.inference import instance_store, map_store
from cellseg.inference.instance_store import InstanceStore
from cellseg.inference.map_store import MapStore
from cellseg.targets.instances import HEAD

Store = MapStore | InstanceStore


def open(path: str | os.PathLike) -> Store:
    """Open the predictions of a run.

    Raises
    ------
    UserError
        The file is missing or cut off, or holds neither maps nor detections.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            is_instances = instance_store.MANIFEST in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        is_instances = False  # the maps' own check says what is wrong
    return instance_store.open(path) if is_instances else map_store.open(path)


def copy(source: Store, path: str | os.PathLike, images: Iterable[str]) -> None:
    """Write the predictions of some images of a store into their own file.

    Raises
    ------
    UserError
        The source lacks an image, or is damaged.
    """
    module = instance_store if isinstance(source, InstanceStore) else map_store
    module.copy(source, path, images)


def shape_of(predicted: Mapping) -> tuple[int, int]:
    """Height and width of an image, from what a store reads of it."""
    if HEAD in predicted:
        return predicted[HEAD].shape
    return next(iter(next(iter(predicted.values())).values())).shape
