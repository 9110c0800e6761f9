"""The published figures of one document next to ours."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellseg.figures import marks, style
from cellseg.scoring.names import ALL_TYPES
from cellseg.tables import glossary, papers, published

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, HEADING, AXIS, LABEL_WIDTH = 4.6, 6.0, 8.0, 74.0  # mm
OURS = style.BLUE
LANE = 0.22  # of a row, between published and ours
PUBLISHED_SIZE, OUR_SIZE = 3.6, 3.2  # points


@style.styled
def paper(lines: Sequence[papers.Line], title: str, study: str = "") -> "Figure":
    """A row a system, a column a metric and treatment of small objects.

    Parameters
    ----------
    lines : of one document, from :func:`cellseg.tables.papers.lines`
    title : of the figure
    study : what our numbers are of, in a sentence
    """
    names = list(dict.fromkeys(_row(line) for line in lines))
    columns = list(dict.fromkeys(_column(line) for line in lines))
    kinds = list(dict.fromkeys(line.figure.cell_type for line in lines))
    looks = {kind: _look(kind, kinds) for kind in kinds}
    widest = min(LABEL_WIDTH, max(map(style.text_width, names)) + 1)
    labels = [style.wrap(name, widest) for name in names]
    heights = [max(ROW, 3.0 * (text.count("\n") + 1) + 1.2) for text in labels]
    places, end = [], 0.0
    for height in heights:
        places.append(end + height / 2)
        end += height
    headings = [
        style.wrap(name, (168 - widest) / len(columns) - 2, weight="bold") for name, _ in columns
    ]
    above = HEADING + 3.2 * max(text.count("\n") for text in headings)
    figure = style.new(style.DOUBLE_COLUMN, end + above + AXIS)
    grid = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, column, heading in zip(grid, columns, headings, strict=True):
        mine = [line for line in lines if _column(line) == column]
        _panel(axes, mine, dict(zip(names, places, strict=True)), looks)
        axes.set_title(heading, loc="left", weight="bold")
        axes.set_xlabel(column[1])
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.locator_params(axis="x", nbins=4)
    grid[0].set_yticks(places, labels)
    grid[0].set_ylim(end, 0)
    keys = [
        marks.line_key(kind, linestyle="", markersize=PUBLISHED_SIZE, color=style.BLACK,
                       markerfacecolor="none", marker=look)
        for kind, look in looks.items()
    ]  # fmt: skip
    keys = keys if len(keys) > 1 else []
    some = any(line.ours for line in lines)
    if some:
        keys.append(marks.line_key("ours", linestyle="", marker="o", markersize=5, color=OURS))
    note = (
        "Hollow, upper: published, as printed, with its standard deviation where one was. "
        + (
            "Blue, lower: ours, mean over seeds with its 95 % t interval from three seeds up. "
            if some
            else "The study has no matching condition. "
        )
        + f"{study} Not all of these may be compared: the table says what differs."
    )
    return style.finish(figure, title, note, keys, gap=0.04)


def _row(line: papers.Line) -> str:
    figure = line.figure
    if figure.trained_on == f"{figure.dataset} {figure.cell_type}":
        return f"{figure.system} (each cell type)"
    return papers.name(figure)


def _column(line: papers.Line) -> tuple[str, str]:
    """Name of a metric, and of what it is if that is said to differ, and its unit."""
    score = glossary.KNOWN.get(line.figure.metric)
    name = score.heading if score else line.figure.metric
    split = line.figure.split
    differences = f", {split}" if split not in ("", "test") else ""
    differences += ", small objects removed" if line.figure.small_objects == "removed" else ""
    return f"{name}{differences}", "ms" if line.figure.unit == "ms" else ""


def _look(kind: str, kinds: Sequence[str]) -> str:
    """Marker of a cell type; that of all types is a circle."""
    others = [one for one in kinds if one != ALL_TYPES]
    markers = (*style.SERIES_MARKERS[1:], "<", ">", "p", "h")
    return "o" if kind == ALL_TYPES else markers[others.index(kind) % len(markers)]


def _panel(
    axes: "Axes", lines: Sequence[papers.Line], places: dict[str, float], looks: dict[str, str]
) -> None:
    highest = 0.0
    for line in lines:
        at, marker = places[_row(line)], looks[line.figure.cell_type]
        scale = published.UNITS.get(line.figure.unit, 1.0)
        value, deviation = line.figure.value * scale, (line.figure.sd or 0) * scale
        axes.errorbar(
            value, at - LANE * ROW, xerr=deviation or None, marker=marker,
            markersize=PUBLISHED_SIZE,
            color=style.BLACK, markerfacecolor="white", markeredgewidth=0.7, linestyle="",
            elinewidth=0.6, zorder=3,
        )  # fmt: skip
        highest = max(highest, value + deviation)
        if line.ours is None:
            continue
        ours = line.ours
        ends = [[ours.mean - ours.low], [ours.high - ours.mean]]
        axes.errorbar(
            ours.mean, at + LANE * ROW, xerr=ends if math.isfinite(ours.low) else None,
            marker=marker, markersize=OUR_SIZE, color=OURS, linestyle="", elinewidth=0.8, zorder=3,
        )  # fmt: skip
        highest = max(highest, ours.mean, ours.high if math.isfinite(ours.high) else 0)
    axes.set_xlim(0, 1.02 if all(line.figure.unit != "ms" for line in lines) else 1.08 * highest)
