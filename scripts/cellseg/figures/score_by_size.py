"""Recall against the size of the true cell, from the counts of single cells."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.figures import curves, style
from cellseg.figures.data_overview import MEDIUM, SMALL
from cellseg.scoring import by_size
from cellseg.tables import conditions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLE = "Recall by area of the true cell"
FEWEST = 10  # cells that a recall is shown for


@style.styled
def score_by_size(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """A line a condition over octaves of area, above the number of true cells.

    Parameters
    ----------
    tables : the tables ``images``, ``runs`` and ``sizes`` of an experiment
    question : what the experiment asks, written below the title

    Raises
    ------
    UserError
        No octave has enough true cells.
    """
    sizes = conditions.select(tables["sizes"])
    conditions.need(sizes, "sizes", [*conditions.AXES, "seed", *by_size.COLUMNS])
    enough = sizes[sizes["n_true"] >= FEWEST]
    conditions.need(enough, f"sizes (rows of at least {FEWEST} true cells)", [])
    values = enough.assign(
        value=enough["n_found"] / enough["n_true"],
        x=(enough["area_from"] * enough["area_to"]) ** 0.5,  # the middle on a log axis
    )
    run = [*conditions.AXES, "seed"]
    once = sizes.merge(sizes[run].head(1)).rename(
        columns={"area_from": "start", "area_to": "end", "n_true": "number"}
    )
    filled = once["number"].to_numpy().nonzero()[0]
    counts = once.iloc[filled[0] : filled[-1] + 1]
    note = (
        conditions.constants(sizes)
        + "Recall: share of the true cells of an octave of area that are matched at IoU 0.5, all "
        f"images together, small objects {conditions.PRIMARY}; octaves of fewer than {FEWEST} "
        "cells are left out. " + conditions.band(sizes)
    )
    return curves.draw(
        values,
        TITLE,
        conditions.subtitle(question, tables, sizes),
        note,
        "area of the true cell (px, log scale)",
        "recall at IoU 0.5",
        counts=counts,
        counts_name="true cells",
        guides=(SMALL, MEDIUM),
        guides_name=f"LIVECell's limits of small, medium and large cells ({SMALL} and {MEDIUM} px)",
    )
