"""Published figures, a document at a time, next to ours where a condition matches."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellseg.data.kinds import SOURCES
from cellseg.scoring.names import ALL_TYPES
from cellseg.tables import conditions, folds, glossary, published
from cellseg.tables.step_times import step_times

if TYPE_CHECKING:
    import pandas as pd

BY_BACKBONE = ("Mesmer (PanopticNet)", "Deep watershed", "Pixelwise")
"""Systems that are among our networks, with the backbone next in their names."""
BY_MODEL = {
    "U-Net": "unet",
    "Deep U-Net": "unet-deep",
    "Deep U-Net Ensemble": "unet-deep-ensemble",
    "CenterMask VoVNet2 V-19-SlimDW": "centermask-v19-slim-dw",
    "CenterMask VoVNet2 V-99": "centermask-v99",
    "Mask R-CNN, public baseline": "mask-rcnn",
    "Cascade Mask R-CNN X152": "cascade-x152",
    "Cascade Mask R-CNN X152, post-processed": "cascade-x152",
}
"""Systems that are among our networks, and their names in poster.yaml and sartorius.yaml."""
TUNED = {"Cascade Mask R-CNN X152": False, "Cascade Mask R-CNN X152, post-processed": True}
"""Systems that differ in this alone: whether thresholds were chosen on validation images."""
ONLY_THEIRS = {
    system: f"weights of {of}"
    for system in BY_MODEL
    for name, of in (("CenterMask", "MS-COCO"), ("Cascade", "MS-COCO, then LIVECell"))
    if name in system
}
"""What those of them have that ours lack."""
OUR_METRICS = {"Time for step": glossary.STEP.name, "F1 Score": "f1", "AP": "ap", "AFNR": "afnr"}
"""Metrics that a source calls otherwise than our tables, and that need not be defined alike."""

UNITS = {"percent": " %", "ms": " ms"}
"""What is written behind values of a unit."""

_HEADS = re.compile(r"[a-z-]+(\+[a-z-]+)+")
"""A combination of heads in the name of a system."""


@dataclass(frozen=True)
class Measured:
    """One experiment of the study, as tables.

    Attributes
    ----------
    runs, training : tables ``runs`` and ``training`` of the experiment
    """

    runs: "pd.DataFrame"
    training: "pd.DataFrame"


@dataclass(frozen=True)
class Ours:
    """A condition of the study: its name, the mean over its seeds, and the ends of the interval."""

    condition: str
    mean: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Line:
    """A published figure, ours, and in what they differ.

    ``ours`` is None where the study has no matching condition; `same_network` says that it is of
    the network that was published. ``differs`` is empty where both may be compared.
    """

    figure: published.Figure
    ours: Ours | None
    same_network: bool
    differs: str


def lines(
    figures: Iterable[published.Figure],
    experiments: Sequence[Measured],
    *,
    kind: str,
    subsample: int,
) -> list[Line]:
    """A line a published figure.

    A condition matches if it was trained on the same cell types, with synthetic images or without,
    and has the metric. Of a network that is one of ours it must be that network; next to other
    networks on LIVECell is the best of our conditions.

    Parameters
    ----------
    figures : of one document
    experiments : of one data set
    kind : of the data set, as in the configuration
    subsample : that every n-th image was scored, of the configuration
    """
    candidates = _candidates(experiments)
    return [_line(figure, candidates, kind, subsample) for figure in figures]


def one_experiment(
    runs: "pd.DataFrame",
    training: "pd.DataFrame",
    out_of_fold: "pd.DataFrame | None",
    subsets: Mapping[str, str],
) -> Measured:
    """An experiment whose folds, if it has some, are scored together.

    Parameters
    ----------
    out_of_fold, subsets : see :func:`cellseg.tables.folds.as_one_run`; None and empty without folds
    """
    if out_of_fold is not None:
        runs, training = folds.as_one_run(runs, training, out_of_fold, subsets)
    return Measured(runs, training)


def name(figure: published.Figure) -> str:
    """System of a figure, with what it was trained on."""
    trained = figure.trained_on
    return f"{figure.system} ({trained})" if trained else figure.system


def value(figure: published.Figure) -> str:
    """A figure as it was printed, with its standard deviation and unit."""
    unit = UNITS.get(figure.unit, "")
    deviation = f" (SD {figure.sd:g})" if figure.sd is not None else ""
    return f"{figure.value:g}{deviation}{unit}"


def reasons(figure: published.Figure, dataset: str = published.DATASET) -> list[str]:
    """Why a figure is not of the metric, data and split of our tables, whatever the study has.

    Parameters
    ----------
    dataset : what our data set is called in published figures
    """
    said = []
    if figure.unit in published.OTHER_UNITS:
        return ["another machine"]
    if figure.dataset != dataset:
        said.append(f"data set {figure.dataset}")
    if not figure.split:
        said.append("split not stated")
    elif figure.split != "test":
        said.append(f"split: {figure.split}")
    if our_metric(figure) != figure.metric:
        said.append(f"{figure.metric} may be defined otherwise")
    if not figure.comparable and not said:
        said.append("see the source")
    return said


def our_metric(figure: published.Figure) -> str | None:
    """Column of our tables that is nearest to the metric of a figure; None for none."""
    if figure.metric in published.METRICS:
        return figure.metric
    if figure.metric == "F1":  # of the poster, which does not say what it is
        return "pixel_f1" if "pixel_f1" in figure.note else None
    return OUR_METRICS.get(figure.metric)


def _candidates(experiments: Sequence[Measured]) -> list[dict]:
    """Every condition once: names, facts of its training, its rows of ``runs`` and step times."""
    found: dict[tuple, dict] = {}
    for one in experiments:
        runs = conditions.held_out(one.runs)
        for key in conditions.unique(runs, conditions.AXES):
            condition = dict(zip(conditions.AXES, key, strict=True))
            training = conditions.rows_of(one.training, **condition)
            own = conditions.rows_of(runs, **condition)
            tuned = str(own["tuning"].iloc[0]) if "tuning" in own else ""
            if training.empty or (*key, tuned) in found:
                continue
            facts = training.iloc[0]
            found[*key, tuned] = {
                **condition,
                "backbone": str(facts["backbone"]),
                "cell_types": facts["cell_types"] if isinstance(facts["cell_types"], str) else "",
                "synthetic": bool(facts["synthetic_images"] > 0),
                "tuned": next(iter(conditions.tunings(own)), ""),
                "runs": own,
                "times": step_times(training),
            }
    return list(found.values())


def _line(
    figure: published.Figure, candidates: Sequence[Mapping], kind: str, subsample: int
) -> Line:
    known = any(figure.system.startswith(method) for method in BY_BACKBONE)
    known |= figure.system in BY_MODEL
    metric, dataset = our_metric(figure), SOURCES[kind].published_as or published.DATASET
    matching = []
    for one in candidates:
        if metric is None or not _trained_alike(figure, one):
            continue
        if not (_same_network(figure, one) if known else figure.dataset == dataset):
            continue
        values = _values(figure, metric, one)
        if values.notna().any():
            mean, low, high = conditions.over_seeds(values)
            words = conditions.label(one, conditions.AXES)
            words += f" · {one['tuned']}" if one["tuned"] else ""
            matching.append(Ours(words, mean, low, high, int(values.count())))
    if not matching:
        return Line(figure, None, False, "; ".join(reasons(figure, dataset)))
    lower = metric == glossary.STEP.name or not _higher_is_better(metric)
    best = min(matching, key=lambda ours: ours.mean if lower else -ours.mean)
    said = reasons(figure, dataset)
    treatment = figure.small_objects or conditions.PRIMARY
    obstacle = published.obstacle(
        kind=kind, subsample=subsample, small_objects="kept", dataset=figure.dataset
    )
    if obstacle:
        said.insert(0, f"ours: {obstacle.partition(', and ')[2] or obstacle}")
    if not known:
        said.append("another network: ours is the best condition")
    elif open_parts := _not_matched(figure):
        said.append(f"not matched: {', '.join(open_parts)}")
    if not figure.small_objects and figure.unit not in published.OTHER_UNITS:
        said.append(f"small objects not stated; ours {treatment}")
    return Line(figure, best, known, "; ".join(said))


def _higher_is_better(metric: str) -> bool:
    score = glossary.KNOWN.get(metric)
    return score.higher_is_better if score else True


def _values(figure: published.Figure, metric: str, one: Mapping) -> "pd.Series":
    """Of each seed."""
    if metric == glossary.STEP.name:
        return one["times"]
    rows = conditions.rows_of(
        one["runs"],
        small_objects=figure.small_objects or conditions.PRIMARY,
        cell_type=figure.cell_type,
    )
    return rows[metric].astype(float) if metric in rows else rows.iloc[:0]["seed"].astype(float)


def _trained_alike(figure: published.Figure, one: Mapping) -> bool:
    """Whether a condition was trained on what a system was trained on, as far as it is known."""
    of_figure = figure.trained_on
    if "%" in of_figure:  # a part of the data
        return False
    if one["synthetic"] != ("synthetic" in of_figure):
        return False
    single = (
        of_figure.removeprefix("LIVECell ").strip() if of_figure.startswith("LIVECell ") else ""
    )
    if single and "synthetic" not in of_figure:
        return one["cell_types"] == single
    return one["cell_types"] in ("", ALL_TYPES)


def _not_matched(figure: published.Figure) -> list[str]:
    """What a system has besides its method, backbone and heads."""
    if figure.system in BY_MODEL:
        return [ONLY_THEIRS[figure.system]] if figure.system in ONLY_THEIRS else []
    return [part for part in figure.system.split(", ")[2:] if not _HEADS.fullmatch(part)]


def _same_network(figure: published.Figure, one: Mapping) -> bool:
    """Whether a condition is of the network that a system names."""
    if figure.system in BY_MODEL:
        tuned = TUNED.get(figure.system, bool(one["tuned"]))
        return one["model"] == BY_MODEL[figure.system] and bool(one["tuned"]) == tuned
    method, backbone, *parts = figure.system.split(", ")
    if one["backbone"].lower() != backbone.lower():
        return False
    heads = next(filter(_HEADS.fullmatch, parts), "")
    if heads:
        return one["heads"] == heads
    if method == "Pixelwise":
        return one["heads"] == "pixelwise"
    return "distance" in one["heads"]
