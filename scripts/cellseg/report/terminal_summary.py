"""The short table that a finished study prints: one row a condition, and where to look."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg.data.splits import HELD_OUT
from cellseg.errors import UserError
from cellseg.io import run_files, terminal
from cellseg.io.wording import number_of
from cellseg.scoring import found_nothing
from cellseg.study import folds
from cellseg.tables import conditions, glossary, read
from cellseg.tables.glossary import NOT_KNOWN
from cellseg.tables.intervals import ENOUGH_SEEDS
from cellseg.tables.step_times import step_times

if TYPE_CHECKING:
    import pandas as pd

SCORES = glossary.named("f1_50", "msa", "pixel_iou")
WIDTH = 88
"""Of the lines beneath the table, in characters."""


def table(folder: str | Path) -> str:
    """Scores of all conditions of a data set, from the tables of its experiments.

    A condition that several experiments share is listed once. Folds are one condition together.

    Parameters
    ----------
    folder : results of one data set, which has ``tables/<experiment>/``

    Returns
    -------
    str
        Lines for a terminal: what is shown, one row a condition, and where the report, tables
        and figures are.

    Raises
    ------
    UserError
        No experiment has tables yet.
    """
    folder = Path(folder)
    summary, runs, training = (_all(folder, name) for name in ("summary", "runs", "training"))
    summary, runs = conditions.select(summary), conditions.select(runs)
    axes = [*conditions.AXES, *(["tuning"] if "tuning" in summary and "tuning" in runs else [])]
    needed = [*axes, "n_seeds", "n_images", *(f"{score.name}_mean" for score in SCORES)]
    conditions.need(summary, f"{folder}/tables/*/summary", needed)
    # Of a condition that several experiments share, show the one with the most seeds.
    order = summary["n_seeds"].sort_values(ascending=False, kind="stable").index
    kept = summary.loc[order].drop_duplicates(axes).index
    summary = summary.loc[sorted(kept)]
    named = conditions.varying(summary, axes) or ["model"]

    heading = [*named, "seeds", *(score.heading for score in SCORES), "predicted/true", "ms/step"]
    lines = []
    for row in summary.to_dict("records"):
        here = {axis: row[axis] for axis in conditions.AXES}
        lines.append(
            [
                *(str(row[axis]) for axis in named),
                f"{row['n_seeds']:.0f}",
                *(glossary.with_interval(row, score) for score in SCORES),
                _ratio(conditions.rows_of(runs, **{axis: row[axis] for axis in axes})),
                _step(_trained(training, here)),
            ]
        )
    nothing = summary[summary["f1_50_mean"] < found_nothing.LEAST_F1]
    shown_axes = [axis for axis in axes if axis not in named]
    if "tuning" in shown_axes and (summary["tuning"] == NOT_KNOWN).all():
        shown_axes.remove("tuning")
    definitions = glossary.definitions(SCORES, lambda score: score.heading)
    fixed = conditions.constants(summary, shown_axes)
    number = _range(summary["n_images"])
    enough = (summary["n_seeds"] >= ENOUGH_SEEDS).any()
    interval = "; ± is half of the 95 % t interval over seeds" if enough else ""
    split = f"{_scored(summary['data_split'].iloc[0])}, " if "data_split" in summary else ""
    return "\n".join(
        [
            f"{folder.name}: {fixed}".rstrip(),
            "",
            *_fitting(heading, lines, len(named)),
            "",
            *textwrap.wrap(
                f"Means over images ({split}{number}), small objects {conditions.PRIMARY}, then "
                f"over seeds{interval}. {definitions}. "
                "predicted/true compares the numbers of cells; ms/step: "
                f"{glossary.STEP.meaning}, mean over seeds.",
                WIDTH,
            ),
            "",
            *_almost_nothing(nothing[named]),
            *_where(folder),
        ]
    )


def _almost_nothing(conditions_of: "pd.DataFrame") -> list[str]:
    """A warning for the conditions whose networks found almost nothing; no lines for none."""
    if conditions_of.empty:
        return []
    which = "; ".join(" ".join(map(str, row)) for row in conditions_of.itertuples(index=False))
    text = (
        f"Warning: found almost nothing (F1 at IoU 0.5 below {found_nothing.LEAST_F1}): {which}. "
        f"See {run_files.TRAIN.log} and {run_files.SCORE.log} of these runs for the reason."
    )
    return [*textwrap.wrap(text, WIDTH), ""]


def _scored(split: str) -> str:
    return "held-out images of folds" if split == HELD_OUT else f"{split} split"


def _trained(training: "pd.DataFrame", here: Mapping[str, str]) -> "pd.DataFrame":
    """Rows of a condition, those of its folds if it is all of them together."""
    subset = here["subset"]
    own = training["subset"].str.startswith(folds.name_of(subset, ""))
    rows = training[(training["subset"] == subset) | own].assign(fold=training["subset"])
    return conditions.rows_of(rows, model=here["model"], heads=here["heads"])


def _all(folder: Path, name: str) -> "pd.DataFrame":
    """Tables called `name` of all experiments, one below the other."""
    import pandas as pd

    paths = sorted(folder.glob(f"tables/*/{name}.csv"))
    if not paths:
        raise UserError(
            f"{folder} has no tables/<experiment>/{name}.csv: nothing to sum up yet. "
            "Run the study first, for instance with 'make demo'."
        )
    return pd.concat([_of_folds(path, read.read(path)) for path in paths], ignore_index=True)


def _of_folds(path: Path, table: "pd.DataFrame") -> "pd.DataFrame":
    """The same scores of all folds together, where an experiment scores folds."""
    together = {"summary": "out_of_fold_summary", "runs": "out_of_fold"}.get(path.stem)
    if together is None or "data_split" not in table:
        return table
    pooled = path.with_stem(together)
    of_folds = (table["data_split"] == HELD_OUT).all() and pooled.exists()
    return read.read(pooled) if of_folds else table


def _ratio(runs: "pd.DataFrame") -> str:
    """Predicted over true cells, all images and seeds together."""
    runs = runs.drop_duplicates("seed")  # an experiment may repeat the run of another
    true = runs["n_true"].sum()
    return f"{runs['n_pred'].sum() / true:.2f}" if true > 0 else NOT_KNOWN


def _step(training: "pd.DataFrame") -> str:
    """Mean over seeds, as in the formatted tables."""
    epoch = [name for name in ("seed", "epoch", "fold", "cell_type") if name in training]
    times = step_times(training.drop_duplicates(epoch))  # an experiment may repeat another's run
    return glossary.with_interval({"step_ms_mean": times.mean()}, glossary.STEP)


def _range(numbers: "pd.Series") -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return number_of(high, "image") if low == high else f"{low} to {high:,} images"


def _fitting(heading: list[str], lines: list[list[str]], left: int) -> list[str]:
    """Columns under their headings, the first `left` ones flush left.

    If they are too wide for a terminal, the names of a condition are on a separate line.
    """
    rows = [heading, *lines]
    if sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True)) - 2 > terminal.WIDTH:
        rows, left = [[", ".join(row[:left]), *row[left:]] for row in rows], 1
    shown = terminal.aligned(rows, left)
    below = next(place for place, line in enumerate(shown, 1) if line.endswith(heading[-1]))
    rule = "-" * max(map(len, shown))
    return [line.rstrip() for line in (*shown[:below], rule, *shown[below:])]


def _where(folder: Path) -> list[str]:
    """What there is to look at, each with its path."""
    places = {
        "Report": sorted(folder.glob("report.html")),
        "Figures": sorted(folder.glob("figures/*/*.png")),
        "Tables": sorted(folder.glob("tables/*/summary.csv")),
        "Overlays": sorted(folder.glob(f"runs/**/{run_files.OVERLAY_PNG}")),
    }
    lines = []
    for name, paths in places.items():
        for path in paths[:4]:
            lines.append(f"{name if path == paths[0] else '':<10}{path}")
        if len(paths) > 4:
            lines.append(f"{'':<10}and {len(paths) - 4} more")
    return lines
