"""The scores that a reader is shown: their words, and how each is had from the tables.

Whatever shows scores (formatted tables, front page, figures, card of an exported run) chooses them
by name and takes the words from here. Modules that compute scores import nothing of it, so that a
better word scores nothing again; all columns are in :mod:`cellseg.scoring.names`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cellseg.scoring.names import COCO_SCORES
from cellseg.study import segmentation_methods
from cellseg.tables.intervals import ENOUGH_SEEDS
from cellseg.targets import channels

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Score:
    """A score and its words.

    ``name`` is its column in the tables, ``heading`` what an axis or a column is headed with,
    ``meaning`` its definition, which needs no other score's. ``over`` says what its value of a run
    is: a mean over images or over epochs, or one number of the cells or of the pixels of all images
    together.
    ``of_images`` says that single images have it too, ``ranks`` that a better value means better
    cells, so that conditions may be ranked by it.
    """

    name: str
    heading: str
    meaning: str
    decimals: int = 3
    higher_is_better: bool = True
    over: Literal["images", "cells", "pixels", "epochs"] = "images"
    of_images: bool = True
    ranks: bool = True


ERRORS = ("missed", "gained", "merge", "split", "catastrophe")
ERROR_RATE = "errors_per_100"
NOT_KNOWN = "-"
"""Where there is no number."""

_MATCHED = "of cells matched at an IoU of at least"
_LEVELS = "mean over IoU 0.5, 0.55, …, 0.95"
_PIXELS = (
    "of true and predicted foreground, whichever cell they belong to (deepcell's PixelMetrics)"
)
_AP = "COCO's average precision by LIVECell's protocol"

_ALL = (
    Score("pixel_iou", "pixel IoU", f"intersection over union {_PIXELS}"),
    Score("pixel_f1", "pixel F1", f"F1 (Dice) {_PIXELS}"),
    Score(
        "pixel_iou_pooled",
        "pooled pixel IoU",
        "pixel IoU of all images together, where an image counts by its foreground",
        over="pixels",
        of_images=False,
    ),
    Score(
        "pixel_f1_pooled",
        "pooled pixel F1",
        "pixel F1 of all images together, where an image counts by its foreground",
        over="pixels",
        of_images=False,
    ),
    Score("precision_50", "precision at IoU 0.5", f"precision {_MATCHED} 0.5"),
    Score("recall_50", "recall at IoU 0.5", f"recall {_MATCHED} 0.5"),
    Score("f1_50", "F1 at IoU 0.5", f"F1 {_MATCHED} 0.5"),
    Score("f1_75", "F1 at IoU 0.75", f"F1 {_MATCHED} 0.75"),
    Score(
        "msa",
        "MSA",
        f"TP/(TP+FP+FN) of cells, {_LEVELS} (also known as Kaggle's mAP and as Cellpose's AP)",
    ),
    Score("sa50", "SA at IoU 0.5", "TP/(TP+FP+FN) of cells at an IoU of at least 0.5"),
    Score("ap", "AP", f"{_AP}, {_LEVELS}", over="cells", of_images=False),
    Score("ap50", "AP50", f"{_AP}, at IoU 0.5", over="cells", of_images=False),
    Score(
        "ar2000",
        "AR@2000",
        f"average recall by LIVECell's protocol, {_LEVELS}",
        over="cells",
        of_images=False,
    ),
    Score(
        "afnr",
        "AFNR",
        "average false-negative ratio by LIVECell's protocol: 1 - AR@2000, the share of true cells "
        f"not found, {_LEVELS}",
        higher_is_better=False,
        over="cells",
        of_images=False,
    ),
    Score(
        ERROR_RATE,
        "errors per 100 cells",
        "missed and gained cells, merges, splits and catastrophes (deepcell's error graph, links "
        "above IoU 0.6; edges from IoU 0.1 up, or where more than half of the smaller cell lies in "
        "the larger) for 100 true cells, never bold, since a merge or "
        "catastrophe counts once however many cells it joins: one blob over all cells has hardly "
        "an error",
        decimals=1,
        higher_is_better=False,
        over="cells",
        ranks=False,
    ),
)
KNOWN = {score.name: score for score in _ALL}
"""Scores by their names."""

PROTOCOL = (
    "LIVECell's protocol is class-agnostic, counts at most 2,000 detections an image (maxDets), "
    "and takes the annotated outlines, overlaps and all, for the true cells. It ranks predicted "
    "cells by a confidence, which a label image does not have: here, "
)


def named(*names: str) -> tuple[Score, ...]:
    """Scores by their names, in this order."""
    return tuple(KNOWN[name] for name in names)


SCORES = named(
    *("pixel_iou", "pixel_f1", "pixel_iou_pooled", "pixel_f1_pooled"),
    *("f1_50", "msa", "ap", "ap50", ERROR_RATE),
)
"""The few that sum up a run: columns of the formatted tables, and what conditions are compared by.
"""

STEP = Score(
    "step_ms",
    "step time (ms)",
    "time of a training step in ms, median over the epochs of a run but the first of each network, "
    "which compiles (or of that one, where there is no other)",
    decimals=0,
    higher_is_better=False,
    over="epochs",
    of_images=False,
)
"""Of :mod:`cellseg.tables.step_times`; next to the scores, as in Table 1 of the report."""


def definitions(scores: Sequence[Score], call: Callable[[Score], str]) -> str:
    """What scores are, as in a sentence; `call` as in :func:`remarks`."""
    return "; ".join(f"{call(score)}: {score.meaning}" for score in scores)


def remarks(
    scores: Sequence[Score],
    call: Callable[[Score], str],
    heads_by_method: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Say what the values of a run are over, and which protocol the COCO scores follow.

    Parameters
    ----------
    scores : those shown
    call : what a score is called where they are shown, such as its heading
    heads_by_method : by segmentation method that found cells, the heads of the networks shown,
        such as ``inner-distance+pixelwise``; of any if empty. Left out, the default method.
    """
    said = []
    for over, words in (("images", "Means over images"),
                        ("cells", "Of the cells of all images together"),
                        ("pixels", "Of the pixels of all images together")):  # fmt: skip
        names = [call(score) for score in scores if score.over == over]
        if names:
            said.append(f"{words}: {listed(names)}.")
    if any(score.name in COCO_SCORES for score in scores):
        by_method = heads_by_method or {segmentation_methods.DEFAULT: ()}
        ranked = {method: _ranked_by(heads, method) for method, heads in by_method.items()}
        said.append(f"{PROTOCOL}{_of_methods(ranked)}.")
    return " ".join(said)


