"""Backbones side by side: scores, step time and size (table 1 of the report)."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cellseg.figures import marks, style
from cellseg.tables import conditions, glossary
from cellseg.tables.step_times import step_times

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Scores, step time and size of models"
SCORES = glossary.named("pixel_iou", "pixel_iou_pooled", "pixel_f1", "pixel_f1_pooled", "f1_50")
ROW_HEIGHT, HEADING, LINE = 9.0, 12.0, 3.0  # mm
LABEL_WIDTH, COLUMN_WIDTH = 36.0, 16.5  # mm


@style.styled
def backbones(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """One row a condition, one column a quantity, the number written above its bar.

    Step time is the median over the epochs of a run but its first (which compiles), then the mean
    over seeds.

    Parameters
    ----------
    tables : the tables ``images``, ``runs`` and ``training`` of an experiment
    question : what the experiment asks, written below the title
    """
    import pandas as pd

    runs = conditions.select(tables["runs"])
    training = tables["training"]
    conditions.need(runs, "runs", [*conditions.AXES, "seed", *(score.name for score in SCORES)])
    if training.empty:  # all cells were found by other programs
        training = training.reindex(columns=[*training, "step_ms"])
    else:
        conditions.need(
            training, "training", [*conditions.AXES, "seed", "step_ms", "backbone", "parameters"]
        )
    rows = [
        dict(zip(conditions.AXES, row, strict=True))
        for row in conditions.unique(runs, conditions.AXES)
    ]
    named = conditions.varying(runs) or ["model"]
    own_runs = [conditions.rows_of(runs, **row).set_index("seed") for row in rows]
    own_training = [conditions.rows_of(training, **row) for row in rows]
    labels = [
        style.wrap(
            conditions.with_seeds(_label(row, named, own), conditions.rows_of(runs, **row))
            if conditions.seeds_differ(runs)
            else _label(row, named, own),
            LABEL_WIDTH,
        )
        for row, own in zip(rows, own_training, strict=True)
    ]
    heights = [max(ROW_HEIGHT, LINE * (text.count("\n") + 1) + 1.5) for text in labels]
    ends = list(itertools.accumulate(heights))
    # The vertical axis is in mm, so that bars are equally thick whatever their label needs.
    places = [end - height / 2 for end, height in zip(ends, heights, strict=True)]

    figure = style.new(style.DOUBLE_COLUMN, HEADING + ends[-1])
    grid = figure.subplots(1, len(SCORES) + 2, sharey=True)
    for axes, score in zip(grid, SCORES, strict=False):
        values = [own[score.name] for own in own_runs]
        _column(axes, score.heading, places, values, style.BLUE, "{:.3f}", 1.0)
    times = [step_times(own) for own in own_training]
    _column(grid[-2], glossary.STEP.heading, places, times, style.ORANGE)
    sizes = [pd.Series([own["parameters"].max() / 1e6]) for own in own_training]
    _column(grid[-1], "weights (10⁶)", places, sizes, style.GREY)
    grid[0].set_yticks(places, labels)
    grid[0].set_ylim(ends[-1] + 0.5, 0)

    devices = sorted(training["device"].dropna().unique()) if "device" in training else []
    note = (
        conditions.constants(runs, [axis for axis in conditions.AXES if axis not in named])
        + f"Small objects {conditions.PRIMARY}; scores are means over images, but pooled ones; "
        f"{glossary.definitions(SCORES, lambda score: score.heading)}. "
        f"Step time{' on ' + ', '.join(devices) if devices else ''}: {glossary.STEP.meaning}. "
        + conditions.spread(runs)
        + ("n: seeds. " if conditions.seeds_differ(runs) else "")
        + ("Numbers: mean ± half of the interval." if conditions.interval(runs) else "")
    )
    subtitle = conditions.subtitle(question, tables, runs)
    return style.finish(figure, TITLE, note, gap=0.08, subtitle=subtitle)


def _label(row: Mapping[str, str], named: list[str], training: "pd.DataFrame") -> str:
    """Name of a condition, with its backbone if the name does not say it."""
    text = conditions.label(row, named)
    backbone = "".join(training["backbone"].dropna().head(1))
    return text if backbone.lower() in text.lower() else f"{text} ({backbone})"


def _column(
    axes: "Axes",
    name: str,
    places: Sequence[float],
    values: Sequence["pd.Series"],
    colour: str,
    form: str = "",
    upper: float | None = None,
) -> None:
    """Bars of one quantity with the numbers above them, of `values` by seed for each place."""
    import pandas as pd

    table = pd.concat(
        [of_row.rename_axis("seed").rename("value").reset_index().assign(at=place + 1.3)
         for place, of_row in zip(places, values, strict=True)]
    )  # fmt: skip
    marks.bars(axes, table.assign(series=name), 3.8, {name: colour}, True, upper or math.inf)
    for place, of_row in zip(places, values, strict=True):
        mean, half = conditions.over_seeds(of_row)[0], conditions.half_interval(of_row)
        written = form or ("{:,.1f}" if mean < 100 else "{:,.0f}")
        text = written.format(mean) if math.isfinite(mean) else "n/a"
        text += f" ± {written.format(half)}" if math.isfinite(half) else ""
        axes.text(0, place - 1.0, text, va="bottom", ha="left", size=style.SMALL_SIZE + 0.5)
    highest = axes.dataLim.x1 if math.isfinite(axes.dataLim.x1) else 1.0
    axes.set_xlim(0, upper * 1.02 if upper else max(highest * 1.08, 1e-9))
    axes.set_title(style.wrap(name, COLUMN_WIDTH, weight="bold"), loc="left", weight="bold")
    axes.locator_params(axis="x", nbins=4 if upper else 2)  # times have three digits and more
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_color(style.LIGHT_GREY)
