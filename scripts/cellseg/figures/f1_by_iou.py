"""F1 against the IoU that a match needs: how exact the outlines of found cells are."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.figures import conditions, curves, style
from cellseg.score_names import THRESHOLDS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLE = "F1 score by IoU threshold"


@style.styled
def f1_by_iou(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """A line a condition, from a threshold of 0.5 to 0.95.

    Parameters
    ----------
    tables : the tables ``images``, ``runs`` and ``summary`` of an experiment
    question : what the experiment asks, written below the title
    """
    import pandas as pd

    names = {threshold: f"f1_{round(100 * threshold)}" for threshold in THRESHOLDS}
    runs = conditions.select(tables["runs"])
    summary = conditions.select(tables["summary"])
    conditions.need(runs, "runs", [*conditions.AXES, "seed", *names.values()])
    parts = ("mean", "low", "high")
    needed = [f"{name}_{part}" for name in names.values() for part in parts]
    conditions.need(summary, "summary", [*conditions.AXES, *needed])
    lines = pd.concat(
        [
            summary[conditions.AXES].assign(
                x=threshold, **{part: summary[f"{name}_{part}"] for part in parts}
            )
            for threshold, name in names.items()
        ]
    )
    note = (
        conditions.constants(runs)
        + "F1 of cells matched at an IoU of at least the threshold, mean over images, small "
        + f"objects {conditions.PRIMARY}. "
        + conditions.band(runs)
    )
    subtitle = conditions.subtitle(question, tables, runs)
    return curves.draw(lines, TITLE, subtitle, note, "IoU threshold", "F1")
