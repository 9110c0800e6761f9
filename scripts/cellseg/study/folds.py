"""Subsets that stand for the folds of a cross-validation, and where their runs are scored."""

from collections.abc import Mapping
from dataclasses import replace

from cellseg.errors import UserError
from cellseg.study import pseudo_labels, spelling
from cellseg.study import runs as studies
from cellseg.study.runs import Run, as_list

POOLED = "pooled"
"""In names of files: all splits of a data set together."""

ALONE = ("contact-sheet", "transfer", "data-size", "by-annotated-cells")
"""Figures that compare runs on the same images, or subsets that differ in their training images."""


def name_of(subset: str, fold: int) -> str:
    """Name of the subset of one fold, which is a part of the path of its runs."""
    return f"{subset}-fold-{fold}"


def expanded(study: Mapping) -> dict:
    """The study with a subset for each fold in the place of those that name none.

    Parameters
    ----------
    study : complete configuration; not changed

    Raises
    ------
    UserError
        A name is taken, a setting contradicts another, or a search names a subset of all folds.
    """
    subsets, folds, together = {}, {}, {}
    for name, subset in study["subsets"].items():
        if name.endswith(studies.ALL_FOLDS):
            raise UserError(
                f"subsets.{name}: names that end in {studies.ALL_FOLDS} are for the networks of "
                "all folds together. Rename it."
            )
        if "folds" not in subset:
            subsets[name] = subset
            continue
        _check(f"subsets.{name}", subset, study)
        if "fold" in subset["folds"]:
            subsets[name] = subset
            continue
        numbers = range(1, subset["folds"]["count"] + 1)
        folds[name] = [name_of(name, number) for number in numbers]
        for number, own in zip(numbers, folds[name], strict=True):
            if own in study["subsets"]:
                raise UserError(
                    f"subsets.{own}: the fold {number} of subsets.{name} has this name. Rename one."
                )
            subsets[own] = {**subset, "folds": {**subset["folds"], "fold": number}}
        if subset["folds"]["ensemble"]:
            subsets[name + studies.ALL_FOLDS] = subset
            together[name] = [name + studies.ALL_FOLDS]
    subsets = {
        name: pseudo_labels.of_fold(f"subsets.{name}", subset, folds)
        if "fold" in subset.get("folds", {})
        else subset
        for name, subset in subsets.items()
    }
    folds = {name: [*names, *together.get(name, [])] for name, names in folds.items()}
    for name, search in study["hyperparameter_searches"].items():
        if search["subset"] in folds:
            raise UserError(
                f"hyperparameter_searches.{name}.subset: {search['subset']} is "
                f"{study['subsets'][search['subset']]['folds']['count']} folds. Name one, such as "
                f"{folds[search['subset']][0]}."
            )
    experiments = {
        name: {
            **experiment,
            "conditions": [_with_folds(block, folds) for block in experiment["conditions"]],
        }
        for name, experiment in study["experiments"].items()
    }
    done = {**study, "subsets": subsets, "experiments": experiments}
    for name, experiment in experiments.items():
        _check_experiment(f"experiments.{name}", experiment, done)
    return done


def members(study: Mapping, run: Run) -> list[Run]:
    """The runs of the folds whose networks a run of all folds predicts with; none of others."""
    if not run.is_joined:
        return []
    family = run.subset.removesuffix(studies.ALL_FOLDS)
    count = study["subsets"][run.subset]["folds"]["count"]
    return [replace(run, subset=name_of(family, number)) for number in range(1, count + 1)]


