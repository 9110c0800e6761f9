"""What is said beneath a table: what was scored and how, what is marked, what is published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellseg.data.splits import HELD_OUT
from cellseg.io.wording import number_of
from cellseg.study import segmentation_methods
from cellseg.tables import conditions, published
from cellseg.tables.formatted import marking
from cellseg.tables.glossary import STEP, Score, definitions, listed, remarks

if TYPE_CHECKING:
    import pandas as pd


OF_FOLDS = (
    "Each image is scored by the network of the fold that holds it out. COCO scores are in "
    "runs.csv by fold, since confidences of different networks have no common rank. "
)


@dataclass(frozen=True)
class Experiment:
    """What the configuration says of an experiment and the tables do not.

    ``kind`` and ``duplicates`` are the data set's, ``subsample`` and ``min_size`` (pixels) those of
    the scoring; ``sampled`` is whether seeds drew the scored images.
    """

    name: str
    title: str
    kind: str
    duplicates: str
    subsample: int
    min_size: int
    sampled: bool = False


def title(experiment: Experiment, treatment: str) -> str:
    """Heading of a table, such as ``Which backbone? Small objects kept``."""
    mark = "" if experiment.title.endswith(("?", ".", "!")) else "."
    return f"{experiment.title}{mark} Small objects {treatment}"


def notes(
    *,
    images: "pd.DataFrame",
    runs: "pd.DataFrame",
    training: "pd.DataFrame",
    compared: "pd.DataFrame",
    scores: Sequence[Score],
    outcomes: Mapping[Score, marking.Outcome | None],
    beneath: int,
    experiment: Experiment,
    treatment: str,
) -> list[str]:
    """Paragraphs of the caption.

    Parameters
    ----------
    images, runs, compared : of the table's treatment of small objects
    training : the table ``training`` of the experiment
    scores : columns of the table
    outcomes : from :func:`cellseg.tables.formatted.marking.best`, by column
    beneath : number of published rows
    """
    return [
        _measured(images, runs, scores, experiment, treatment) + _step_time(scores, training),
        # Alike for every treatment, so that a page with several tables says it once.
        _definitions([score for score in scores if score is not STEP], runs),
        marking.note(compared, outcomes),
        _published(beneath, runs, experiment, treatment),
    ]


def _measured(
    images: "pd.DataFrame",
    runs: "pd.DataFrame",
    scores: Sequence[Score],
    experiment: Experiment,
    treatment: str,
) -> str:
    axes = [*conditions.AXES, *(["tuning"] if "tuning" in runs else [])]
    shared = [
        axis
        for axis in axes
        if axis not in (conditions.varying(runs) or ["model"])
        and not (axis == "tuning" and (runs[axis] == "-").all())
    ]
    once = images.drop_duplicates("image")
    seeds, several = conditions.seeds(runs)
    drawn = conditions.interval(runs)
    small = (
        "Small objects are kept."
        if treatment == "kept"
        else "True and predicted objects smaller than "
        f"{experiment.min_size} pixels were removed before scoring."
    )
    subsample = experiment.subsample
    part = f" (one of every {subsample} of a cell type)" if subsample > 1 else ""
    part += ", of which each seed drew some," if experiment.sampled else ""
    of_folds = once["data_split"].iloc[0] == HELD_OUT
    return (
        f"Experiment {experiment.name}. {conditions.constants(runs, shared)}"
        f"Scored on the {once['data_split'].iloc[0]} {'images' if of_folds else 'split'} of "
        f"{', '.join(sorted(once['dataset'].unique()))}"
        f"{conditions.folds_together(images) if of_folds else ''}: "
        f"{number_of(len(once), 'image')}{part} with "
        f"{number_of(int(once['n_true'].sum()), 'true cell')}. "
        f"{OF_FOLDS if of_folds else ''}{small} "
        f"{_without_cells(once['n_true'], scores)}Values are "
        + (
            f"means over {seeds} ± half of the {drawn}."
            if drawn
            else f"{conditions.no_interval(runs).replace('mean', 'means')}."
            if several
            else f"of {seeds}, and have no interval."
        )
    )


def _without_cells(n_true: "pd.Series", scores: Sequence[Score]) -> str:
    """How many images have no score, and where their false cells count nevertheless."""
    without = int((n_true == 0).sum())
    if not without:
        return ""
    counted = [score.heading for score in scores if score.over == "cells"]
    return (
        f"{without:,} of the images {'has' if without == 1 else 'have'} no true cells: means over "
        f"images are of the other {len(n_true) - without:,} for every condition, and false cells "
        f"there count in {listed(counted)} alone. "
    )


def _step_time(scores: Sequence[Score], training: "pd.DataFrame") -> str:
    """What the step time is, as a sentence; empty where there is none."""
    if STEP not in scores:
        return ""
    said = definitions([STEP], lambda score: f"{score.heading}{_device(training)}")
    return f" {said[:1].upper()}{said[1:]}; lower is better."


def _definitions(scores: Sequence[Score], runs: "pd.DataFrame") -> str:
    meanings = definitions(scores, lambda score: score.heading)
    lower = [score.heading for score in scores if score.ranks and not score.higher_is_better]
    lower_is_better = f" Lower is better: {listed(lower)}." if lower else ""
    methods = runs.get("method", segmentation_methods.DEFAULT)
    by_method = runs.assign(method=methods).groupby("method", sort=False)["heads"].unique()
    said = remarks(scores, lambda score: score.heading, by_method.map(list).to_dict())
    return f"{meanings}.{lower_is_better} {said}"


def _device(training: "pd.DataFrame") -> str:
    devices = sorted(training["device"].dropna().unique()) if "device" in training else []
    return f" on {', '.join(devices)}" if devices else ""


def _published(beneath: int, runs: "pd.DataFrame", experiment: Experiment, treatment: str) -> str:
    if beneath:
        listed_twice = (
            " The published test list names some images twice; here each counts once."
            if experiment.duplicates == "drop"
            else ""
        )
        return (
            "Beneath the rule: published figures of the same score on the same split of the same "
            f"data set, in fractions. What ranks the cells in AP differs between systems."
            f"{listed_twice}"
        )
    why = published.obstacle(
        kind=experiment.kind,
        subsample=experiment.subsample,
        sampled=experiment.sampled,
        small_objects=treatment,
    ) or (f"none is known of these scores on the {runs['data_split'].iloc[0]} split")
    return f"No published figure is comparable: {why}."
