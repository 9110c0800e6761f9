"""Refuses runs that cannot be fused, in the plan.

Apart from :mod:`.fusions`: what jobs read of a study imports no model families.
"""

from collections.abc import Mapping

from cellseg.errors import UserError
from cellseg.study import fusions, head_checks, spelling
from cellseg.study import runs as studies
from cellseg.study.fusion_names import FUSION, MEMBERS, is_fused
from cellseg.study.runs import Run
from cellseg.targets import head_names


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
    for number, entry in enumerate(model[MEMBERS]):
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
        if search["model"] in fusions.names(study):
            raise UserError(
                f"hyperparameter_searches.{name}.model: '{search['model']}' is of family "
                f"{FUSION}, which has nothing to train. Choose another model."
            )


def check_export(study: Mapping, run: Run) -> None:
    """Refuse a run to export that has a network for each cell type, or one of whose members does.

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    members = [one.run for one in fusions.members_of(study, run)]
    for one in members or [run]:
        key = f"models.{run.model}.members" if members else f"models.{run.model}.ensemble"
        if study["models"][one.model].get("ensemble"):
            remedy = "fuse models without it" if members else "train a model without it"
            raise UserError(
                f"{key}: models.{one.model} has a network for each cell type (`ensemble`), and "
                f"such a run is not exported. To export {run.folder}, {remedy}."
            )


def _check_run(where: str, study: Mapping, run: Run, seen: dict[tuple, Run]) -> None:
    if run.heads != head_names.INSTANCES:
        raise UserError(
            f"{where}.heads: models.{run.model} is of family {FUSION}, which fuses "
            f"detections. Its heads are `{head_names.INSTANCES}`, in a condition of their own."
        )
    members = [one.run for one in fusions.members_of(study, run)]
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
