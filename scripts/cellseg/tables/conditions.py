"""Rows for figures: which conditions there are, how they are named, on what they were measured."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cellseg.data.splits import HELD_OUT, SPLITS
from cellseg.errors import UserError
from cellseg.io.wording import number_of
from cellseg.scoring.names import NO_TUNING
from cellseg.segmentation.by_cell_type import CELL_TYPE as BY_CELL_TYPE
from cellseg.tables import intervals

if TYPE_CHECKING:
    import pandas as pd

AXES = ["model", "heads", "subset"]
AXIS_NAMES = {
    "model": "model",
    "heads": "heads",
    "subset": "training subset",
    "tuning": "threshold search",
}
TABLES = ("images", "runs", "training", "sizes")
# Scores with nothing removed are the plain ones: every annotated cell counts.
PRIMARY = "kept"
NO_BREAK = "\N{NO-BREAK SPACE}"


def need(table: "pd.DataFrame", name: str, columns: Iterable[str]) -> None:
    """Raise a UserError when `columns` are missing from the table called `name`, or it is empty."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise UserError(f"table {name}.csv lacks the column(s) {', '.join(missing)}.")
    if table.empty:
        raise UserError(f"table {name}.csv has no rows: no run of the experiment was scored.")


def held_out(table: "pd.DataFrame") -> "pd.DataFrame":
    """Rows of test images and of held-out folds where a table has several splits, else all."""
    if "data_split" in table and (table["data_split"] == "test").any():
        return table[~table["data_split"].isin([split for split in SPLITS if split != "test"])]
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


def by_cell_type(runs: "pd.DataFrame", score: str) -> "pd.DataFrame":
    """Rows of single cell types of the table ``runs``, checked.

    Raises
    ------
    UserError
        The table lacks a column, or has no such rows.
    """
    runs = select(runs, cell_type=None)
    need(runs, "runs", [*AXES, "seed", "cell_type", score])
    runs = runs[runs["cell_type"].notna() & (runs["cell_type"] != "all")]
    need(runs, "runs (rows of single cell types)", [])
    return runs


def unique(table: "pd.DataFrame", columns: Sequence[str]) -> list[tuple]:
    """Distinct values of `columns`, in the order of the table."""
    return list(table[list(columns)].drop_duplicates().itertuples(index=False, name=None))


def rows_of(table: "pd.DataFrame", **values: str) -> "pd.DataFrame":
    """Rows where every named column has the given value."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def over_seeds(values: "pd.Series") -> tuple[float, float, float]:
    """Mean of one value a seed and its 95 % t interval; nan ends for too few seeds to draw one."""
    statistics = intervals.t_interval(values)
    enough = values.count() >= intervals.ENOUGH_SEEDS
    low, high = ((float(statistics[end]) if enough else float("nan")) for end in ("low", "high"))
    return float(statistics["mean"]), low, high


def ends(values: "pd.Series") -> tuple[float, float]:
    """Ends of the interval of :func:`over_seeds`, as seaborn's `errorbar` wants them."""
    return over_seeds(values)[1:]


def ends_within(lowest: float, highest: float) -> "Callable[[pd.Series], tuple[float, float]]":
    """As :func:`ends`, cut at the ends of what a value can be."""

    def cut(values: "pd.Series") -> tuple[float, float]:
        low, high = ends(values)
        return max(low, lowest), min(high, highest)  # both stay NaN where there is no interval

    return cut


def half_interval(values: "pd.Series") -> float:
    """Half of the interval of :func:`over_seeds`."""
    _, low, high = over_seeds(values)
    return (high - low) / 2


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


def subtitle(question: str, tables: Mapping[str, "pd.DataFrame"], rows: "pd.DataFrame") -> str:
    """What the experiment asks, and on how many images, cells and seeds the figure answers it.

    With the tuning that chose the thresholds, where there was one.

    Parameters
    ----------
    tables : the tables ``images`` and ``runs`` of an experiment
    rows : those that are shown, with the axes of a condition and seed
    """
    runs = tables["runs"]
    parts = [measured_on(tables["images"]), seeds(rows)[0], *tunings(runs)]
    measured = f"{'; '.join(filter(None, parts))}."
    return f"{question}\n{measured}" if question else measured


def tunings(runs: "pd.DataFrame") -> list[str]:
    """As :func:`tuned`, of each threshold search of the table ``runs``."""
    columns = [name for name in ("tuning", "tuned_by") if name in runs]
    return [tuned(*found) for found in unique(runs, columns)] if "tuning" in columns else []


