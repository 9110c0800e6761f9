"""What is wrong with the images and annotations of a data set: the table ``problems.csv``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cellseg.data import label_checks
from cellseg.data.coco_cells import Cells
from cellseg.data.splits import SPLITS
from cellseg.io import csv_file

COLUMNS = ["split", "problem", "image", "image_id", "cells", "action"]


class Problems:
    """Collects what is wrong with a split, a row per kind and image.

    Parameters
    ----------
    split : name of the split
    rows : of all splits; new ones are added
    table : of the split's images as listed, with columns image_id and image
    """

    def __init__(self, split: str, rows: list[dict], table: pd.DataFrame) -> None:
        self.split, self.rows, self.n_listed = split, rows, len(table)
        self.names = dict(zip(table["image_id"], table["image"], strict=True))

    def add(self, problem: str, table: pd.DataFrame, action: str) -> None:
        """Note images; `cells` is how many cells each of them has."""
        for row in table.itertuples():
            self._row(problem, row.image, row.image_id, getattr(row, "n_cells", 0), action)

    def of_image(self, row: Any, problem: str, action: str) -> None:
        """Note what is wrong with one image, a row of the table."""
        self._row(problem, row.image, row.image_id, row.n_cells, action)

    def of_labels(self, pieces: Mapping[int, label_checks.Pieces]) -> None:
        """Note labels that may be no single cells; `cells` is how many of the image."""
        for problem, image_id, count in label_checks.listed(pieces):
            self._row(problem, self.names[image_id], image_id, count, "kept")

    def of_cells(self, cells: Cells, apart: Mapping[int, int]) -> None:
        """Note what is wrong with single cells; the column `cells` is how many of the image.

        Parameters
        ----------
        apart : of :meth:`cellseg.data.coco_cells.Cells.apart_from_box`
        """
        leaving, outside = cells.beyond_frame()
        for problem, counts, action in (
            ("cell of an unlisted image", cells.unknown, "dropped"),
            ("outline without area", cells.degenerate, "dropped"),
            ("outline with a part without area", cells.reduced, "part dropped"),
            ("crowd region", cells.crowd, "dropped"),
            ("cell of another category than most", cells.of_other_categories(), "kept"),
            ("outline apart from its box", apart, "kept"),
            ("cell partly outside the frame", leaving, "kept"),
            ("cell outside the frame", outside, "kept"),
        ):
            for image_id, count in sorted(counts.items(), key=lambda item: str(item[0])):
                self._row(problem, self.names.get(image_id, ""), image_id, count, action)

    def _row(self, problem: str, image: str, image_id: int, cells: int, action: str) -> None:
        values = (self.split, problem, image, image_id, cells, action)
        self.rows.append(dict(zip(COLUMNS, values, strict=True)))


def write(rows: Sequence[Mapping], path: Path) -> None:
    """Write the rows of all splits, in the order of the splits."""
    order = {split: rank for rank, split in enumerate(SPLITS)}
    ordered = sorted(rows, key=lambda row: order[row["split"]])
    csv_file.write(path, pd.DataFrame(ordered, columns=COLUMNS))
