"""What no network can be trained or scored with, reported before anything is trained.

These checks only refuse: what passes is untouched, so that rules do not watch this module's code.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cellseg.data.coco_cells import Cells
from cellseg.errors import UserError
from cellseg.images import reading
from cellseg.runtime.parallel import ordered_map

SHOWN = 10
"""Unusable images that a message names; the others are counted."""


class Annotated(NamedTuple):
    """A picture, with the size that its annotations are for, and the file of these."""

    picture: reading.Picture
    where: str


def refuse_unusable_images(
    annotated: Sequence[Annotated], threads: int = 1
) -> list[tuple[str, str] | None]:
    """Read every image whole, as training and prediction will; stop if one cannot be used.

    A file's header says nothing of a transfer that broke off. To decode an image of LIVECell takes
    4 ms of a core.

    Parameters
    ----------
    threads : that read at once

    Returns
    -------
    list of what is to be listed of each, see :func:`cellseg.images.reading.read_as_annotated`

    Raises
    ------
    UserError
        An image is broken, or of another size than its annotations.
    """
    # Threads, since decoders work without Python's lock and a disk may be far away.
    read = list(ordered_map(_read, annotated, threads, processes=False))
    faults = [fault for fault, _ in read if fault]
    if faults:
        more = f"\n- and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        lines = "\n".join(f"- {line}" for line in faults[:SHOWN])
        raise UserError(f"{len(faults)} of {len(annotated)} images cannot be used:\n{lines}{more}")
    print(f"{len(annotated)} images read: all have the size of their annotations.", flush=True)
    return [problem for _, problem in read]


def _read(annotated: Annotated) -> tuple[str | None, tuple[str, str] | None]:
    """What makes an image unusable, and what is to be listed of one that can be used."""
    path, shape, part = annotated.picture
    try:
        grey, problem = reading.read_as_annotated(path, shape, part)
    except UserError as error:
        return str(error), None
    if grey.shape == shape:
        return None, problem
    (height, width), (asked_height, asked_width) = grey.shape, shape
    turned = ", as if one of the two were turned" if (width, height) == shape else ""
    return (
        f"{path} is {height} pixels high and {width} wide, but {annotated.where} annotates an "
        f"image {asked_height} high and {asked_width} wide{turned}. Put the image there that was "
        "annotated, or correct the annotation."
    ), None


def refuse_no_images(
    split: str,
    where: str | None,
    listed: int,
    there: int,
    resolved: int,
    elsewhere: Iterable[str],
    root: Path,
) -> None:
    """Stop at a split that the data set has, but without images.

    Parameters
    ----------
    where : file or folder of the split's annotations; None if the data set lacks the split
    listed, there, resolved : images in its annotations; of these, on the disk; of these, left by
        what is done with duplicates
    elsewhere : splits that its images are in, too
    root : folder of the images
    """
    if where is None or resolved:
        return
    if listed == 0:
        reason = (
            "lists no images. All three splits are needed: move some entries of the 'images' of "
            "another split's file here, whole wells or plates at a time. The 'annotations' may be "
            "the same in both files, those of images that a file does not list are left out."
        )
    elif there == 0:
        reason = (
            f"lists {listed} images, but none of them is below {root} and 'missing_images: drop' "
            "drops them. Put them there, or name a file of existing images: all three "
            "splits are needed."
        )
    else:
        reason = (
            f"lists only images that are in the {' and '.join(sorted(set(elsewhere)))} split too, "
            "and 'duplicates: drop' keeps them there. Name another file, or set 'duplicates: "
            "keep' to keep both."
        )
    raise UserError(f"the {split} split would be empty: {where} {reason}")


def refuse_no_cells(split: str, where: str | None, cells: Cells, kept: int) -> None:
    """Stop at a split whose annotations are there but give no cell; without any, it may pass.

    Parameters
    ----------
    where : file or folder of the split's annotations
    cells : as read
    kept : cells on the images that are left
    """
    reasons = [
        (len(cells.areas), "on images that are dropped: see 'duplicates' and 'missing_images'"),
        (cells.unknown.total(), "of images that it does not list: correct its 'images'"),
        (
            cells.crowd.total(),
            "regions of many cells ('iscrowd: 1'): if each is one cell, as CVAT's painted masks "
            "are, set 'crowds: as-cells' for this data set",
        ),
        (
            cells.degenerate.total(),
            "without an outline ('segmentation' needs three points or more; a box is none): export "
            "polygons or masks from the program that they were made with",
        ),
    ]
    faults = "\n".join(f"- {count} {reason}" for count, reason in reasons if count)
    if faults and not kept:
        raise UserError(
            f"the {split} split would have no cells. None of the annotations of {where} can be "
            f"used:\n{faults}"
        )


def report_crowds(split: str, where: str | None, cells: Cells) -> None:
    """Say how many annotations are left out as crowd regions: their cells count as background."""
    n_crowds = cells.crowd.total()
    if n_crowds:
        print(
            f"Warning: {split}: {n_crowds} of {n_crowds + len(cells.areas)} annotations of {where} "
            "are crowd regions ('iscrowd: 1') and are left out: their pixels count as background. "
            "If each is one cell, set 'crowds: as-cells' for this data set.",
            flush=True,
        )


def report_boxes(split: str, where: str | None, n_apart: int, n_cells: int) -> None:
    """Warn if most outlines are not where their boxes are."""
    if 2 * n_apart > n_cells:
        print(
            f"Warning: {split}: {n_apart} of {n_cells} outlines of {where} are not where their "
            "'bbox' (x, y, width, height) is. Look at the overlays: are x and y swapped, or do run "
            "lengths go along rows instead of columns? If only the boxes are wrong, nothing is "
            "lost: they are not used.",
            flush=True,
        )


def report_copies(split: str, paths: Sequence[str]) -> None:
    """Warn of files with the content of images of another split: they are no links to those."""
    if paths:
        more = f" and {len(paths) - 1} more are copies" if paths[1:] else " is a copy"
        print(
            f"Warning: {split}: {paths[0]}{more} of images of another split. Networks should not "
            "be scored on images that they have seen: take them out of one of the splits.",
            flush=True,
        )
