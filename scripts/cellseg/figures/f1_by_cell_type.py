"""F1 by cell type: models of one cell type, and models of several (figure 6 of the report)."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.figures import marks, style
from cellseg.tables import conditions, glossary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CELLS, PIXELS = glossary.named("f1_50", "pixel_f1")
TITLES = {CELLS: "F1 score by cell type", PIXELS: "Pixel F1 score by cell type"}
OWN = "trained on that cell type alone"
EXTENDED = "with synthetic images"
PANEL_HEIGHT = 42.0  # mm
BAR_WIDTH = 2.6  # mm at least


def f1_by_cell_type(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """F1 of matched cells, see :func:`by_cell_type`."""
    return by_cell_type(tables, question, CELLS)


def pixel_f1_by_cell_type(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """F1 of foreground pixels, of networks that do not part cells; see :func:`by_cell_type`."""
    return by_cell_type(tables, question, PIXELS)


@style.styled
def by_cell_type(
    tables: Mapping[str, "pd.DataFrame"], question: str, score: glossary.Score
) -> "Figure":
    """Bars by cell type, one panel a model and head combination.

    Models trained on one cell type are scored on that type, and those of all types share a colour
    where they were trained alike; a model trained on several types has a colour and a bar at every
    type. Where no two panels have a colour in common, their bars are side by side in one.

    Parameters
    ----------
    tables : the tables ``images``, ``runs`` and ``training`` of an experiment; ``training`` has
        the columns ``cell_types`` and ``synthetic_images``
    question : what the experiment asks, written below the title
    """
    runs = conditions.by_cell_type(tables["runs"], score.name)
    if not tables["training"].empty:  # else all cells were found by other programs
        needed = ["subset", "cell_types", "synthetic_images"]
        conditions.need(tables["training"], "training", needed)
    types = sorted(runs["cell_type"].unique(), key=str.lower)
    trained = tables["training"].groupby("subset")[["cell_types", "synthetic_images"]].first()
    trained = trained.reindex([name for (name,) in conditions.unique(runs, ["subset"])])
    trained = trained.fillna({"cell_types": "", "synthetic_images": 0})
    # None of those scored: trained on all types, or on several.
    trained["own"] = trained["cell_types"].where(trained["cell_types"].isin(types))
    trained["series"] = _names(trained)
    runs = runs.merge(trained[["own", "series", "synthetic_images"]], on="subset")
    runs = runs[runs["own"].isna() | (runs["own"] == runs["cell_type"])]
    types = [kind for kind in types if (runs["cell_type"] == kind).any()]
    runs = _in_panels(runs)
    panels = [name for (name,) in conditions.unique(runs, ["panel"])]
    # Alike in every experiment: one type alone, then several; real images, then synthetic ones.
    order = runs.assign(several=runs["own"].isna(), synthetic=runs["synthetic_images"] > 0)
    order = order.sort_values(["several", "synthetic"], kind="stable")
    series = [name for (name,) in conditions.unique(order, ["series"])]
    palette = style.SERIES_COLOURS
    colours = {name: palette[number % len(palette)] for number, name in enumerate(series)}

    # Around the place of a cell type those there are, for a gap would read as 0.
    runs["order"] = runs["series"].map(series.index)
    bars = runs.groupby(["panel", "cell_type"])["order"]
    number, count = bars.rank("dense") - 1, bars.transform("nunique")
    most = count.max()
    step = min(0.84 / most, 0.5)
    runs["at"] = runs["cell_type"].map(types.index) + (number - (count - 1) / 2) * step
    needed = len(types) * max(9.0, BAR_WIDTH * (most + 1)) + 14
    width = style.SINGLE_COLUMN if needed <= style.SINGLE_COLUMN else style.DOUBLE_COLUMN
    side_by_side = 2 if len(panels) > 1 and 2 * needed <= style.DOUBLE_COLUMN else 1
    width = style.DOUBLE_COLUMN if side_by_side == 2 else width
    lines = -(-len(panels) // side_by_side)
    figure = style.new(width, (PANEL_HEIGHT + 8) * lines)
    grid = figure.subplots(lines, side_by_side, sharey=True, squeeze=False)
    images = conditions.held_out(tables["images"]).drop_duplicates("image")
    numbers = images["cell_type"].value_counts()
    room = (width - 14) / side_by_side / len(types)
    names = [f"{style.wrap(kind, room)}\nn = {numbers.get(kind, 0):,}" for kind in types]
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        here = conditions.rows_of(runs, panel=panels[number])
        here = here.assign(value=here[score.name])
        marks.bars(axes, here, 0.9 * step, colours)
        if conditions.seeds_differ(runs):
            marks.numbers(axes, here, colours)
        marks.unseen(axes, here)
        marks.group_axis(axes, len(types))
        axes.set_xticks(range(len(types)), names)
        axes.tick_params(axis="x", length=0)
        title = style.wrap(panels[number], (width - 14) / side_by_side)
        axes.set_title(title, loc="left")
    marks.score_axes(grid.flat[: len(panels)], score.heading)

    keys = [
        marks.patch_key(colour, style.wrap(name, width - 16)) for name, colour in colours.items()
    ]
    keys = keys if len(keys) > 1 else []  # one that all bars share is no key to anything
    note = (
        conditions.constants(runs, ["model", "heads"])
        + f"{score.meaning}, mean over the images of a cell type (n), small objects "
        + f"{conditions.PRIMARY}. "
        + ("" if len(series) > 1 else f"All networks were {series[0]}. ")
        + conditions.spread(runs)
        + (marks.NUMBERS if conditions.seeds_differ(runs) else "")
    )
    subtitle = conditions.subtitle(question, tables, runs)
    return style.finish(figure, TITLES[score], note, keys, subtitle=subtitle)


def _names(trained: "pd.DataFrame") -> "pd.Series":
    """What the bars of each subset are called; of one cell type each, alike where trained alike.

    Parameters
    ----------
    trained : by subset, ``own`` (the one cell type that it trains on, or missing) and
        ``synthetic_images``
    """
    of_one = trained[trained["own"].notna()]
    added = of_one["synthetic_images"].gt(0).map({True: EXTENDED, False: ""})
    if of_one.assign(added=added).duplicated(["own", "added"]).any():
        # Several subsets of one type, such as half of it: what their names say next to the type.
        added = added.index.to_series().combine(of_one["own"], _beside)
        if of_one.assign(added=added).duplicated(["own", "added"]).any():
            added = added.index.to_series()
    names = OWN + added.where(added == "", ", " + added)
    return names.reindex(trained.index).fillna("trained on: " + trained.index.to_series())


def _beside(subset: str, kind: str) -> str:
    """Name of a subset without that of its cell type, such as ``half`` of ``A172-half``."""
    return re.sub(re.escape(kind), "", subset, count=1, flags=re.IGNORECASE).strip("-_.")


def _in_panels(runs: "pd.DataFrame") -> "pd.DataFrame":
    """The runs with a column ``panel``: a model and head combination each, or one for all."""
    named = conditions.varying(runs, ["model", "heads"])
    runs = runs.assign(panel=[conditions.label(row, named) for row in runs.to_dict("records")])
    together = runs["panel"] + " · " + runs["series"]
    apart = (runs.groupby("series")["panel"].nunique() == 1).all()
    if named and apart and together.nunique() <= len(style.SERIES_COLOURS):
        return runs.assign(series=together, panel="")
    return runs
