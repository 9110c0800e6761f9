"""Models of one cell type, tested on every cell type: a matrix."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.errors import UserError
from cellseg.figures import marks, style
from cellseg.tables import conditions, glossary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "F1 score by cell type of training and of test images"
SCORE = glossary.KNOWN["f1_50"]
COLOURS = "cividis"  # perceptually uniform, and the same to the colour-blind
CELL_HEIGHT, AXIS, HEADING, BAR = 8.0, 16.0, 7.0, 14.0  # mm


@style.styled
def transfer(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """A row a cell type that was trained on, a column one that was tested on.

    One panel a model and head combination.

    Parameters
    ----------
    tables : the tables ``images``, ``runs`` and ``training`` of an experiment; the columns
        ``cell_types`` and ``synthetic_images`` of ``training`` say what a subset trains on
    question : what the experiment asks, written below the title

    Raises
    ------
    UserError
        A subset of the experiment trains on several cell types.
    """
    runs = conditions.by_cell_type(tables["runs"], SCORE.name)
    trained_on = _trained_on(tables["training"])
    rows = sorted(trained_on, key=lambda subset: (trained_on[subset].lower(), subset))
    kinds = sorted(runs["cell_type"].unique(), key=str.lower)
    panels = conditions.unique(runs, ["model", "heads"])

    once = len(set(trained_on.values())) == len(rows)
    once &= not tables["training"]["synthetic_images"].any()
    # Subsets of one cell type, or with and without synthetic images, differ by their names.
    names = [trained_on[subset] if once else f"{trained_on[subset]} ({subset})" for subset in rows]
    images = conditions.held_out(tables["images"]).drop_duplicates("image")
    numbers = images["cell_type"].value_counts()
    interval = conditions.interval(runs)
    widest = max(style.text_width(name) for name in names)
    names_width = min(widest, 35) + 6  # names of rows
    needed = (13.0 if interval else 8.0) * len(kinds) + names_width
    width = style.SINGLE_COLUMN if needed + BAR <= style.SINGLE_COLUMN else style.DOUBLE_COLUMN
    columns = min(len(panels), max(1, int((style.DOUBLE_COLUMN - BAR) // needed)))
    width = style.DOUBLE_COLUMN if columns > 1 else width
    panel = (width - BAR - names_width) / columns
    lines = -(-len(panels) // columns)
    figure = style.new(width, lines * (CELL_HEIGHT * len(rows) + AXIS + HEADING))
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    of_fields = runs.groupby(["model", "heads", "subset", "cell_type"])[SCORE.name]
    means, halves = of_fields.mean(), of_fields.agg(conditions.half_interval)
    upper = marks.score_range([means.max()])
    named = conditions.varying(runs, ["model", "heads"])
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        model, heads = panels[number]
        mean, half = (
            table[model, heads].unstack().reindex(index=rows, columns=kinds)
            for table in (means, halves)
        )
        _matrix(axes, mean, half, upper)
        for row, subset in enumerate(rows):
            if trained_on[subset] in kinds:
                _frame(axes, kinds.index(trained_on[subset]), row)
        room = panel / len(kinds) - 2
        axes.set_xticks(
            [column + 0.5 for column in range(len(kinds))],
            [f"{style.wrap(kind, room)}\nn = {numbers.get(kind, 0):,}" for kind in kinds],
        )
        axes.set_yticks(
            [row + 0.5 for row in range(len(rows))], [style.wrap(name, 35) for name in names]
        )
        axes.tick_params(length=0)
        if number % columns == 0:
            axes.set_ylabel("trained on")
        if number + columns >= len(panels):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("tested on")
        if named:
            text = conditions.label({"model": model, "heads": heads}, named)
            axes.set_title(style.wrap(text, panel - 4), loc="left")
    key = figure.colorbar(grid[0, 0].collections[0], ax=grid, shrink=0.8, aspect=25)
    key.set_label(SCORE.heading)
    key.outline.set_visible(False)
    note = (
        conditions.constants(runs, ["model", "heads"])
        + f"{SCORE.meaning}, mean over the n test images of a cell type, small objects "
        f"{conditions.PRIMARY}. Numbers: "
        + (
            f"mean over {conditions.seeds(runs)[0]} ± half of the {interval}. "
            if interval
            else f"{conditions.no_interval(runs)}. "
        )
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
                f"subset '{subset}' trains {what}, and a row of the matrix is one cell "
                "type. Give each subset of the experiment a single entry under `cell_types`, or "
                "draw f1-by-cell-type instead."
            )
        found[subset] = kinds
    return found


def _matrix(axes: "Axes", means: "pd.DataFrame", halves: "pd.DataFrame", upper: float) -> None:
    """Fields coloured by their mean, with it and half of its interval written in them."""
    import seaborn as sns

    written = means.map("{:.2f}".format) + halves.map(" ± {:.2f}".format).where(halves.notna(), "")
    look = {"size": style.SMALL_SIZE}
    sns.heatmap(
        means, vmin=0, vmax=upper, cmap=COLOURS, annot=written, fmt="", annot_kws=look,
        linewidths=1, cbar=False, xticklabels=False, yticklabels=False, ax=axes,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="", facecolor=style.LIGHT_GREY)
    # Black on medium colours, where seaborn's white is hard to read.
    for text, mean in zip(axes.texts, means.to_numpy()[means.notna()], strict=True):
        text.set_color("white" if mean < upper / 2 else style.BLACK)
    for row, column in zip(*means.isna().to_numpy().nonzero(), strict=True):
        axes.text(column + 0.5, row + 0.5, "n/a", ha="center", va="center", **look)


def _frame(axes: "Axes", column: int, row: int) -> None:
    """Mark a field whose cell type was trained on."""
    from matplotlib.patches import Rectangle

    look = {"fill": False, "edgecolor": style.VERMILLION, "linewidth": 1.2}
    axes.add_patch(Rectangle((column + 0.04, row + 0.04), 0.92, 0.92, **look))
