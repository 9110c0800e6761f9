"""A score against a quantity: a line with a band a condition, in as many panels as they need."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cellseg.figures import marks, style
from cellseg.tables import conditions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 8  # lines a panel: more cannot be distinguished
PANEL_HEIGHT, WIDE_PANEL_HEIGHT, STRIP_HEIGHT = 48.0, 64.0, 14.0  # mm
NARROW = 4  # lines that a single column has room for
BAND = {"alpha": 0.18, "linewidth": 0}
FEW = 3  # lines a panel, up to which single points do not hide them


def look(number: int) -> dict[str, str]:
    """Colour, marker and dashes of the line with this number; the first 28 differ."""
    colours, markers, dashes = style.SERIES_COLOURS, style.SERIES_MARKERS, style.SERIES_LINES
    turn = number // len(colours)
    return {
        "color": colours[number % len(colours)],
        "marker": markers[(number + turn) % len(markers)],
        "linestyle": dashes[turn % len(dashes)],
    }


def arrange(table: "pd.DataFrame") -> tuple[list[str], list[str]]:
    """Choose the axes that panels show, and those that lines of a panel show.

    One panel if its lines can be distinguished, else as few as that takes.
    """
    varying = conditions.varying(table)
    for number in range(len(varying) + 1):
        fitting = []
        for panels in itertools.combinations(varying, number):
            lines = [axis for axis in varying if axis not in panels]
            if not lines or len(table[lines].drop_duplicates()) <= MOST:
                n_panels = len(conditions.unique(table, panels)) if panels else 1
                fitting.append((n_panels, list(panels), lines))
        if fitting:
            _, panels, lines = min(fitting, key=lambda choice: choice[0])
            return panels, lines
    raise AssertionError("unreachable: a panel a condition always fits")


def octave_of(numbers: "pd.Series") -> "pd.Series":
    """Lower end of the octave of each number of 1 or more: 1, 2, 4, …"""
    import numpy as np

    return 2.0 ** np.floor(np.log2(numbers))


def draw(
    values: "pd.DataFrame",
    title: str,
    subtitle: str,
    note: str,
    x_name: str,
    y_name: str,
    counts: "pd.DataFrame | None" = None,
    counts_name: str = "",
    points: "pd.DataFrame | None" = None,
    points_name: str = "",
    guides: Sequence[float] = (),
    guides_name: str = "",
) -> "Figure":
    """Draw the lines of all conditions.

    Parameters
    ----------
    values : the axes of a condition, seed, x and value; lines are their means over seeds
    counts : columns start, end and number: how many there are of each range of x, drawn below
        each panel; with it the horizontal axis is logarithmic, and ranges are octaves
    counts_name : of what
    points : the axes of a condition, x and value; shown where lines are few, or where there is
        none, with the markers of the conditions
    points_name : what they are
    guides : places of vertical lines
    guides_name : what they are
    """
    conditions_of = values if points is None else points
    panel_axes, line_axes = arrange(conditions_of)
    panels = conditions.unique(conditions_of, panel_axes) if panel_axes else [()]
    series = conditions.unique(conditions_of, line_axes) if line_axes else [()]
    looks = {name: look(number) for number, name in enumerate(series)}
    alone = values.empty
    if counts is not None:
        guides = [at for at in guides if counts["start"].min() <= at <= counts["end"].max()]
    points = points if len(series) <= FEW or alone else None
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    single = len(panels) == 1 and len(series) <= NARROW
    width = style.SINGLE_COLUMN if single else style.DOUBLE_COLUMN
    room = (width - 14) / columns - 4
    height = WIDE_PANEL_HEIGHT if len(panels) == 1 and not single else PANEL_HEIGHT
    heights = [height] if counts is None else [height, STRIP_HEIGHT]
    figure = style.new(width, sum(heights) * rows)
    grid = figure.subplots(
        rows * len(heights), columns, sharex=True, sharey="row", squeeze=False,
        gridspec_kw={"height_ratios": heights * rows},
    )  # fmt: skip
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        axes, *strip = grid[row * len(heights) : (row + 1) * len(heights), column]
        if number >= len(panels):
            for empty in (axes, *strip):
                empty.set_visible(False)
            continue
        here = dict(zip(panel_axes, panels[number], strict=True))
        for place in guides:
            axes.axvline(place, color=style.GREY, linewidth=0.6, linestyle=":", zorder=0)
        for name, drawn in looks.items():
            mine = here | dict(zip(line_axes, name, strict=True))
            if points is not None:
                _points(axes, conditions.rows_of(points, **mine), drawn, alone)
            if not alone:
                line(axes, conditions.rows_of(values, **mine), drawn, 3.5, err_kws=BAND)
        if panel_axes:
            text = conditions.label(here, panel_axes, "\n")
            axes.set_title(style.wrap(text, room), loc="left")
        lowest = strip[0] if strip else axes
        if strip:
            axes.tick_params(labelbottom=False)
            _strip(strip[0], counts, counts_name if column == 0 else "", room)
        if number + columns >= len(panels):
            lowest.tick_params(labelbottom=True)
            lowest.set_xlabel(x_name)
            lowest.xaxis.set_in_layout(row == rows - 1)
    drawn = grid[:: len(heights)].flat[: len(panels)]
    marks.score_axes(drawn, y_name)
    keys = []
    for name, drawn in looks.items() if len(series) > 1 else []:
        one = dict(zip(line_axes, name, strict=True))
        text = conditions.label(one, line_axes)
        if "seed" in values and conditions.seeds_differ(values):
            text = conditions.with_seeds(text, conditions.rows_of(values, **one))
        shown = drawn | ({"linestyle": ""} if alone else {})
        keys.append(marks.line_key(style.wrap(text, width - 16), **shown))
    if points is not None:
        look_of = {"marker": "o", "markersize": 2.5, "linestyle": "", "alpha": 0.5}
        if not alone:
            keys.append(marks.line_key(points_name, color=style.GREY, **look_of))
        elif len(series) == 1:
            keys.append(marks.line_key(points_name, **looks[series[0]] | {"linestyle": ""}))
    if guides:
        look_of = {"linestyle": ":", "linewidth": 0.8, "color": style.GREY}
        keys.append(marks.line_key(style.wrap(guides_name, width - 16), **look_of))
    return style.finish(figure, title, note, keys, subtitle=subtitle)


def line(
    axes: "Axes",
    rows: "pd.DataFrame",
    drawn: dict[str, str],
    size: float,
    highest: float = 1,
    **interval,
) -> None:
    """A line through the means of ``value`` over seeds at each ``x``, with their intervals.

    Parameters
    ----------
    drawn : colour, marker and dashes
    size : of the marker, points
    highest : that a value can be; intervals end there, and at 0
    interval : how seaborn draws it
    """
    import seaborn as sns
    from matplotlib.patheffects import Normal, Stroke

    # A white edge, so that points of the same colour do not hide the line.
    edged = [Stroke(linewidth=2.2, foreground="white"), Normal()]
    symbols = {"marker": drawn["marker"], "markersize": size}
    number = len(axes.lines)
    sns.lineplot(
        rows, x="x", y="value", errorbar=conditions.ends_within(0, highest), color=drawn["color"],
        linestyle=drawn["linestyle"], path_effects=edged, zorder=3, legend=False, ax=axes,
        **interval,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.plot(
        *axes.lines[number].get_data(), color=drawn["color"], linestyle="", **symbols,
        markeredgecolor="white", markeredgewidth=0.4, zorder=4,
    )  # fmt: skip


def _points(axes: "Axes", points: "pd.DataFrame", drawn: Mapping[str, str], alone: bool) -> None:
    """Points behind a line, or instead of one."""
    size = marks.point_size(len(points)) ** 2
    axes.scatter(
        points["x"], points["value"], 3 * size if alone else size / 2, color=drawn["color"],
        marker=drawn["marker"] if alone else "o", alpha=0.8 if alone else 0.4, linewidth=0,
        zorder=2, rasterized=len(points) > 2000,
    )  # fmt: skip


def _strip(axes: "Axes", counts: "pd.DataFrame", name: str, room: float) -> None:
    """How many there are of each octave, below a panel."""
    import seaborn as sns
    from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

    first, last = counts["start"].min(), counts["end"].max()
    octaves = round(math.log2(last / first))
    edges = [first * 2**number for number in range(octaves + 1)]
    axes.set_xscale("log", base=2)
    sns.histplot(
        counts, x="start", weights="number", bins=[math.log2(edge) for edge in edges], alpha=1,
        color=style.LIGHT_GREY, edgecolor=style.GREY, linewidth=0.4, ax=axes,
    )  # fmt: skip
    axes.set_xlabel("")
    axes.set_ylim(0, counts["number"].max() * 1.1)
    axes.set_ylabel(name)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    # Labels at as many ends of octaves as have room.
    texts = [f"{edge:,.0f}" for edge in edges]
    wanted = max(style.text_width(text) for text in texts) + 1.5
    step = math.ceil(wanted * octaves / room)
    shown = [text if place % step == 0 else "" for place, text in enumerate(texts)]
    if step > 1:
        shown[-1] = ""  # it would reach into the next panel, or beyond the page
    axes.xaxis.set_major_locator(FixedLocator(edges))
    axes.xaxis.set_major_formatter(FixedFormatter(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(first / 1.1, last * 1.1)