def tuned(name: str | None, by: str | None = None) -> str:
    """By which entry of `threshold_searches` thresholds were chosen, in words; empty if by none.

    Parameters
    ----------
    by : ``cell-type`` if it chose for each cell type
    """
    if not name or name == NO_TUNING:
        return ""
    each = ", for each cell type," if by == BY_CELL_TYPE else ""
    return f"thresholds tuned{each} on validation images (search {name})"


def measured_on(images: "pd.DataFrame") -> str:
    """On how many images and cells the scores of these rows are, such as ``Test split of x: …``."""
    images = held_out(images)
    shown = images[images["small_objects"] == PRIMARY]
    once = (shown if len(shown) else images).drop_duplicates("image")
    data = ", ".join(sorted(once["dataset"].unique()))
    if "data_split" in once:
        split = once["data_split"].iloc[0]
        what = "images" if split == HELD_OUT else "split"
        data = f"{split[:1].upper()}{split[1:]} {what} of {data}"
    data += folds_together(images)
    cells = number_of(int(once["n_true"].sum()), "cell")
    return f"{data}: {number_of(len(once), 'image')}, {cells}"


def folds_together(images: "pd.DataFrame") -> str:
    """How many folds are one condition, such as ``, 5 folds together``; empty if none are.

    Parameters
    ----------
    images : the table ``images``, see :func:`cellseg.tables.folds.joined`
    """
    if "fold" not in images:
        return ""
    numbers = sorted(images.groupby("subset")["fold"].nunique().unique())
    if numbers[-1] == 1:
        return ""
    return f", {' or '.join(f'{number}' for number in numbers)} folds together"


def seeds(table: "pd.DataFrame") -> tuple[str, bool]:
    """How many seeds a condition has, in words, and whether any has more than one."""
    numbers = table.groupby(AXES, sort=False)["seed"].nunique()
    low, high = int(numbers.min()), int(numbers.max())
    return number_of(high, "seed") if low == high else f"{low} to {high} seeds", high > 1


def seeds_differ(table: "pd.DataFrame") -> bool:
    """Whether conditions have different numbers of seeds, so that each has to say its own."""
    return table.groupby(AXES, sort=False)["seed"].nunique().nunique() > 1


def with_seeds(name: str, rows: "pd.DataFrame") -> str:
    """Name of a condition, or of several alike, with their number of seeds, such as ``a (n = 2)``.

    Parameters
    ----------
    rows : of the condition
    """
    numbers = sorted(rows.groupby(AXES, sort=False)["seed"].nunique().unique())
    if not numbers:
        return name
    number = f"n = {numbers[0]}" + (f" to {numbers[-1]}" if len(numbers) > 1 else "")
    number = number.replace(" ", NO_BREAK)
    return f"{name} ({number})".strip()


def interval(table: "pd.DataFrame") -> str:
    """What the interval of a condition is, in words; empty where no condition has seeds enough."""
    numbers = table.groupby(AXES, sort=False)["seed"].nunique()
    if numbers.max() < intervals.ENOUGH_SEEDS:
        return ""
    few = numbers.min() < intervals.ENOUGH_SEEDS
    return "95 % t interval of that mean" + (
        f" where it is over {intervals.ENOUGH_SEEDS} seeds or more" if few else ""
    )


def no_interval(table: "pd.DataFrame") -> str:
    """Why there is no interval, such as ``mean over 2 seeds, too few for an interval``."""
    number, several = seeds(table)
    return (
        f"mean over {number}, too few for an interval" if several else f"{number}, so no interval"
    )


def band(table: "pd.DataFrame") -> str:
    """What lines and bands mean, as a sentence."""
    drawn = interval(table)
    if not drawn:
        return f"Lines: {no_interval(table)}. "
    return f"Lines: mean over {seeds(table)[0]}; bands: {drawn}. "


def spread(table: "pd.DataFrame", mark: str = "Bars") -> str:
    """What bars, whiskers and points mean, as a sentence."""
    number, several = seeds(table)
    drawn = interval(table)
    points = "; points: single seeds" if several else ""
    if not drawn:
        return f"{mark}: {no_interval(table)}{points}. "
    return f"{mark}: mean over {number}; whiskers: {drawn}, cut where a score ends{points}. "
