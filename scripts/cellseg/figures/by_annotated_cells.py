"""F1 and errors against the number of annotated training cells, before and after small objects go.

The arrangement of figures 3 to 5 of Cui's thesis (*Optimizing Deep Neural Networks for Single Cell
Segmentation*, Caltech 2020): heads are lines, models are panels.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellseg.figures import curves, data_size, marks, style
from cellseg.tables import conditions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

F1 = "f1"
ERRORS = ("missed", "gained", "merge", "split", "catastrophe")
NAMES = {
    F1: "F1 at IoU 0.6",
    "missed": "missed",
    "gained": "gained",
    "merge": "merges",
    "split": "splits",
    "catastrophe": "catastrophes",
}
TREATMENTS = ("kept", "removed")
ERRORS_NOTE = (
    "Errors are of all images together; a merge, split or catastrophe counts once, however many "
    "cells it has. "
)
HEIGHT = 40.0  # mm of a panel
COLUMNS = 3
SHIFT = 1.06
"""Between the places of neighbouring series, as a factor."""


@dataclass(frozen=True)
class _Panel:
    """What one panel shows: a model or None for all, a quantity and a treatment."""

    model: str | None
    quantity: str
    small_objects: str


@style.styled
def f1_by_annotated_cells(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """F1 with small objects kept (top) and removed (bottom), a column a model, a line a head.

    Parameters
    ----------
    tables : the tables ``images``, ``runs`` and ``training`` of an experiment
    question : what the experiment asks, written below the title

    Raises
    ------
    UserError
        Two subsets of a line are of one size.
    """
    models = _panel_models(tables)
    columns = min(len(models), COLUMNS)
    rest = [None] * (-len(models) % columns)  # places that stay empty, so that a row has one kind
    panels = [
        panel
        for kind in TREATMENTS
        for panel in [*(_Panel(model, F1, kind) for model in models), *rest]
    ]
    title = "F1 by number of {}, small objects kept and removed"
    return _draw(tables, question, panels, columns, title)


@style.styled
def errors_by_annotated_cells(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """F1 and each kind of error, small objects kept; as :func:`f1_by_annotated_cells`."""
    return _errors(tables, question, "kept")


@style.styled
def errors_by_annotated_cells_removed(
    tables: Mapping[str, "pd.DataFrame"], question: str = ""
) -> "Figure":
    """The same with small objects removed."""
    return _errors(tables, question, "removed")


def _errors(tables: Mapping[str, "pd.DataFrame"], question: str, small_objects: str) -> "Figure":
    panels = [
        _Panel(model, quantity, small_objects)
        for model in _panel_models(tables)
        for quantity in (F1, *ERRORS)
    ]
    title = f"F1 and errors by number of {{}}, small objects {small_objects}"
    return _draw(tables, question, panels, COLUMNS, title)


def _panel_models(tables: Mapping[str, "pd.DataFrame"]) -> list[str | None]:
    """A model a panel; one for all where heads do not differ, so that models are its lines."""
    runs = tables["runs"]
    conditions.need(runs, "runs", [*conditions.AXES, "seed", "small_objects", "n_true", F1])
    if runs["heads"].nunique() == 1:
        return [None]
    return [model for (model,) in conditions.unique(runs, ["model"])]


def _draw(
    tables: Mapping[str, "pd.DataFrame"],
    question: str,
    places: Sequence[_Panel | None],
    columns: int,
    title: str,
) -> "Figure":
    runs = conditions.select(tables["runs"], small_objects=None)
    conditions.need(runs, "runs", [*conditions.AXES, "seed", *ERRORS])
    facts = ["train_images", "synthetic_images", "cell_types", "validation"]
    conditions.need(tables["training"], "training", [*conditions.AXES, *facts])
    sizes, counted = data_size.sizes_of(tables["training"])
    runs = runs.merge(sizes, on=conditions.AXES)
    runs = runs[runs["n_true"] > 0]
    conditions.need(runs, "training (rows of the scored runs)", [])
    rates = runs[list(ERRORS)].div(runs["n_true"], axis=0) * 100
    runs = runs.assign(**rates)
    panels = [panel for panel in places if panel is not None]
    lines_of = ["model" if panels[0].model is None else "heads"]
    if runs["kind"].nunique() > 1:
        lines_of.append("kind")
    series = conditions.unique(runs, lines_of)
    looks = {name: curves.look(number) for number, name in enumerate(series)}

    rows = -(-len(places) // columns)
    width = style.SINGLE_COLUMN if columns == 1 else style.DOUBLE_COLUMN
    figure = style.new(width, HEIGHT * rows)
    grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
    ticks = sorted(sizes["size"].unique().tolist())
    room = (width - 14) / columns - 4
    uppers = {quantity: _upper(runs, quantity) for quantity in {panel.quantity for panel in panels}}
    for number, (axes, panel) in enumerate(zip(grid.flat, places, strict=True)):
        if panel is None:
            axes.set_visible(False)
            continue
        here = {"small_objects": panel.small_objects}
        here |= {} if panel.model is None else {"model": panel.model}
        shown = conditions.rows_of(runs, **here)
        for place, (name, look) in enumerate(looks.items()):
            # Series are a little apart, so that whiskers do not hide one another.
            shift = SHIFT ** (place - (len(series) - 1) / 2)
            mine = conditions.rows_of(shown, **dict(zip(lines_of, name, strict=True)))
            _line(axes, mine.assign(x=mine["size"] * shift), panel.quantity, look)
        axes.set_title(_panel_title(panel, panels, room), loc="left")
        axes.set_ylim(0, uppers[panel.quantity])
        axes.set_ylabel(NAMES[F1] if panel.quantity == F1 else "per 100 true cells")
        axes.grid(axis="y")
        if number + columns >= len(places) or places[number + columns] is None:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(f"{counted} (log scale)")
        data_size.mark_sizes(axes, ticks, room)
    keys = [
        marks.line_key(
            style.wrap(conditions.label(dict(zip(lines_of, name, strict=True)), lines_of),
                       width - 16),
            **look,
        )
        for name, look in looks.items()
    ]  # fmt: skip
    note = (
        conditions.constants(runs, ["model", "heads"])
        + _methods(runs)
        + "F1: deepcell's, cells linked at IoU > 0.6, mean over images. "
        + (ERRORS_NOTE if {panel.quantity for panel in panels} - {F1} else "")
        + "Removed: true and predicted objects under the size of `scoring.min_size`. "
        + conditions.spread(runs, "Symbols")
    )
    subtitle = conditions.subtitle(question, tables, runs)
    keys = keys if len(series) > 1 else []
    return style.finish(figure, title.format(counted), note, keys, subtitle=subtitle)


def _methods(runs: "pd.DataFrame") -> str:
    """How cells were found with which heads, as a sentence; empty where it is the same for all."""
    if "method" not in runs or runs["method"].nunique() == 1:
        return ""
    pairs = conditions.unique(runs, ["heads", "method"])
    said = [f"{heads.replace('+', ' + ')} by {method}" for heads, method in pairs]
    return f"Segmented: {', '.join(said)}. "


def _line(axes: "Axes", rows: "pd.DataFrame", quantity: str, look: Mapping[str, str]) -> None:
    """Means over seeds with whiskers, and single seeds as points."""
    if rows.empty:  # a model that was not trained with these heads
        return
    rows = rows.assign(value=rows[quantity])
    highest = 1 if quantity == F1 else math.inf
    curves.line(axes, rows, dict(look), 4.0, highest, err_style="bars", err_kws=marks.WHISKER)
    if rows["seed"].nunique() > 1:
        edge = {"edgecolor": look["color"], "linewidth": 0.5}
        marks.seeds(axes, rows["x"], rows["value"], **edge)


def _upper(runs: "pd.DataFrame", quantity: str) -> float:
    """Upper end of the axis of a quantity, the same in all its panels."""
    values = [value for value in runs[quantity] if value == value]
    if quantity == F1:
        return marks.score_range(values)
    return max(1.1 * max(values, default=0.0), 1.0)


def _panel_title(panel: _Panel, panels: Sequence[_Panel], room: float) -> str:
    """What distinguishes a panel from the others."""
    parts = [panel.model] if panel.model is not None else []
    if len({one.quantity for one in panels}) > 1:
        parts.append(NAMES[panel.quantity])
    if len({one.small_objects for one in panels}) > 1:
        parts.append(f"small objects {panel.small_objects}")
    return style.wrap(" · ".join(parts), room)
