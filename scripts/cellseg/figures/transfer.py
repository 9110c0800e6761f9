"""Models of one cell type, tested on every cell type: a matrix."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg import main_scores
from cellseg.errors import UserError
from cellseg.figures import conditions, marks, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "F1 score by cell type of training and of test images"
SCORE = main_scores.KNOWN["f1_50"]
COLOURS = "cividis"  # perceptually uniform, and the same to the colour-blind
CELL_HEIGHT, AXIS, HEADING, BAR = 8.0, 16.0, 7.0, 14.0  # mm


@style.styled
def transfer(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """A row a cell type that was trained on, a column one that was tested on.

    One panel a model and head combination.

    Parameters
    ----------
    tables : the tables ``images``, ``runs``, ``summary`` and ``training`` of an experiment; the
        columns ``cell_types`` and ``synthetic_images`` of ``training`` tell what a subset trains on
    question : what the experiment asks, written below the title

    Raises
    ------
    UserError
        A subset of the experiment trains on several cell types.
    """
    runs, summary = conditions.by_cell_type(tables, SCORE.name)
    trained_on = _trained_on(tables["training"])
    rows = sorted(trained_on, key=lambda subset: (trained_on[subset].lower(), subset))
    kinds = sorted(runs["cell_type"].unique(), key=str.lower)
    panels = conditions.unique(runs, ["model", "heads"])

    once = len(set(trained_on.values())) == len(rows)
    once &= not tables["training"]["synthetic_images"].any()
    # Subsets of one cell type, or with synthetic images and without, are told apart by their names.
    names = [trained_on[subset] if once else f"{trained_on[subset]} ({subset})" for subset in rows]
    images = conditions.held_out(tables["images"]).drop_duplicates("image")
    numbers = images["cell_type"].value_counts()
    several = conditions.seeds(runs)[1]
    widest = max(style.text_width(name) for name in names)
    needed = (13.0 if several else 8.0) * len(kinds) + min(widest, 35) + 6
    width = style.SINGLE_COLUMN if needed + BAR <= style.SINGLE_COLUMN else style.DOUBLE_COLUMN
    columns = min(len(panels), max(1, int((style.DOUBLE_COLUMN - BAR) // needed)))
    width = style.DOUBLE_COLUMN if columns > 1 else width
    lines = -(-len(panels) // columns)
    figure = style.new(width, lines * (CELL_HEIGHT * len(rows) + AXIS + HEADING))
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    upper = marks.score_range([summary[f"{SCORE.name}_mean"].max()])
    named = conditions.varying(runs, ["model", "heads"])
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        model, heads = panels[number]
        here = conditions.rows_of(summary, model=model, heads=heads)
        values = [
            [conditions.interval(here, SCORE.name, subset=subset, cell_type=kind) for kind in kinds]
            for subset in rows
        ]
        own = [[trained_on[subset] == kind for kind in kinds] for subset in rows]
        shown = _matrix(axes, values, own, upper)
        room = (width - BAR) / columns / len(kinds) - 3
        axes.set_xticks(
            range(len(kinds)),
            [f"{style.wrap(kind, room)}\nn = {numbers.get(kind, 0):,}" for kind in kinds],
        )
        axes.set_yticks(range(len(rows)), [style.wrap(name, 35) for name in names])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if number % columns == 0:
            axes.set_ylabel("trained on")
        if number + columns >= len(panels):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("tested on")
        if named:
            text = conditions.label({"model": model, "heads": heads}, named)
            axes.set_title(style.wrap(text, (width - BAR) / columns - 4), loc="left")
    key = figure.colorbar(shown, ax=grid, shrink=0.8, aspect=25)
    key.set_label(SCORE.heading)
    key.outline.set_visible(False)
    note = (
        conditions.constants(runs, ["model", "heads"])
        + f"{SCORE.meaning}, mean over the n test images of a cell type, small objects "
        f"{conditions.PRIMARY}. Numbers: mean over {conditions.seeds(runs)[0]}"
        + (" ± half of the 95 % t interval of that mean. " if several else ". ")
        + "Framed: trained and tested on the same cell type."
    )
    subtitle = conditions.subtitle(question, tables, runs)
    return style.finish(figure, TITLE, note, subtitle=subtitle)


def _trained_on(training: "pd.DataFrame") -> dict[str, str]:
    """From subset to the one cell type that it trains on."""
    conditions.need(training, "training", [*conditions.AXES, "cell_types", "synthetic_images"])
    found = {}
    for subset, kinds in conditions.unique(training, ["subset", "cell_types"]):
        kinds = kinds if isinstance(kinds, str) else ""
        if not kinds or "+" in kinds:
            what = f"on {kinds.replace('+', ', ')}" if kinds else "on all cell types"
            raise UserError(
                f"subset '{subset}' trains {what}, and a row of the matrix stands for one cell "
                "type. Give each subset of the experiment a single entry under `cell_types`, or "
                "draw f1-by-cell-type instead."
            )
        found[subset] = kinds
    return found


def _matrix(axes: "Axes", values: list[list[tuple]], own: list[list[bool]], upper: float) -> object:
    """Fields coloured by their mean, with the numbers in them; returns what has the colours."""
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    colours = colormaps[COLOURS].with_extremes(bad=style.LIGHT_GREY)
    means = np.array([[mean for mean, _, _ in row] for row in values])
    shown = axes.imshow(means, colours, aspect="auto", vmin=0, vmax=upper)
    for row, fields in enumerate(values):
        for column, (mean, low, high) in enumerate(fields):
            half = (high - low) / 2
            text = "n/a" if mean != mean else f"{mean:.2f}"
            text += f" ± {half:.2f}" if half == half else ""
            dark = mean == mean and shown.norm(mean) < 0.5
            axes.text(
                column, row, text, ha="center", va="center", size=style.SMALL_SIZE,
                color="white" if dark else style.BLACK,
            )  # fmt: skip
            if own[row][column]:
                axes.add_patch(
                    Rectangle(
                        (column - 0.46, row - 0.46),
                        0.92,
                        0.92,
                        fill=False,
                        edgecolor=style.VERMILLION,
                        linewidth=1.2,
                    )
                )
    axes.set_xticks(np.arange(1, len(values[0])) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(values)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
    return shown
