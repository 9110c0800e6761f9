"""Cells as a submission to Kaggle's Sartorius competition: CSV with columns id and predicted.

A row is a cell: the image's id, and runs of pixels as :mod:`cellseg.data.layouts.row_runs` writes
them. The competition refuses cells that overlap. Those of a label image cannot.
"""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.data.layouts import row_runs
from cellseg.errors import UserError
from cellseg.io import atomic, csv_file
from cellseg.io.wording import number_of

COLUMNS = ("id", "predicted")
LONGEST = 2**31 - 1
"""Characters of the runs of a cell; the module csv takes 131,072 unless it is asked for more."""


def write(path: str | os.PathLike, images: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write a submission.

    Parameters
    ----------
    path : CSV to write
    images : pairs of id and label image, an ndarray of shape (H, W), int32, 0 background
        A cell is a row, by increasing label. An image without cells is a row with nothing
        predicted, since the competition asks for a row of every image.

    Raises
    ------
    UserError
        Two images have one id.
    """
    rows: list[tuple[str, str]] = []
    seen: set[str] = set()
    cells = 0
    for name, labels in images:
        if name in seen:
            raise UserError(
                f"{path}: two images have the id '{name}', and a submission names images by it. "
                "Rename one of the files."
            )
        seen.add(name)
        written = [row_runs.write(labels == label) for label in np.unique(labels[labels > 0])]
        rows.extend((name, one) for one in written or [""])
        cells += len(written)
    csv_file.write(path, pd.DataFrame(rows, columns=list(COLUMNS)))
    print(f"{number_of(len(seen), 'image')}, {number_of(cells, 'cell')}.")


def of_run(labels: str | os.PathLike, files: Mapping[str, str]) -> Iterator[tuple[str, np.ndarray]]:
    """Ids and label images of a run.

    Parameters
    ----------
    labels : ``labels.npz`` of the run
    files : path of the file of each image, whose name is its id
    """
    stack = atomic.open_stack(labels)
    for image in sorted(stack.files):
        yield Path(files[image]).stem, stack[image]


def read(path: str | os.PathLike, height: int, width: int) -> dict[str, np.ndarray]:
    """Label images of a submission.

    Parameters
    ----------
    height, width : of all images, pixels

    Returns
    -------
    dict of ndarrays of shape (height, width), int32, by id; cells are numbered 1, 2, … by row

    Raises
    ------
    UserError
        The file is no submission, a run is malformed, or cells overlap.
    """
    images: dict[str, np.ndarray] = {}
    for line, name, text in _rows(path):
        labels = images.setdefault(name, np.zeros((height, width), np.int32))
        if not text:
            continue
        runs = row_runs.parse(text, height * width, f"{path}, line {line}")
        inside = row_runs.mask(runs, height, width) > 0
        if labels[inside].any():
            raise UserError(f"{path}, line {line}: the cell overlaps another of image {name}.")
        labels[inside] = labels.max() + 1
    return images


def _rows(path: str | os.PathLike) -> Iterator[tuple[int, str, str]]:
    """Line, image and runs of each row that is not empty."""
    csv.field_size_limit(LONGEST)
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            if tuple(next(rows, ())) != COLUMNS:
                raise UserError(
                    f"{path} is no submission: its columns are not {', '.join(COLUMNS)}, with a "
                    "comma between them."
                )
            for row in filter(None, rows):
                if len(row) != len(COLUMNS):
                    raise UserError(
                        f"{path}, line {rows.line_num}: {len(row)} fields instead of 2."
                    )
                yield rows.line_num, *row
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Correct the path.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path} is no submission: it is not text in UTF-8 ({error}). Write it again."
        ) from error
