"""Unlabelled images to train on, with the cells that another run found in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cellseg.io import made_files
from cellseg.training import start

KEY = start.OF_PSEUDO
"""Of a subset, and of a run's provenance; others have no such key."""
SPLIT = "pseudo"
"""Of such images in their table."""
_MARK = "~pseudo/"


class PseudoLabels(NamedTuple):
    """What to train on besides the images of the data set.

    Attributes
    ----------
    tiles : file of their tiles, or of whole images to draw crops from
    outlines : file of their cells, for families that learn cells one by one
    about : for the provenance: the run that found the cells, and how many there are
    """

    tiles: str
    outlines: str
    about: Mapping


def opened(files: Sequence[str]) -> PseudoLabels | None:
    """The tiles, the cells and the record that a run is given; None without files."""
    if not files:
        return None
    tiles, outlines, about = files
    return PseudoLabels(tiles, outlines, made_files.read_json(about, "images", "cells", "run"))


def key(name: str) -> str:
    """Key of an image by its name, which no image of a data set has."""
    return _MARK + name


def among(images: Iterable[str]) -> list[str]:
    """Those of `images` that have pseudo-labels, in their order."""
    return [image for image in images if image.startswith(_MARK)]


def in_words(about: Mapping) -> str:
    """Images and cells, where they come from, in Markdown."""
    return (
        f"And {about['images']:,} of {about['unlabelled_images']:,} unlabelled images of the "
        f"folder `{about['folder']}`, with {about['cells']:,} cells that nobody annotated: "
        f"{start.of_link(about['run'])} found them with a confidence of at least "
        f"{about['confidence']:g}. It was trained on {about['run']['train_images']:,} images of "
        f"data set `{about['run']['dataset']}`."
    )


def licences(about: Mapping) -> Iterator[str]:
    """Lines of Markdown on the unlabelled images and those of the run that found the cells."""
    run = about["run"]
    yield (
        f"- The unlabelled images of the folder `{about['folder']}`: the terms of whoever took "
        "them apply, and are to be added here before it is given away."
    )
    for one in (run, *run.get(start.CHAIN, [])):
        yield f"- The images that {start.of_link(one)} was trained on: {start.licence(one)}"
        if KEY in one:
            yield from licences(one[KEY])
