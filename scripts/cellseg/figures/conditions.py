"""Rows for figures: which conditions there are, how they are named, on what they were measured."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cellseg import intervals
from cellseg.errors import UserError
from cellseg.score_names import NO_TUNING

if TYPE_CHECKING:
    import pandas as pd

AXES = ["model", "heads", "subset"]
AXIS_NAMES = {
    "model": "model",
    "heads": "heads",
    "subset": "training subset",
    "tuning": "thresholds tuned by",
}
TABLES = ("images", "runs", "summary", "training", "sizes")
# Scores with nothing removed are the plain ones: every annotated cell counts.
PRIMARY = "kept"


def need(table: "pd.DataFrame", name: str, columns: Iterable[str]) -> None:
    """Raise a UserError when `columns` are missing from the table called `name`, or it is empty."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise UserError(f"table {name}.csv lacks the column(s) {', '.join(missing)}.")
    if table.empty:
        raise UserError(f"table {name}.csv has no rows: no run of the experiment was scored.")


def held_out(table: "pd.DataFrame") -> "pd.DataFrame":
    """Rows of the test split where a table has several splits, else all."""
    if "data_split" in table and (table["data_split"] == "test").any():
        return table[table["data_split"] == "test"]
    return table


def select(
    table: "pd.DataFrame", cell_type: str | None = "all", small_objects: str | None = PRIMARY
) -> "pd.DataFrame":
    """Rows of one cell type and one treatment of small objects; None keeps all."""
    table = held_out(table)
    if cell_type is not None:
        table = table[table["cell_type"] == cell_type]
    if small_objects is not None:
        table = table[table["small_objects"] == small_objects]
    return table


def by_cell_type(
    tables: Mapping[str, "pd.DataFrame"], score: str
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Rows of the tables ``runs``, of single cell types, and ``summary``, of all; both checked.

    Raises
    ------
    UserError
        A table lacks a column, or has no rows.
    """
    runs = select(tables["runs"], cell_type=None)
    need(runs, "runs", [*AXES, "seed", "cell_type", score])
    runs = runs[runs["cell_type"].notna() & (runs["cell_type"] != "all")]
    need(runs, "runs (rows of single cell types)", [])
    summary = select(tables["summary"], cell_type=None)
    need(summary, "summary", [*AXES, "cell_type", f"{score}_mean"])
    return runs, summary


def unique(table: "pd.DataFrame", columns: Sequence[str]) -> list[tuple]:
    """Distinct values of `columns`, in the order of the table."""
    return list(table[list(columns)].drop_duplicates().itertuples(index=False, name=None))


def rows_of(table: "pd.DataFrame", **values: str) -> "pd.DataFrame":
    """Rows where every named column has the given value."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def interval(summary: "pd.DataFrame", score: str, **values: str) -> tuple[float, float, float]:
    """Mean and 95 % t interval (low, high) of `score` in the first matching row; nan if none."""
    rows = rows_of(summary, **values)
    if rows.empty:
        return (float("nan"),) * 3
    row = rows.iloc[0]
    return tuple(float(row[f"{score}_{part}"]) for part in ("mean", "low", "high"))


def over_seeds(values: "pd.Series") -> tuple[float, float, float]:
    """Mean of one value a seed and its 95 % t interval; nan ends for fewer than two."""
    statistics = intervals.t_interval(values)
    return tuple(float(statistics[part]) for part in ("mean", "low", "high"))


def varying(table: "pd.DataFrame", axes: Sequence[str] = AXES) -> list[str]:
    """Axes with more than one value; all are named elsewhere, so that labels stay short."""
    return [axis for axis in axes if table[axis].nunique() > 1]


def label(condition: Mapping[str, str], axes: Sequence[str], separator: str = " · ") -> str:
    """Name of a condition by `axes`, such as ``resnet50 · inner-distance + pixelwise``."""
    return separator.join(str(condition[axis]).replace("+", " + ") for axis in axes)


def run_name(run: Mapping[str, str]) -> str:
    """Name of one run by all its axes, for a title."""
    return f"{label(run, AXES)} · seed {run['seed']}"


def constants(table: "pd.DataFrame", axes: Sequence[str] = AXES) -> str:
    """What all rows share, as a sentence for the note below a figure."""
    parts = [
        f"{AXIS_NAMES[axis]}: {str(table[axis].iloc[0]).replace('+', ' + ')}"
        for axis in axes
        if table[axis].nunique() == 1
    ]
    sentence = "; ".join(parts)
    return sentence[:1].upper() + sentence[1:] + ". " if parts else ""


def counted(number: int, noun: str) -> str:
    """A number and its noun, such as ``1,032 cells``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def subtitle(question: str, tables: Mapping[str, "pd.DataFrame"], rows: "pd.DataFrame") -> str:
    """What the experiment asks, and on how many images, cells and seeds the figure answers it.

    With the tuning that chose the thresholds, where there was one.

    Parameters
    ----------
    tables : the tables ``images`` and ``runs`` of an experiment
    rows : those that are shown, with the axes of a condition and seed
    """
    runs = tables["runs"]
    names = [name for (name,) in unique(runs, ["tuning"])] if "tuning" in runs else []
    parts = [measured_on(tables["images"]), seeds(rows)[0], *map(tuned, names)]
    measured = f"{'; '.join(filter(None, parts))}."
    return f"{question}\n{measured}" if question else measured


def tuned(name: str | None) -> str:
    """By which entry of `tunings` thresholds were chosen, in words; empty if by none."""
    return f"{AXIS_NAMES['tuning']}: {name}" if name and name != NO_TUNING else ""


def measured_on(images: "pd.DataFrame") -> str:
    """On how many images and cells the scores of these rows are, such as ``Test split of x: …``."""
    images = held_out(images)
    shown = images[images["small_objects"] == PRIMARY]
    once = (shown if len(shown) else images).drop_duplicates("image")
    split = f"{once['data_split'].iloc[0]} split of ".capitalize() if "data_split" in once else ""
    data = ", ".join(sorted(once["dataset"].unique()))
    cells = counted(int(once["n_true"].sum()), "cell")
    return f"{split}{data}: {counted(len(once), 'image')}, {cells}"


def seeds(table: "pd.DataFrame", axes: Sequence[str] = AXES) -> tuple[str, bool]:
    """How many seeds a condition has, in words, and whether any has more than one."""
    numbers = table.groupby(list(axes), sort=False)["seed"].nunique()
    low, high = int(numbers.min()), int(numbers.max())
    return counted(high, "seed") if low == high else f"{low} to {high} seeds", high > 1


def band(table: "pd.DataFrame") -> str:
    """What lines and bands stand for, as a sentence."""
    number, several = seeds(table)
    if not several:
        return f"Lines: {number}, so no interval. "
    return f"Lines: mean over {number}; bands: 95 % t interval of that mean. "


def spread(table: "pd.DataFrame", mark: str = "Bars", axes: Sequence[str] = AXES) -> str:
    """What bars, whiskers and points stand for, as a sentence."""
    number, several = seeds(table, axes)
    if not several:
        return f"{mark}: {number}, so no interval. "
    return (
        f"{mark}: mean over {number}; whiskers: 95 % t interval of that mean (cut at the range "
        "of the axis); points: single seeds. "
    )