def _of_methods(ranked: Mapping[str, str]) -> str:
    """What the confidence is, of one method or, where it differs, of each."""
    if len(set(ranked.values())) == 1:
        return next(iter(ranked.values()))
    each = [f"of cells found by {_words(name)} it is {said}" for name, said in ranked.items()]
    return f"not the same for all: {'; '.join(each)}"


def _words(method: str) -> str:
    known = segmentation_methods.METHODS
    return known[method].words if method in known else "another program"


def _ranked_by(heads: Sequence[str], method: str) -> str:
    """What the confidence is, which map it comes from, and what follows where that differs."""
    if method == segmentation_methods.OUTSIDE:
        return "the score that the other program gave"
    entry = segmentation_methods.named(method, "segmentation.method")
    if segmentation_methods.MASK not in entry.maps:
        return entry.confidence
    return f"{entry.confidence}, {_map_of(heads, entry)}"


def _map_of(heads: Sequence[str], method: segmentation_methods.Method) -> str:
    mask = segmentation_methods.MASK
    maps: dict[str, list[str]] = {}
    for name in heads:
        maps.setdefault(channels.CONFIDENCE[method.head(mask, name.split("+"))], []).append(name)
    differs = "what ranks the cells differs, too, and with it these scores"
    if not maps:
        first, *others = [channels.CONFIDENCE[head] for head in method.maps[mask].heads]
        if not others:
            return first
        return f"{first} where there is one, else {', else '.join(others)}; between those {differs}"
    if len(maps) == 1:
        return next(iter(maps))
    known = "; ".join(f"{words} with {listed(names)}" for words, names in maps.items())
    return f"which is not the same for all heads ({known}): {differs}"


def with_interval(row: Mapping[str, float], score: Score) -> str:
    """Mean of a score and half of its 95 % interval, such as ``0.512 ± 0.034``.

    Parameters
    ----------
    row : of ``summary.csv``; of fewer than :data:`~cellseg.tables.intervals.ENOUGH_SEEDS` seeds the
        mean alone is given, as in figures
    """
    mean, low, high = (row.get(f"{score.name}_{end}", math.nan) for end in ("mean", "low", "high"))
    if not math.isfinite(mean):
        return NOT_KNOWN
    number = f"{mean:.{score.decimals}f}"
    half = (high - low) / 2
    enough = row.get("n_seeds", 0) >= ENOUGH_SEEDS and math.isfinite(half)
    return f"{number} ± {half:.{score.decimals}f}" if enough else number


def listed(names: Sequence[str]) -> str:
    """Names as in a sentence: ``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


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
