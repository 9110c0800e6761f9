"""F1 by head combination, with and without small objects (figure 5 of the report)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.figures import marks, style
from cellseg.tables import conditions, glossary
from cellseg.targets import channels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "F1 score by head combination"
SCORE = glossary.KNOWN["f1_50"]
COLOURS = {"kept": style.BLUE, "removed": style.ORANGE}
PANEL_HEIGHT, ROW_HEIGHT, LABEL_WIDTH = 38.0, 4.2, 30.0  # mm
GROUP_WIDTH = 8.0  # mm that one head combination needs at least


@style.styled
def f1_by_heads(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """Bars by head combination, one panel a model and training subset.

    The combinations are written as a matrix of dots below the bars, one row a head, so that long
    combinations stay readable. Where a panel's condition has no run of a combination, it says so.

    Parameters
    ----------
    tables : the tables ``images`` and ``runs`` of an experiment
    question : what the experiment asks, written below the title
    """
    runs = conditions.select(tables["runs"], small_objects=None)
    conditions.need(runs, "runs", [*conditions.AXES, "seed", "small_objects", SCORE.name])
    combinations = [heads for (heads,) in conditions.unique(runs, ["heads"])]
    panels = conditions.unique(runs, ["model", "subset"])
    named = {head for heads in combinations for head in heads.split("+")}
    rows = sorted(named, key=lambda head: (_rank(head), head))

    panel_width = max(26.0, GROUP_WIDTH * len(combinations))
    fits = LABEL_WIDTH + panel_width * len(panels) <= style.SINGLE_COLUMN
    width = style.SINGLE_COLUMN if fits else style.DOUBLE_COLUMN
    columns = max(1, min(len(panels), int((width - LABEL_WIDTH) // panel_width)))
    subsets = runs["subset"].nunique()
    if 1 < subsets <= columns and len(panels) == subsets * runs["model"].nunique():
        columns = subsets  # a line a model
    lines = -(-len(panels) // columns)
    matrix = ROW_HEIGHT * len(rows) + 2
    figure = style.new(width, (PANEL_HEIGHT + 6) * lines + matrix)
    grid = figure.add_gridspec(
        lines + 1, columns, height_ratios=[PANEL_HEIGHT + 6] * lines + [matrix]
    )
    axes_named = conditions.varying(runs, ["model", "subset"])
    for number, (model, subset) in enumerate(panels):
        line, column = divmod(number, columns)
        axes = figure.add_subplot(grid[line, column])
        here = {"model": model, "subset": subset}
        _bars(axes, conditions.rows_of(runs, **here), combinations, conditions.seeds_differ(runs))
        axes.tick_params(labelleft=column == 0)
        axes.tick_params(axis="x", length=0, labelbottom=False)
        if axes_named:
            text = conditions.label(here, axes_named, "\n")
            axes.set_title(style.wrap(text, (width - LABEL_WIDTH) / columns), loc="left")
    marks.score_axes(figure.axes, SCORE.heading)
    for column in range(columns):
        _matrix(figure.add_subplot(grid[lines, column]), combinations, rows, column == 0)

    kinds = [kind for kind in COLOURS if (runs["small_objects"] == kind).any()]
    note = (
        conditions.constants(runs, ["model", "subset"])
        + f"{SCORE.meaning}, mean over images. "
        + conditions.spread(runs)
        + (marks.NUMBERS if conditions.seeds_differ(runs) else "")
    )
    keys = [marks.patch_key(COLOURS[kind], f"small objects {kind}") for kind in kinds]
    subtitle = conditions.subtitle(question, tables, runs)
    return style.finish(figure, TITLE, note, keys, subtitle=subtitle)


def _rank(head: str) -> int:
    order = list(channels.USED)
    return order.index(head) if head in order else len(order)


def _bars(axes: "Axes", runs: "pd.DataFrame", combinations: list[str], numbered: bool) -> None:
    kinds = [kind for kind in COLOURS if (runs["small_objects"] == kind).any()]
    width = 0.8 / max(len(kinds), 1)
    place = runs["heads"].map(combinations.index)
    side = runs["small_objects"].map(kinds.index) - (len(kinds) - 1) / 2
    table = runs.assign(at=place + side * width, value=runs[SCORE.name])
    table["series"] = runs["small_objects"]
    marks.bars(axes, table, 0.92 * width, COLOURS)
    if numbered:
        marks.numbers(axes, table, COLOURS)
    marks.unseen(axes, table)
    for missing in sorted(set(range(len(combinations))) - set(place)):
        # An empty place would read as a score of 0.
        look = {"size": style.SMALL_SIZE, "color": style.GREY, "rotation": 90}
        axes.text(missing, 0, " not run", ha="center", va="bottom", **look)
    marks.group_axis(axes, len(combinations))


def _matrix(axes: "Axes", combinations: list[str], rows: list[str], labelled: bool) -> None:
    """One column a combination, one row a head; filled dots are the heads that it has."""
    for row in range(0, len(rows), 2):
        axes.axhspan(row - 0.5, row + 0.5, color="#F2F2F2", linewidth=0)
    for place, heads in enumerate(combinations):
        present = [row for row, head in enumerate(rows) if head in heads.split("+")]
        axes.scatter([place] * len(rows), range(len(rows)), 12, color=style.LIGHT_GREY)
        axes.plot([place] * 2, [min(present), max(present)], color=style.BLACK, linewidth=1)
        axes.scatter([place] * len(present), present, 14, color=style.BLACK, zorder=3)
    marks.group_axis(axes, len(combinations))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks(range(len(rows)), rows if labelled else [""] * len(rows))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
