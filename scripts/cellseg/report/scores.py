"""The scores of each experiment's conditions, short enough for a page."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cellseg.data.splits import HELD_OUT
from cellseg.io.wording import number_of
from cellseg.scoring import names
from cellseg.tables import conditions, glossary
from cellseg.tables import read as score_tables
from cellseg.tables.intervals import ENOUGH_SEEDS

SCORES = glossary.named("pixel_iou", "pixel_f1", "f1_50", "msa", "ap50")


@dataclass(frozen=True)
class Scores:
    """Scores of one experiment: `axes` are what its conditions differ in, `rows` one a condition.

    ``table`` is the name of the file. A row has a text for each axis, the number of seeds, and a
    text for each of :data:`SCORES`.
    """

    experiment: str
    table: str
    axes: list[str]
    rows: list[list[str]]
    shared: str
    measured_on: str
    intervals: bool


def read(path: str | Path) -> Scores:
    """Scores of an experiment, small objects kept, all cell types.

    Parameters
    ----------
    path : its ``summary.csv``, of folds ``out_of_fold_summary.csv``

    Raises
    ------
    UserError
        The table is missing, or lacks a column.
    """
    needed = [*conditions.AXES, "cell_type", "small_objects", "n_seeds", "n_images"]
    table = conditions.select(score_tables.read(path, needed))
    known = [*conditions.AXES, *(["tuning"] if "tuning" in table else [])]
    axes = conditions.varying(table, known) or ["model"]
    rows = [
        [
            *(str(row[axis]).replace("+", " + ") for axis in axes),
            f"{row['n_seeds']:.0f}",
            *(glossary.with_interval(row, score) for score in SCORES),
        ]
        for row in table.to_dict("records")
    ]
    shown = [axis for axis in known if axis not in axes]
    if "tuning" in shown and (table["tuning"] == names.NO_TUNING).all():
        shown.remove("tuning")
    return Scores(
        experiment=Path(path).parent.name,
        table=Path(path).name,
        axes=[conditions.AXIS_NAMES[axis] for axis in axes],
        rows=rows,
        shared=conditions.constants(table, shown),
        measured_on=_measured_on(table),
        intervals=bool((table["n_seeds"] >= ENOUGH_SEEDS).any()),
    )


def _measured_on(table: pd.DataFrame) -> str:
    low, high = int(table["n_images"].min()), int(table["n_images"].max())
    images = number_of(high, "image") if low == high else f"{low:,} to {high:,} images"
    split = table["data_split"].iloc[0] if "data_split" in table else None
    if split == HELD_OUT:
        return f"{images}, each one where a fold holds it out"
    return images if split is None else f"{images} of the {split} split"
