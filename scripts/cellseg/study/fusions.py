"""Models of family ``fusion``: the detections of several trained runs, fused into those of one run.

A run of such a model trains nothing. Its members are runs of detectors on the same data set and
subset, which are trained and predicted for it, whether an experiment compares them or not.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cellseg.errors import UserError
from cellseg.study import head_checks, spelling
from cellseg.study import runs as studies
from cellseg.study.runs import Run, as_list, is_fused
from cellseg.targets import head_names


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
        for entry in map(_filled, model[studies.MEMBERS])
        for seed in as_list(run.seed if entry["seed"] is None else entry["seed"])
    ]


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


def check_model(where: str, model: Mapping, study: Mapping) -> None:
    """Refuse members that are no detectors.

    Parameters
    ----------
    where : key of the model, for the error

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    for number, entry in enumerate(model[studies.MEMBERS]):
        key = f"{where}.members[{number}].model"
        spelling.check(key, entry["model"], study["models"])
        if not head_checks.finds_instances(study["models"][entry["model"]]):
            raise UserError(
                f"{key}: models.{entry['model']} is of family "
                f"{study['models'][entry['model']]['family']}, whose runs hold no detections to "
                "fuse. Name models of family maskrcnn, retinamask, centermask or cascade."
            )


def check(study: Mapping) -> None:
    """Refuse runs that cannot be fused, and models of this family where a network is needed.

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    for name in study["experiments"]:
        where = f"experiments.{name}.conditions"
        seen: dict[tuple, Run] = {}
        for run in studies.runs_of(study, name):
            if is_fused(study["models"][run.model]):
                _check_run(where, study, run, seen)
    for name, search in study["hyperparameter_searches"].items():
        if search["model"] in names(study):
            raise UserError(
                f"hyperparameter_searches.{name}.model: '{search['model']}' is of family "
                f"{studies.FUSION}, which has nothing to train. Choose another model."
            )


def _check_run(where: str, study: Mapping, run: Run, seen: dict[tuple, Run]) -> None:
    if run.heads != head_names.INSTANCES:
        raise UserError(
            f"{where}.heads: models.{run.model} is of family {studies.FUSION}, which fuses "
            f"detections. Its heads are `{head_names.INSTANCES}`, in a condition of their own."
        )
    members = [one.run for one in members_of(study, run)]
    key = f"models.{run.model}.members"
    if len(set(members)) < max(2, len(members)):
        raise UserError(
            f"{key}: {run.folder} would be fused of {len(set(members))} different runs, out of "
            f"{len(members)}. Name at least two, each once."
        )
    for member in members:
        head_checks.check(key, study, member.model, [head_names.INSTANCES])
        head_checks.check_subset(key, study, member.model, member.subset)
    sample = studies.sample_of(study, run.subset, run.seed)
    if sample is not None and "seed" in sample and len({one.seed for one in members}) > 1:
        raise UserError(
            f"{key}: the scored images of subsets.{run.subset} are drawn by the seed, so that "
            "members of several seeds predict different ones. Leave out `seed`, or use a subset "
            "with `scored: all`."
        )
    first = seen.setdefault(tuple(members), run)
    if first != run:
        raise UserError(
            f"{where}: {first.folder} and {run.folder} would be fused of the same runs. Ask for "
            f"one seed, or leave `seed` out of {key}."
        )
