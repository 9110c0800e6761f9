"""The settings of a segmentation that suit each cell type best, on its own validation images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cellseg.segmentation.by_cell_type import NO_IMAGE, UNKNOWN
from cellseg.tuning.grid import best


@dataclass(frozen=True)
class Choice:
    """What one cell type got.

    Attributes
    ----------
    number : of the settings
    rows : its images among those that were scored
    why_of_all : why it has the settings of all images, in words; empty if it has its own
    """

    number: int
    rows: np.ndarray
    why_of_all: str = ""


def choose(
    scores: np.ndarray,
    n_true: np.ndarray,
    types: Sequence[str],
    others: Iterable[str],
    of_all: int,
) -> dict[str, Choice]:
    """Which settings have the highest mean score over the images of each cell type.

    Of equal ones those of all images are chosen, else the first.

    Parameters
    ----------
    scores : ndarray of shape (images, settings), float64; NaN does not count
    n_true : ndarray of shape (images,), annotated cells of each image
    types : cell type of each image
    others : types that the run knows besides those
    of_all : the settings chosen for all images together

    Returns
    -------
    dict
        By cell type, sorted.
    """
    of_image = np.array(types, object)
    found = {}
    for name in sorted({*types, *others}):
        rows = np.flatnonzero(of_image == name)
        why = _why_of_all(name, rows, n_true)
        number = of_all if why else best(scores[rows], of_all)
        found[name] = Choice(number, rows, why)
    return found


def _why_of_all(name: str, rows: np.ndarray, n_true: np.ndarray) -> str:
    if name == UNKNOWN:
        return "unknown type"
    if not len(rows):
        return NO_IMAGE
    return "" if n_true[rows].any() else "no annotated cell in its validation images"
