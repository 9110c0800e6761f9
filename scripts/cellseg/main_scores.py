"""The few scores that sum up a run, and how each is had from the tables of an experiment."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Score:
    """A column of a short table.

    ``of_images`` says that single images have it too; the COCO scores are of the cells of all
    images together.
    """

    name: str
    meaning: str
    decimals: int = 3
    higher_is_better: bool = True
    of_images: bool = True


ERRORS = ("missed", "gained", "merge", "split", "catastrophe")
ERROR_RATE = "errors_per_100"

SCORES = (
    Score("pixel_iou", "intersection over union of true and predicted foreground pixels"),
    Score("pixel_f1", "F1 of foreground pixels"),
    Score("f1_50", "F1 of cells matched at an IoU of at least 0.5"),
    Score("msa", "TP/(TP+FP+FN) of cells, mean over IoU 0.5, 0.55, …, 0.95"),
    Score(
        "ap",
        "LIVECell's COCO average precision (class-agnostic, 2,000 detections an image), mean over "
        "IoU 0.5 to 0.95, a cell's confidence being the mean of its interior map",
        of_images=False,
    ),
    Score("ap50", "the same at IoU 0.5", of_images=False),
    Score(
        ERROR_RATE,
        "missed and gained cells, merges, splits and catastrophes (deepcell's error graph, links "
        "above IoU 0.6) for 100 true cells",
        decimals=1,
        higher_is_better=False,
    ),
)


STEP = Score(
    "step_ms",
    "time of a training step in ms, median over the epochs of a run but the first, which compiles",
    decimals=0,
    higher_is_better=False,
    of_images=False,
)
"""Of :mod:`cellseg.step_times`; beside the scores, as in Table 1 of the report."""


def of_runs(runs: "pd.DataFrame") -> "pd.DataFrame":
    """``runs.csv`` with the rate of errors: all errors for 100 of all true cells of the run."""
    return runs.assign(**{ERROR_RATE: _rate(runs, runs["n_true"])})


def of_images(images: "pd.DataFrame") -> "pd.DataFrame":
    """``images.csv`` with each image's share in its run's rate of errors.

    Errors are divided by the mean number of true cells of an image, so that the mean over images is
    the rate of :func:`of_runs`, and an image with hardly a cell does not weigh too much.

    Parameters
    ----------
    images : of one condition and treatment of small objects; the true cells are those of all seeds
    """
    return images.assign(**{ERROR_RATE: _rate(images, images["n_true"].mean())})


def _rate(table: "pd.DataFrame", n_true: "pd.Series | float") -> "pd.Series":
    rate = 100 * table[list(ERRORS)].sum(axis=1) / n_true
    return rate.where(rate.abs() != float("inf"))
