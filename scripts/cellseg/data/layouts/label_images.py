"""Images with a label image each, of whatever layout, as annotated images."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cellseg.data import label_checks, label_folder
from cellseg.data.layouts.listed import Found, Listed
from cellseg.data.splits import SPLITS
from cellseg.errors import UserError
from cellseg.images.reading import read_labels


class Pair(NamedTuple):
    """An image and its label image; the rest is as of :class:`.listed.Listed`."""

    image: Path
    labels: Path
    cell_type: str | None = None
    well: str | None = None
    split: str | None = None


def found(root: Path, pairs: Iterable[Pair], expected: str) -> Found:
    """Read the label images.

    Parameters
    ----------
    root : folder that all images are below
    pairs : images with their label images
    expected : what the folder should hold, for a message

    Raises
    ------
    UserError
        There is no pair, or a label image is broken or holds no instances.
    """
    pairs = sorted(pairs)
    if not pairs:
        raise UserError(f"{root} holds no images with label images. Expected: {expected}.")
    images, pieces = [], []
    for pair in pairs:
        labels = read_labels(pair.labels)
        pieces.append(label_checks.look(labels))
        cells = partial(_cells, pair.labels)
        name = pair.image.relative_to(root).as_posix()
        images.append(Listed(name, *labels.shape, cells, *pair[2:]))
    label_checks.refuse_no_instances(root, [pair.labels for pair in pairs], pieces)
    return Found(root, images)


def split_of(path: Path, root: Path) -> str | None:
    """The split after which a folder between the two is named, if any.

    Images of ``train`` have none: val and test may be drawn from them.
    """
    named = [part for part in path.relative_to(root).parts[:-1] if part in SPLITS]
    return named[0] if named and named[0] != "train" else None


def _cells(path: Path) -> list[dict]:
    cells = label_folder.encode(read_labels(path))
    return [{**cell, "counts": cell["counts"].decode("ascii")} for cell in cells]
