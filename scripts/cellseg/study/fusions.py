"""Models of family ``fusion``: the detections of several trained runs, fused into those of one run.

A run of such a model trains nothing. Its members are runs of detectors on the same data set and
subset, which are trained and predicted for it, whether an experiment compares them or not.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cellseg.study.fusion_names import MEMBERS, is_fused
from cellseg.study.runs import Run, as_list


class Member(NamedTuple):
    """A run that is fused, and its weight."""

    run: Run
    weight: float


def names(study: Mapping) -> list[str]:
    """Names of the models of this family, as the configuration lists them."""
    return [name for name, model in study["models"].items() if is_fused(model)]


def members_of(study: Mapping, run: Run) -> list[Member]:
    """What a run is fused of, in the order of the configuration; nothing for other runs."""
    model = study["models"][run.model]
    if not is_fused(model):
        return []
    return [
        Member(Run(run.dataset, entry["model"], run.heads, run.subset, seed), entry["weight"])
        for entry in map(_filled, model[MEMBERS])
        for seed in as_list(run.seed if entry["seed"] is None else entry["seed"])
    ]


def families_of(study: Mapping, model: str) -> list[str]:
    """Families of the networks of a model's runs: its own, or those that they are fused of."""
    names = [entry["model"] for entry in study["models"][model].get(MEMBERS, [])] or [model]
    return list(dict.fromkeys(study["models"][name]["family"] for name in names))


def with_members(study: Mapping, runs: Iterable[Run]) -> list[Run]:
    """Runs with those that they are fused of, in order, each once."""
    found = [[run, *(one.run for one in members_of(study, run))] for run in runs]
    return list(dict.fromkeys(run for group in found for run in group))


def settings_of(study: Mapping, run: Run) -> dict:
    """What decides how the members of a run are fused, with sorted keys."""
    weights = [float(one.weight) for one in members_of(study, run)]
    return {"iou": study["models"][run.model]["iou"], "weights": weights}


def _filled(entry: Mapping) -> dict:
    return {"seed": None, "weight": 1, **entry}
