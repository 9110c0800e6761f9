"""A data set of the Cell Tracking Challenge in two dimensions, frame by frame.

Sequence ``01`` has frames ``01/t000.tif``, segmentations ``01_GT/SEG/man_seg000.tif`` (gold: by
people, often of some cells alone), ``01_ST/SEG/man_seg000.tif`` (silver: by programs) and markers
of all cells, ``01_GT/TRA/man_track000.tif``. Numbers have three or four digits.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cellseg.data.layouts import label_images
from cellseg.data.layouts.listed import Found
from cellseg.errors import UserError
from cellseg.images.reading import read_labels

_FRAME = re.compile(r"t(\d{3,4})\.tiff?", re.IGNORECASE)


def read(folder: Path) -> Found:
    """Frames that are segmented whole, of all sequences.

    A frame is taken with its gold segmentation if that has a cell at every marker, else with its
    silver one, else not at all: cells that nobody outlined would be taught as background. Without
    markers, a gold segmentation is taken for whole. The well of a frame is its sequence.

    Raises
    ------
    UserError
        There are no sequences, or no frame is segmented whole.
    """
    sequences = sorted(
        path for path in folder.iterdir() if path.is_dir() and re.fullmatch(r"\d\d", path.name)
    )
    if not sequences:
        raise UserError(
            f"{folder} has no sequence of frames such as 01/t000.tif. Name the folder that holds "
            "01, 01_GT and so on."
        )
    pairs, passed_over = [], 0
    for sequence in sequences:
        for frame, number in _frames(sequence):
            labels = _segmentation(sequence, number)
            if labels is None:
                passed_over += 1
                continue
            pairs.append(label_images.Pair(frame, labels, folder.name, sequence.name))
    print(f"{len(pairs)} frames are segmented whole, {passed_over} are not and are passed over.")
    expected = "01_GT/SEG/man_seg000.tif or 01_ST/SEG/man_seg000.tif of all cells of a frame"
    return label_images.found(folder, pairs, expected)


def _frames(sequence: Path) -> Iterator[tuple[Path, str]]:
    """Frames of a sequence with their numbers, as text."""
    for path in sorted(sequence.iterdir()):
        match = _FRAME.fullmatch(path.name)
        if match:
            yield path, match[1]


def _segmentation(sequence: Path, number: str) -> Path | None:
    gold, silver, markers = (
        sequence.with_name(f"{sequence.name}_{kind}") / f"{name}{number}.tif"
        for kind, name in (("GT", "SEG/man_seg"), ("ST", "SEG/man_seg"), ("GT", "TRA/man_track"))
    )
    if gold.is_file() and (not markers.is_file() or _has_all(gold, markers)):
        return gold
    return silver if silver.is_file() else None


def _has_all(segmentation: Path, markers: Path) -> bool:
    """Whether a segmentation has a cell at every marker."""
    cells, marked = read_labels(segmentation), read_labels(markers)
    if cells.shape != marked.shape:
        raise UserError(
            f"{segmentation} has shape {cells.shape} and {markers} has {marked.shape}. Unpack the "
            "data set again."
        )
    return set(np.unique(marked[marked > 0])) <= set(np.unique(marked[cells > 0]))
