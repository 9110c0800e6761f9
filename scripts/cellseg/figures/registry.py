"""Figures of an experiment, by name.

To add one: a module next to this one, a line in :data:`FIGURES` and its name in the schema.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cellseg.errors import UserError
from cellseg.figures import (
    backbones,
    by_annotated_cells,
    counts,
    data_size,
    errors,
    f1_by_cell_type,
    f1_by_heads,
    f1_by_iou,
    learning_curves,
    score_by_density,
    score_by_size,
    transfer,
)
from cellseg.study import spelling

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FIGURES: dict[str, Callable[..., "Figure"]] = {
    "f1-by-heads": f1_by_heads.f1_by_heads,
    "f1-by-cell-type": f1_by_cell_type.f1_by_cell_type,
    "pixel-f1-by-cell-type": f1_by_cell_type.pixel_f1_by_cell_type,
    "backbones": backbones.backbones,
    "learning-curves": learning_curves.learning_curves,
    "data-size": data_size.data_size,
    "f1-by-annotated-cells": by_annotated_cells.f1_by_annotated_cells,
    "errors-by-annotated-cells": by_annotated_cells.errors_by_annotated_cells,
    "errors-by-annotated-cells-removed": by_annotated_cells.errors_by_annotated_cells_removed,
    "errors": errors.errors,
    "f1-by-iou": f1_by_iou.f1_by_iou,
    "score-by-density": score_by_density.score_by_density,
    "score-by-size": score_by_size.score_by_size,
    "counts": counts.counts,
    "transfer": transfer.transfer,
}
BY_FOLD = ("learning-curves",)
"""Figures of single trainings; the others show the folds of a subset together."""
DRAWN_ELSEWHERE = ("contact-sheet",)
"""Figures with a separate rule, since they show images besides tables."""


def draw(name: str, tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """Draw the figure called `name`.

    Parameters
    ----------
    name : a key of :data:`FIGURES`
    tables : the tables of an experiment, see :data:`cellseg.tables.conditions.TABLES`
    question : what the experiment asks, written below the title

    Raises
    ------
    UserError
        There is no such figure, or a table lacks what the figure shows.
    """
    if name not in FIGURES:
        raise UserError(f"there is no figure '{name}'. {spelling.nearest(name, list(FIGURES))}")
    try:
        return FIGURES[name](tables, question)
    except UserError as error:
        raise UserError(f"figure '{name}': {error}") from error
