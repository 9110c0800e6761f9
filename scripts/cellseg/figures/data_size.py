"""Score against the number of training images."""

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg import main_scores
from cellseg.figures import conditions, curves, marks, style

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "F1 score by number of training images"
SCORE = main_scores.KNOWN["f1_50"]


@style.styled
def data_size(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """Mean F1 with its interval by the number of training images, a line a model.

    One panel a head combination where both models and heads differ.

    Parameters
    ----------
    tables : the tables ``images``, ``runs``, ``summary`` and ``training`` of an experiment;
        ``training`` has the column ``train_images``
    question : what the experiment asks, written below the title
    """
    import numpy as np

    runs = conditions.select(tables["runs"])
    summary = conditions.select(tables["summary"])
    training = tables["training"]
    conditions.need(runs, "runs", [*conditions.AXES, "seed", SCORE.name])
    conditions.need(summary, "summary", [*conditions.AXES, f"{SCORE.name}_mean"])
    conditions.need(training, "training", [*conditions.AXES, "train_images"])
    sizes = training.groupby(conditions.AXES, as_index=False, sort=False)["train_images"].max()
    summary = summary.merge(sizes, on=conditions.AXES).sort_values("train_images", kind="stable")
    runs = runs.merge(sizes, on=conditions.AXES)
    conditions.need(summary, "training (rows of the scored runs)", [])

    named = conditions.varying(runs, ["model", "heads"])
    lines_of = "heads" if named == ["heads"] else "model"
    panels = conditions.unique(runs, ["heads"]) if len(named) == 2 else [(None,)]
    series = [name for (name,) in conditions.unique(runs, [lines_of])]
    columns = min(len(panels), 3)
    width = style.SINGLE_COLUMN if len(panels) == 1 else style.DOUBLE_COLUMN
    rows = -(-len(panels) // columns)
    figure = style.new(width, 62 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    looks = {name: curves.look(number) for number, name in enumerate(series)}
    ends = [runs[SCORE.name], *(summary[f"{SCORE.name}_{end}"] for end in ("mean", "low", "high"))]
    low, high = _limits(np.concatenate([values.to_numpy(float) for values in ends]))
    ticks = np.sort(sizes["train_images"].unique())
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        (heads,) = panels[number]
        here = {} if heads is None else {"heads": heads}
        for place, name in enumerate(series):
            # Series stand a little beside each other, so that whiskers do not hide one another.
            shift = 1.03 ** (place - (len(series) - 1) / 2)
            mine = here | {lines_of: name}
            _line(
                axes,
                conditions.rows_of(runs, **mine),
                conditions.rows_of(summary, **mine),
                shift,
                looks[name],
            )
        if heads is not None:
            room = (width - 14) / columns - 4
            axes.set_title(style.wrap(conditions.label(here, ["heads"]), room), loc="left")
        marks.score_axis(axes, high, SCORE.heading if number % columns == 0 else "")
        axes.set_ylim(low, high)
        if number + columns >= len(panels):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("training images (log scale)")
        _ticks(axes, ticks, (width - 16) / columns - 4)
    keys = [
        marks.line_key(style.wrap(conditions.label({"": name}, [""]), width - 16), **look)
        for name, look in looks.items()
    ]
    note = (
        conditions.constants(runs, ["model", "heads"])
        + f"{SCORE.meaning}, mean over images, small objects {conditions.PRIMARY}. "
        + conditions.spread(runs, "Symbols")
        + ("The vertical axis does not start at 0." if low > 0 else "")
    )
    subtitle = conditions.subtitle(question, tables, runs)
    keys = keys if len(series) > 1 else []
    return style.finish(figure, TITLE, note, keys, subtitle=subtitle)


def _line(
    axes: "Axes", runs: "pd.DataFrame", summary: "pd.DataFrame", shift: float, look: dict
) -> None:
    """One series: a line through the means, whiskers, and a point a seed."""
    colour = look["color"]
    means = summary.groupby("train_images")[f"{SCORE.name}_mean"].mean()
    axes.plot(means.index * shift, means, color=colour, linestyle=look["linestyle"])
    for row in summary.itertuples():
        at = row.train_images * shift
        statistics = tuple(getattr(row, f"{SCORE.name}_{part}") for part in ("mean", "low", "high"))
        marks.whisker(axes, at, statistics, colour)
        axes.plot(
            at,
            statistics[0],
            color=colour,
            marker=look["marker"],
            zorder=4,
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.4,
        )
    if runs["seed"].nunique() > 1:
        axes.scatter(
            runs["train_images"] * shift,
            runs[SCORE.name],
            marks.SEED_SIZE,
            zorder=5,
            color="white",
            edgecolor=colour,
            linewidth=0.5,
        )


def _limits(values: "np.ndarray") -> tuple[float, float]:
    """Round limits around scores, within what a score can be."""
    values = values[values == values].clip(0, 1)
    if not values.size:
        return 0.0, 1.0
    low = math.floor((values.min() - 0.02) * 20) / 20
    high = math.ceil((values.max() + 0.02) * 20) / 20
    if high - low < 0.2:  # differences within noise should not look large
        low, high = low - 0.1, high + 0.1
    return max(round(low, 2), 0.0), min(round(high, 2), 1.02)


def _ticks(axes: "Axes", sizes: "np.ndarray", width: float) -> None:
    """Ticks at the sizes that were used, upright where they would collide.

    Of sizes that are too close even so the smaller has no label.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    low, high = sizes[0] / 1.3, sizes[-1] * 1.3
    scale = width / math.log(high / low)
    texts = [f"{size:,.0f}" for size in sizes]
    places = [math.log(size / low) * scale for size in sizes]
    wanted = max(style.text_width(text) for text in texts) + 1.5
    crowded = any(b - a < wanted for a, b in itertools.pairwise(places))
    last = math.inf
    for number in range(len(sizes) - 1, -1, -1):
        if last - places[number] < (2.6 if crowded else wanted):
            texts[number] = ""
        else:
            last = places[number]
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(sizes.tolist()))
    axes.xaxis.set_major_formatter(FixedFormatter(texts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", rotation=90 if crowded else 0)
