"""F1 by cell type: models of one cell type, and models of several (figure 6 of the report)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg import main_scores
from cellseg.figures import conditions, marks, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLE = "F1 score by cell type"
SCORE = main_scores.KNOWN["f1_50"]
OWN = "trained on that cell type alone"
PANEL_HEIGHT = 42.0  # mm
BAR_WIDTH = 2.6  # mm at least


@style.styled
def f1_by_cell_type(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """Bars by cell type, one panel a model and head combination.

    Models trained on one cell type are scored on that type and share one colour; a model trained
    on several has a colour and a bar at every type.

    Parameters
    ----------
    tables : the tables ``images``, ``runs``, ``summary`` and ``training`` of an experiment;
        ``training`` has the column ``cell_types``
    question : what the experiment asks, written below the title
    """
    runs, summary = conditions.by_cell_type(tables, SCORE.name)

    types = sorted(runs["cell_type"].unique(), key=str.lower)
    conditions.need(tables["training"], "training", ["subset", "cell_types"])
    trained_on = tables["training"].groupby("subset")["cell_types"].first()
    own = runs["subset"].map(trained_on)
    own = own.where(own.isin(types))  # none of those scored: trained on all types, or on several
    runs = runs[own.isna() | (own == runs["cell_type"])]
    runs = runs.assign(series=runs["subset"].where(own.isna(), OWN))
    series = [name for (name,) in conditions.unique(runs, ["series"])]
    series.sort(key=lambda name: name != OWN)
    types = [kind for kind in types if (runs["cell_type"] == kind).any()]
    panels = conditions.unique(runs, ["model", "heads"])

    needed = len(types) * max(9.0, BAR_WIDTH * (len(series) + 1)) + 14
    width = style.SINGLE_COLUMN if needed <= style.SINGLE_COLUMN else style.DOUBLE_COLUMN
    side_by_side = 2 if len(panels) > 1 and 2 * needed <= style.DOUBLE_COLUMN else 1
    width = style.DOUBLE_COLUMN if side_by_side == 2 else width
    lines = -(-len(panels) // side_by_side)
    figure = style.new(width, (PANEL_HEIGHT + 8) * lines)
    grid = figure.subplots(lines, side_by_side, sharey=True, squeeze=False)
    shown = summary.merge(runs[[*conditions.AXES, "cell_type"]].drop_duplicates())
    upper = marks.score_range([runs[SCORE.name].max(), shown[f"{SCORE.name}_high"].max()])
    named = conditions.varying(runs, ["model", "heads"])
    images = conditions.held_out(tables["images"]).drop_duplicates("image")
    numbers = images["cell_type"].value_counts()
    colours = [style.SERIES_COLOURS[i % len(style.SERIES_COLOURS)] for i in range(len(series))]
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        model, heads = panels[number]
        here = conditions.rows_of(runs, model=model, heads=heads)
        step = min(0.84 / len(series), 0.5)
        for place, kind in enumerate(types):
            for index, name in enumerate(series):
                rows = conditions.rows_of(here, cell_type=kind, series=name)
                # Several subsets of one type (half of it, all of it) share the place of one bar.
                subsets = conditions.unique(rows, ["subset"])
                for part, (subset,) in enumerate(subsets):
                    span = step / len(subsets)
                    at = place + (index - len(series) / 2) * step + (part + 0.5) * span
                    statistics = conditions.interval(
                        summary, SCORE.name, model=model, heads=heads, subset=subset, cell_type=kind
                    )
                    values = conditions.rows_of(rows, subset=subset).sort_values("seed")[SCORE.name]
                    marks.bar(axes, at, 0.9 * span, statistics, values.tolist(), colours[index])
        marks.group_axis(axes, len(types))
        room = (width - 14) / side_by_side / len(types)
        names = [f"{style.wrap(kind, room)}\nn = {numbers.get(kind, 0):,}" for kind in types]
        axes.set_xticks(range(len(types)), names)
        axes.tick_params(axis="x", length=0)
        marks.score_axis(axes, upper, SCORE.heading if number % side_by_side == 0 else "")
        if named:
            text = conditions.label({"model": model, "heads": heads}, named)
            axes.set_title(style.wrap(text, (width - 14) / side_by_side), loc="left")

    keys = [
        marks.patch_key(colour, name if name == OWN else f"trained on: {name}")
        for colour, name in zip(colours, series, strict=True)
    ]
    note = (
        conditions.constants(runs, ["model", "heads"])
        + f"{SCORE.meaning}, mean over the images of a cell type (n), small objects "
        + f"{conditions.PRIMARY}. "
        + conditions.spread(runs)
    )
    subtitle = conditions.subtitle(question, tables, runs)
    return style.finish(figure, TITLE, note, keys, subtitle=subtitle)
