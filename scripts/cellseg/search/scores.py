"""Scores of a search's trials on their validation images, and which trials enter the next rung."""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import run_files
from cellseg.segmentation import by_cell_type


def file_of(tuning: str | None) -> str:
    """File of a run, within its folder, that its score is in."""
    return run_files.HISTORY if tuning is None else f"tuning-{tuning}/{run_files.CHOSEN}"


def score(run: Path, tuning: str | None, checkpoint: str) -> float:
    """Score of one run: a loss or, with a threshold search, what its best thresholds score.

    Parameters
    ----------
    run : its folder
    tuning : entry of ``threshold_searches``; None takes the validation loss
    checkpoint : ``best`` or ``last``: of which epoch the weights, and so the loss, are

    Returns
    -------
    float : nan where a threshold search's score is not defined

    Raises
    ------
    UserError
        The file is not as the training or the threshold search write it.
    """
    path = run / file_of(tuning)
    try:
        if tuning is not None:
            chosen = json.loads(path.read_text(encoding="utf-8"))
            # By cell type, it is scored with the thresholds of the types.
            return float(chosen.get(by_cell_type.MEAN, chosen["mean"]))
        with open(path, encoding="utf-8", newline="") as file:
            losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
        return min(losses) if checkpoint == "best" else losses[-1]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f"{path} cannot be read ({error}). Delete it and run again.") from error


def ranked(scores: Mapping[int, float], higher: bool) -> list[int]:
    """Trials from best to worst, without those whose score is nan; a tie goes to the lower number.

    Parameters
    ----------
    scores : by trial
    higher : whether a higher score is better
    """
    sign = -1 if higher else 1
    known = [trial for trial, value in scores.items() if not math.isnan(value)]
    return sorted(known, key=lambda trial: (sign * scores[trial], trial))
