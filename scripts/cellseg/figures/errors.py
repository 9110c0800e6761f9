"""Errors by kind, as deepcell's graph defines them, per 100 true cells."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cellseg.figures import marks, style
from cellseg.tables import conditions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Errors per 100 true cells, by kind"
COLOURS = {
    "missed": style.BLUE,
    "gained": style.ORANGE,
    "merge": style.GREEN,
    "split": style.PURPLE,
    "catastrophe": style.VERMILLION,
}
BAR, LANE, GAP, LINE, AXIS = 3.8, 2.2, 2.0, 3.0, 8.0  # mm
LABEL_WIDTH, FOUND_WIDTH = 40.0, 16.0  # mm
LONGEST = 24  # rows of a column; more are in two


@style.styled
def errors(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """A stacked bar a condition; below it the sum of all kinds by seed, with its interval.

    Parameters
    ----------
    tables : the tables ``images`` and ``runs`` of an experiment
    question : what the experiment asks, written below the title
    """
    runs = conditions.select(tables["runs"])
    conditions.need(runs, "runs", [*conditions.AXES, "seed", "n_true", "correct", *COLOURS])
    runs = runs[runs["n_true"] > 0]
    conditions.need(runs, "runs (rows with true cells)", [])
    rates = runs[list(COLOURS)].div(runs["n_true"], axis=0) * 100
    found = 100 * (runs["correct"] - runs["catastrophe"]) / runs["n_true"]  # links alone
    runs = runs.assign(**rates, total=rates.sum(axis=1), found=found)
    named = conditions.varying(runs) or ["model"]
    rows = [
        dict(zip(conditions.AXES, row, strict=True))
        for row in conditions.unique(runs, conditions.AXES)
    ]
    own = [conditions.rows_of(runs, **row).sort_values("seed") for row in rows]
    differ = conditions.seeds_differ(runs)
    labels = [
        style.wrap(
            conditions.with_seeds(conditions.label(row, named), table)
            if differ
            else conditions.label(row, named),
            LABEL_WIDTH,
        )
        for row, table in zip(rows, own, strict=True)
    ]
    several = conditions.seeds(runs)[1]

    columns = 2 if len(rows) > LONGEST else 1
    length = -(-len(rows) // columns)
    parts = [slice(start, start + length) for start in range(0, len(rows), length)]
    least = BAR + GAP + (LANE if several else 0)
    heights = [max(least, LINE * (text.count("\n") + 1) + 1) for text in labels]
    body = max(sum(heights[part]) for part in parts)
    figure = style.new(style.DOUBLE_COLUMN, body + AXIS)
    grid = figure.subplots(1, columns, squeeze=False)[0]
    widest = max(style.text_width(line) for text in labels for line in text.split("\n"))
    room = (style.DOUBLE_COLUMN - 2 * style.MARGIN) / columns - widest - 6
    means = [{kind: float(table[kind].mean()) for kind in COLOURS} for table in own]
    ends = [*runs["total"], *(conditions.ends(table["total"])[1] for table in own)]
    highest = max(end for end in ends if end == end) or 1.0
    # Parts too narrow for their number have it behind the bar, for which bars make room.
    numbers_width = FOUND_WIDTH
    for _ in range(2):
        upper = highest * room / (room - numbers_width)
        narrow = [_narrow(rates, room / upper) for rates in means]
        numbers_width = (
            FOUND_WIDTH + max(style.text_width(text, style.SMALL_SIZE) for text in narrow) + 2
        )
        if numbers_width > room / 2:  # of many conditions: the numbers are in the table
            narrow, numbers_width = [""] * len(own), FOUND_WIDTH
    for axes, part in zip(grid, parts, strict=True):
        ends_of_rows = list(itertools.accumulate(heights[part]))
        middles = [
            end - height / 2 for end, height in zip(ends_of_rows, heights[part], strict=True)
        ]
        look = {"size": style.SMALL_SIZE, "color": style.GREY, "va": "center_baseline"}
        drawn = zip(middles, own[part], means[part], narrow[part], strict=True)
        for middle, table, rates, more in drawn:
            at = middle - (LANE / 2 if several else 0)
            _bar(axes, at, rates, room / upper)
            if more:
                axes.text(sum(rates.values()) + upper / room, at, more, **look)
            text = f"{table['found'].mean():.1f} found"
            axes.text(upper, at, text, ha="right", **look)
        if several:
            _lanes(axes, [middle + BAR / 2 for middle in middles], own[part])
        axes.set_xlim(0, upper)
        axes.set_ylim(body, 0)
        axes.set_yticks(middles, labels[part])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_color(style.LIGHT_GREY)
        axes.set_xlabel("errors per 100 true cells")
        axes.grid(axis="x")

    drawn, number = conditions.interval(runs), conditions.seeds(runs)[0]
    seeds = f"Bars: {f'mean over {number}' if drawn else conditions.no_interval(runs)}"
    if several:
        seeds += "; below each bar the sum of all kinds, with a point a seed"
        seeds += f" and the {drawn}" if drawn else ""
    note = (
        conditions.constants(runs, [axis for axis in conditions.AXES if axis not in named])
        + "Cells without a partner at IoU > 0.6 are sorted by those they overlap, at an IoU of 0.1 "
        "or more or with more than half of the smaller cell in the larger. Missed and gained count "
        "cells; a merge, split or catastrophe (several true in several predicted cells) counts "
        "once, however many cells it has. At the right: true cells of 100 with a partner. "
        f"Small objects {conditions.PRIMARY}. {seeds}.{' n: seeds.' if differ else ''}"
    )
    keys = [marks.patch_key(colour, kind) for kind, colour in COLOURS.items()]
    subtitle = conditions.subtitle(question, tables, runs)
    return style.finish(figure, TITLE, note, keys, subtitle=subtitle, gap=0.04)


def _fits(rate: float, scale: float) -> bool:
    """Whether the number of a part has room in it; `scale` is mm of one error per 100 cells."""
    return style.text_width(f"{rate:.1f}", style.SMALL_SIZE) + 1 <= rate * scale


def _narrow(rates: Mapping[str, float], scale: float) -> str:
    """Kinds whose number has no room in their part, with it; those of no error are left out."""
    some = [kind for kind, rate in rates.items() if rate and not _fits(rate, scale)]
    return ", ".join(f"{kind} {rates[kind]:.1f}" for kind in some)


def _bar(axes: "Axes", place: float, rates: Mapping[str, float], scale: float) -> None:
    """The rate of each kind next to the last, its number in it where it has room.

    `scale` is mm of one error per 100 cells.
    """
    left = 0.0
    for kind, colour in COLOURS.items():
        rate = rates[kind]
        axes.barh(place, rate, BAR, left, color=colour, edgecolor="white", linewidth=0.4)
        if _fits(rate, scale):
            axes.text(
                left + rate / 2, place, f"{rate:.1f}", size=style.SMALL_SIZE, ha="center",
                va="center_baseline", color="white" if colour in style.DARK else style.BLACK,
            )  # fmt: skip
        left += rate


def _lanes(axes: "Axes", places: Sequence[float], runs: Sequence["pd.DataFrame"]) -> None:
    """The sum of all kinds by seed, and the interval of its mean, on a line a condition."""
    import pandas as pd
    import seaborn as sns

    table = pd.concat([own.assign(at=place) for place, own in zip(places, runs, strict=True)])
    sns.lineplot(
        table, x="total", y="at", orient="y", errorbar=conditions.ends, err_style="bars",
        err_kws=marks.WHISKER, color=style.BLACK, linestyle="", zorder=3, legend=False, ax=axes,
    )  # fmt: skip
    axes.set_ylabel("")
    marks.seeds(axes, table["total"], table["at"])
