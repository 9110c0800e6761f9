"""Backbones side by side: scores, step time and size (table 1 of the report)."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.figures import conditions, marks, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCORES = {"pixel_iou": "pixel IoU", "pixel_f1": "pixel F1", "f1_50": "F1 at IoU 0.5"}
ROW_HEIGHT, HEADING = 9.0, 9.0  # mm
LABEL_WIDTH = 40.0  # mm


@style.styled
def backbones(tables: Mapping[str, "pd.DataFrame"], title: str = "Backbones compared") -> "Figure":
    """One row a condition, one column a quantity, the number written above its bar.

    Step time is the median over the epochs of a run but its first (which compiles), then the mean
    over seeds.

    Parameters
    ----------
    tables : the tables ``images``, ``runs``, ``summary`` and ``training`` of an experiment
    """
    runs = conditions.select(tables["runs"])
    summary = conditions.select(tables["summary"])
    training = tables["training"]
    conditions.need(runs, "runs", [*conditions.AXES, "seed", *SCORES])
    conditions.need(summary, "summary", [f"{score}_mean" for score in SCORES])
    conditions.need(
        training, "training", [*conditions.AXES, "seed", "step_ms", "backbone", "parameters"]
    )
    rows = conditions.unique(runs, conditions.AXES)
    named = conditions.varying(runs) or ["model"]

    figure = style.new(style.DOUBLE_COLUMN, HEADING + ROW_HEIGHT * len(rows))
    grid = figure.subplots(1, len(SCORES) + 2, sharey=True)
    for column, (score, name) in enumerate(SCORES.items()):
        statistics, values = [], []
        for row in rows:
            here = dict(zip(conditions.AXES, row, strict=True))
            statistics.append(conditions.interval(summary, score, **here))
            values.append(conditions.rows_of(runs, **here).sort_values("seed")[score].tolist())
        _column(grid[column], name, statistics, values, style.SERIES_COLOURS[0], "{:.3f}", 1.0)

    times = [
        _step_times(conditions.rows_of(training, **dict(zip(conditions.AXES, row, strict=True))))
        for row in rows
    ]
    statistics = [_t_interval(values) for values in times]
    _column(grid[-2], "step time (ms)", statistics, times, style.ORANGE)
    sizes, labels = [], []
    for row in rows:
        here = dict(zip(conditions.AXES, row, strict=True))
        own = conditions.rows_of(training, **here)
        millions = own["parameters"].max() / 1e6 if len(own) else math.nan
        sizes.append((millions, math.nan, math.nan))
        backbone = own["backbone"].dropna()
        about = f" ({backbone.iloc[0]})" if len(backbone) else ""
        text = conditions.label(here, named)
        text += about if about.strip(" ()").lower() not in text.lower() else ""
        labels.append(style.wrap(text, LABEL_WIDTH))
    _column(grid[-1], "parameters (10⁶)", sizes, [[]] * len(rows), style.GREY)
    grid[0].set_yticks(range(len(rows)), labels)
    grid[0].set_ylim(len(rows) - 0.4, -0.62)

    devices = sorted(training["device"].dropna().unique()) if "device" in training else []
    note = (
        conditions.constants(runs, [axis for axis in conditions.AXES if axis not in named])
        + conditions.measured_on(tables["images"])
        + f", small objects {conditions.PRIMARY}. Pixel IoU and pixel F1 compare foreground pixels; "
        "F1 at IoU 0.5 counts matched cells. Step time: median over the epochs of a run after its "
        f"first (or that one){', on ' + ', '.join(devices) if devices else ''}. "
        + conditions.spread(runs)
        + ("Numbers: mean ± half of the interval." if conditions.seeds(runs)[1] else "")
    )
    return style.finish(figure, title, note, gap=0.08)


def _column(
    axes: "Axes",
    name: str,
    statistics: list[tuple[float, float, float]],
    values: list[list[float]],
    colour: str,
    form: str = "",
    upper: float | None = None,
) -> None:
    """Bars of one quantity with the numbers above them."""
    for place, (row, seeds) in enumerate(zip(statistics, values, strict=True)):
        mean, low, high = row
        marks.bar(axes, place + 0.14, 0.42, row, seeds, colour, horizontal=True)
        if math.isfinite(mean):
            written = form or ("{:,.1f}" if mean < 100 else "{:,.0f}")
            half = f" ± {written.format((high - low) / 2)}" if math.isfinite(high - low) else ""
            axes.text(
                0,
                place - 0.14,
                written.format(mean) + half,
                va="bottom",
                ha="left",
                size=style.SMALL_SIZE + 0.5,
            )
    ends = [end for row in statistics for end in (row[0], row[2]) if math.isfinite(end)]
    highest = max([*ends, *(value for seeds in values for value in seeds)], default=1.0)
    axes.set_xlim(0, upper * 1.02 if upper else max(highest * 1.08, 1e-9))
    axes.set_title(name, loc="left", weight="bold")
    axes.locator_params(axis="x", nbins=4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_color(style.LIGHT_GREY)


def _step_times(training: "pd.DataFrame") -> list[float]:
    """Milliseconds a step, one a seed."""
    times = []
    for _, run in training.sort_values(["seed", "epoch"]).groupby("seed"):
        steps = run["step_ms"].dropna()
        if len(steps):
            times.append(float((steps.iloc[1:] if len(steps) > 1 else steps).median()))
    return times


def _t_interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and its 95 % t interval; nan ends for fewer than two values."""
    import numpy as np
    from scipy.stats import t

    if not values:
        return (math.nan,) * 3
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return mean, float(mean - half), float(mean + half)
