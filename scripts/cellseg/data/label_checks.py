"""Whether label images hold instances: every cell with a value that no other cell has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellseg.errors import UserError

SURROUNDED = 3
"""Regions next to a label as large as a background; a large cell may have one or two in a
corner."""
WRAPPED = 6
"""Of the labels 1 to 255, in several pieces: more than flaws of painting explain."""


@dataclass(frozen=True)
class Pieces:
    """How the labels of one image hang together.

    Attributes
    ----------
    labels : how many there are
    pieces : connected regions of one label, also by corners; specks under a tenth of the label's
        largest are not counted
    in_pieces : labels that have several of them
    thin : regions, also specks, that touch another label and are nowhere two pixels wide and high;
        interpolation leaves several around each cell, drawn outlines one in a hundred cells
    largest : largest label
    around : regions next to a label that reaches all four sides of the image and covers most of it,
        as a background does: other labels, or enclosed pixels of value 0; 0 without such a label
    """

    labels: int
    pieces: int
    in_pieces: int
    thin: int
    largest: int
    around: int = 0

    @property
    def wrapped(self) -> bool:
        """Whether cells beyond the 255th seem to have begun again at 0, in 8 bits."""
        return self.labels == self.largest == 255 and self.in_pieces >= WRAPPED

    def problems(self) -> list[tuple[str, int]]:
        """What is to be listed of the image, and of how many labels."""
        found = [
            ("label in several pieces", self.in_pieces, self.in_pieces > 0),
            ("more pieces than labels", self.labels, 2 * self.pieces >= 3 * self.labels > 0),
            ("edge that is a label", self.thin, self.thin >= max(3, self.labels / 10)),
            ("background that is a label", 1, self.around >= SURROUNDED),
        ]
        return [(problem, count) for problem, count, listed in found if listed]


def look(labels: np.ndarray) -> Pieces:
    """Count the pieces of each label.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    """
    from skimage.measure import label

    rows, columns = (np.flatnonzero(labels.any(axis)) for axis in (1, 0))
    if not len(rows):
        return Pieces(0, 0, 0, 0, 0)
    # Stitched images may be empty for the most part.
    inside = labels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    numbered = label(inside, background=0, connectivity=2)
    areas = np.bincount(numbered.ravel())
    owners = np.zeros(len(areas), np.int32)
    owners[numbered] = inside
    values, place = np.unique(owners[1:], return_inverse=True)
    largest = np.zeros(len(values), np.int64)
    np.maximum.at(largest, place, areas[1:])
    counts = np.bincount(place[10 * areas[1:] >= largest[place]], minlength=len(values))
    corner, across, down = numbered[:-1, :-1], numbered[:-1, 1:], numbered[1:, :-1]
    square = (corner == across) & (corner == down) & (corner == numbered[1:, 1:]) & (corner > 0)
    thin = np.ones(len(areas), bool)
    thin[corner[square]] = False
    touching = np.zeros(len(areas), bool)
    for one, other in ((corner, across), (corner, down)):
        both = (one != other) & (one > 0) & (other > 0)
        touching[one[both]] = touching[other[both]] = True
    return Pieces(
        labels=len(values),
        pieces=int(counts.sum()),
        in_pieces=int(np.count_nonzero(counts > 1)),
        thin=int(np.count_nonzero(thin & touching)),
        largest=int(values[-1]),
        around=_around(labels, numbered, areas),
    )


def _around(labels: np.ndarray, numbered: np.ndarray, areas: np.ndarray) -> int:
    """Regions next to one that is as large as a background; see :class:`Pieces`."""
    from skimage.measure import label

    region = int(areas[1:].argmax()) + 1
    if numbered.shape != labels.shape or 2 * areas[region] <= labels.size:
        return 0
    ground = numbered == region
    if not all(side.any() for side in (ground[0], ground[-1], ground[:, 0], ground[:, -1])):
        return 0
    return int(label(~ground, connectivity=1).max())


def refuse_no_instances(folder: Path, paths: Sequence[Path], found: Sequence[Pieces]) -> None:
    """Stop at label images that do not separate cells.

    Binary masks and masks of classes have few values in many pieces: at least three, and two a
    label. Wrapped labels are all of 1 to 255, some for two cells. Interpolated ones are for the
    most part edges: at least ten. In most images, background has a value of its own, or cells 0.

    Parameters
    ----------
    folder : folder of the label images of a split
    paths, found : the label images, and what was found in each

    Raises
    ------
    UserError
        Says what the label images look like, and how to make proper ones.
    """
    wrapped = [path for path, pieces in zip(paths, found, strict=True) if pieces.wrapped]
    if wrapped:
        raise UserError(
            f"{wrapped[0]} looks wrapped: it uses all of 1 to 255, some for several cells"
            f"{f', and so do {len(wrapped) - 1} more' if wrapped[1:] else ''}. 8 bits hold 255 "
            "cells: save the label image with 16 bits from the program that made it."
        )
    grounds = [path for path, one in zip(paths, found, strict=True) if one.around >= SURROUNDED]
    if 2 * len(grounds) > sum(one.labels > 0 for one in found):
        raise UserError(
            f"{grounds[0]} has a label that covers most of the image, with other regions in it"
            f"{f', and so do {len(grounds) - 1} more' if grounds[1:] else ''}. It looks like the "
            "background, or like an inverted mask. Set the background to 0, and each cell to "
            "another value."
        )
    labels, pieces = (sum(getattr(one, key) for one in found) for key in ("labels", "pieces"))
    thin = sum(one.thin for one in found)
    if thin >= max(10, pieces):
        raise UserError(
            f"{folder} looks interpolated, or saved in a lossy format such as JPEG: {thin} edges "
            f"of {labels} labels have other values than their cells. Resize label images by "
            "nearest neighbour, and save them as PNG or TIFF."
        )
    if pieces >= max(3, 2 * labels):
        kind = (
            "binary masks: each label image has a single value, which makes it one cell"
            if max(one.labels for one in found) == 1
            else f"masks of classes: a value is one cell, which makes {labels}"
        )
        raise UserError(
            f"{folder} looks like a folder of {kind}, but there are {pieces} separate pieces in "
            f"{sum(one.labels > 0 for one in found)}. Give each cell its own value. Where no "
            "cells touch, scikit-image does: skimage.measure.label(mask > 0), saved as 16-bit TIFF "
            "or npy."
        )


def listed(found: Mapping[int, Pieces]) -> list[tuple[str, int, int]]:
    """Problem, image and number of labels of whatever is to be listed."""
    return [
        (problem, image_id, count)
        for image_id, pieces in found.items()
        for problem, count in pieces.problems()
    ]