def check_name(where: str, name: str, study: Mapping) -> None:
    """Refuse a name of a subset that is not defined, or that stands for several folds.

    Parameters
    ----------
    where : key that names the subset, for the error
    study : of :func:`expanded`

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    first = study["subsets"].get(name_of(name, 1), {})
    if name not in study["subsets"] and "folds" in first:
        raise UserError(
            f"{where}: '{name}' is {first['folds']['count']} folds. Name one, such as "
            f"{name_of(name, 1)}."
        )
    spelling.check(where, name, study["subsets"])


def _with_folds(block: Mapping, folds: Mapping[str, list[str]]) -> dict:
    """A block of conditions with all folds of the subsets that it names."""
    named = as_list(block["subset"])
    if not set(named) & set(folds):
        return dict(block)
    return {**block, "subset": [own for name in named for own in folds.get(name, [name])]}


def scores_its_fold(study: Mapping, subset: str) -> bool:
    """Whether runs on a subset are scored on the images that its fold holds out."""
    return studies.scores_its_fold(study["subsets"][subset])


def scored_split(study: Mapping, subset: str) -> str:
    """Split whose files hold the scored images of runs on a subset, :data:`POOLED` for folds."""
    return POOLED if scores_its_fold(study, subset) else study["scoring"]["data_split"]


def of_experiment(study: Mapping, experiment: str) -> dict[str, str]:
    """The subset without its fold, of each subset of folds that an experiment scores."""
    named = {
        name for block in study["experiments"][experiment]["conditions"]
        for name in as_list(block["subset"])
    }  # fmt: skip
    scored = [name for name in sorted(named) if scores_its_fold(study, name)]
    return {
        name: name.removesuffix(name_of("", study["subsets"][name]["folds"]["fold"]))
        for name in scored
    }


def _check(where: str, subset: Mapping, study: Mapping) -> None:
    folds = subset["folds"]
    if folds.get("fold", 1) > folds["count"]:
        raise UserError(
            f"{where}.folds.fold: {folds['fold']} of {folds['count']} folds. Count from 1."
        )
    for key, default in (("validation", "official"), ("scored", "all")):
        if subset[key] != default:
            raise UserError(
                f"{where}.{key}: with `folds`, these decide which images validate and are scored. "
                f"Remove `{key}`."
            )
    if folds["validation"] == "next" and folds["count"] < 3:
        raise UserError(
            f"{where}.folds.count: one fold is held out and the next validates, and of two none "
            "is left to train on. Ask for three or more, or set `validation: held-out`."
        )
    split = study["scoring"]["data_split"]
    if folds["scored"] == "split" and (folds["images"] == "all" or split == "val"):
        raise UserError(
            f"{where}.folds.scored: the images of the {split} split are dealt to folds, and so "
            "trained on. Set `images: training` and score the test split, or score `held-out`."
        )
    if folds["ensemble"] and (folds["scored"] == "held-out" or "fold" in folds):
        raise UserError(
            f"{where}.folds.ensemble: all networks predict the same images, which none was trained "
            "on. Set `scored: split`, and name no `fold`."
        )
    if folds["scored"] == "split" and folds["validation"] == "next":
        raise UserError(
            f"{where}.folds.validation: with `scored: split` nothing is done with the held-out "
            "fold but to validate. Set `validation: held-out`."
        )


def _check_experiment(where: str, experiment: Mapping, study: Mapping) -> None:
    """Refuse scores of different images in one table, and figures of the same images."""
    named = [name for block in experiment["conditions"] for name in as_list(block["subset"])]
    for name in named:
        spelling.check(f"{where}.conditions.subset", name, study["subsets"])
    for block in experiment["conditions"]:
        joined = [name for name in as_list(block["subset"]) if name.endswith(studies.ALL_FOLDS)]
        for model in as_list(block["model"]) if joined else ():
            spelling.check(f"{where}.conditions.model", model, study["models"])
            entry = study["models"][model]
            if entry["family"] == "labels" or entry.get("ensemble"):
                raise UserError(
                    f"{where}.conditions: {joined[0]} puts the networks of folds together, and "
                    f"models.{model} has {'none' if entry['family'] == 'labels' else 'several'} in "
                    "each fold. Choose another model, or remove `ensemble`."
                )
    scored = {scores_its_fold(study, name) for name in named}
    if scored == {False, True}:
        raise UserError(
            f"{where}.conditions: some subsets are scored on the images that their fold holds out, "
            "others on the images of a split. Make two experiments of them."
        )
    for figure in experiment["figures"]:
        if True in scored and figure in ALONE:
            raise UserError(
                f"{where}.figures: {figure} compares runs on the same images, and folds hold out "
                "different ones. Remove it."
            )
