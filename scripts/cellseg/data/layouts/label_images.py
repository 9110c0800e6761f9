"""Images with a label image each, of whatever layout, as annotated images."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cellseg.data import label_checks, label_folder, livecell_names
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
    first: dict[Path, Path] = {}
    for pair in pairs:
        for path in (pair.image, pair.labels):
            livecell_names.refuse_unprintable(path)
        if pair.image in first:
            raise UserError(
                f"{first[pair.image]} and {pair.labels} are both label images of {pair.image}. "
                "Keep one of them in that folder."
            )
        first[pair.image] = pair.labels
    images, pieces = [], []
    for pair in pairs:
        labels = read_labels(pair.labels)
        pieces.append(label_checks.look(labels))
        cells = partial(_cells, pair.labels)
        name = pair.image.relative_to(root).as_posix()
        images.append(Listed(name, *labels.shape, cells, *pair[2:]))
    label_checks.refuse_no_instances(root, [pair.labels for pair in pairs], pieces)
    return Found(root, images)


def by_stem(paths: Iterable[Path]) -> dict[Path, list[Path]]:
    """Images by their path without suffix."""
    found: dict[Path, list[Path]] = {}
    for path in paths:
        found.setdefault(path.with_suffix(""), []).append(path)
    return found


def only(images: Sequence[Path], labels: Path) -> Path:
    """The image of a label image.

    Raises
    ------
    UserError
        There are several.
    """
    if len(images) > 1:
        raise UserError(
            f"{labels} may belong to {images[0]} and {images[1]}. Keep one of them in that folder."
        )
    return images[0]


def split_of(path: Path, root: Path) -> str | None:
    """The split after which a folder between the two is named, in any letter case, if any.

    Images of ``train`` have none: val and test may be drawn from them.
    """
    folders = [part.lower() for part in path.relative_to(root).parts[:-1]]
    named = [part for part in folders if part in SPLITS]
    return named[0] if named and named[0] != "train" else None


def _cells(path: Path) -> list[dict]:
    cells = label_folder.encode(read_labels(path))
    return [{**cell, "counts": cell["counts"].decode("ascii")} for cell in cells]
