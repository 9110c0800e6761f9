"""How many true cells of each size are found: the table ``sizes.csv`` of a run.

A score of an image says nothing about the sizes of its cells, which differ within it. So each true
cell is counted by its own area, as found or not.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from cellseg.scoring.overlaps import Overlaps

IOU = 0.5
COUNTS = ("n_true", "n_found")
COLUMNS = ("area_from", "area_to", *COUNTS)
"""Columns of ``sizes.csv`` behind those of the condition and the group."""


def is_found(table: Overlaps) -> np.ndarray:
    """Whether each true cell is matched at an IoU of 0.5, as in ``recall_50``.

    Of two true cells that are each exactly half of one predicted cell, which is one match, the
    first counts as found; their areas are equal.

    Returns
    -------
    ndarray of shape (n_true,), bool
    """
    pairs = table.iou >= IOU
    _, first = np.unique(table.pred[pairs], return_index=True)
    found = np.zeros(len(table.true_area), bool)
    found[table.true[pairs][first]] = True
    return found


def by_octave(table: Overlaps) -> np.ndarray:
    """Count true cells and found ones by octave of their area.

    Returns
    -------
    ndarray of shape (n, 2), int64
        Row k: true cells of 2^k to 2^(k+1) - 1 pixels, and how many of them are found.
    """
    octave = np.frexp(table.true_area.astype(np.float64))[1] - 1
    length = int(octave.max(initial=-1)) + 1
    return np.stack(
        [
            np.bincount(octave, minlength=length),
            np.bincount(octave[is_found(table)], minlength=length),
        ],
        axis=1,
    )


def rows(groups: Mapping[tuple[str, str], Sequence[np.ndarray]]) -> list[dict[str, str | int]]:
    """Add up the counts of images, one row a group and octave up to that of its largest cell.

    Parameters
    ----------
    groups : from cell type and treatment of small objects to what :func:`by_octave` gives

    Returns
    -------
    list of dict
        cell_type, small_objects, area_from and area_to (pixels, the second not included), n_true
        and n_found. A group without true cells has one row, of no cell.
    """
    made: list[dict[str, str | int]] = []
    for (cell_type, small_objects), images in groups.items():
        total = np.zeros((max(1, *map(len, images)), 2), np.int64)
        for counts in images:
            total[: len(counts)] += counts
        made += [
            {
                "cell_type": cell_type,
                "small_objects": small_objects,
                "area_from": 2**octave,
                "area_to": 2 ** (octave + 1),
                "n_true": int(n_true),
                "n_found": int(n_found),
            }
            for octave, (n_true, n_found) in enumerate(total)
        ]
    return made
