"""F1 against the IoU that a match needs: how exact the outlines of found cells are."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.figures import curves, style
from cellseg.scoring.names import THRESHOLDS
from cellseg.tables import conditions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLE = "F1 score by IoU threshold"


@style.styled
def f1_by_iou(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """A line a condition, from a threshold of 0.5 to 0.95.

    Parameters
    ----------
    tables : the tables ``images`` and ``runs`` of an experiment
    question : what the experiment asks, written below the title
    """
    thresholds = {f"f1_{round(100 * threshold)}": threshold for threshold in THRESHOLDS}
    runs = conditions.select(tables["runs"])
    run = [*conditions.AXES, "seed"]
    conditions.need(runs, "runs", [*run, *thresholds])
    values = runs.melt(run, list(thresholds), var_name="x").replace({"x": thresholds})
    note = (
        conditions.constants(runs)
        + "F1 of cells matched at an IoU of at least the threshold, mean over images, small "
        + f"objects {conditions.PRIMARY}. "
        + conditions.band(runs)
    )
    subtitle = conditions.subtitle(question, tables, runs)
    return curves.draw(values, TITLE, subtitle, note, "IoU threshold", "F1")
