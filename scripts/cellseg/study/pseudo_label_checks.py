"""What is refused of subsets with pseudo-labels."""

from collections.abc import Mapping

from cellseg.errors import UserError
from cellseg.study import (
    folds,
    head_checks,
    leaks,
    outside,
    pseudo_labels,
    segmentation_methods,
    spelling,
)
from cellseg.study import runs as studies
from cellseg.study.pseudo_labels import KEY
from cellseg.study.runs import Run
from cellseg.targets import channels, head_names

BY_SIZE = ("data-size", "by-annotated-cells")
"""Figures that put runs on one line by their number of annotated training images."""
BY_TYPE = ("f1-by-cell-type", "transfer")
"""Those that put runs together that are trained on one cell type."""


def _check_figures(study: Mapping) -> None:
    """Refuse figures that would not tell runs with and without pseudo-labels apart."""
    for name, experiment in study["experiments"].items():
        for block in experiment["conditions"]:
            for subset in studies.as_list(block["subset"]):
                if pseudo_labels.entry_of(study, subset) is None:
                    continue
                one = len(study["subsets"][subset]["cell_types"]) == 1
                refused = [*BY_SIZE, *(BY_TYPE if one else ())]
                for figure in experiment["figures"]:
                    if figure in refused:
                        raise UserError(
                            f"experiments.{name}.figures: {figure} goes by annotated training "
                            f"images, and subsets.{subset} has others with pseudo-labels. Remove "
                            "the figure, or the subset from the experiment."
                        )


def check(study: Mapping) -> None:
    """Refuse entries that name no network, or none whose cells have probabilities.

    Parameters
    ----------
    study : complete configuration, folds expanded

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    for name in study["subsets"]:
        entry = pseudo_labels.entry_of(study, name)
        if entry is not None and not name.endswith(studies.ALL_FOLDS):
            _check_entry(f"subsets.{name}.{KEY}", entry, study)
    _check_figures(study)


def _check_entry(where: str, entry: Mapping, study: Mapping) -> None:
    for axis in ("dataset", "model"):
        if axis in entry:
            spelling.check(f"{where}.{axis}", entry[axis], study[f"{axis}s"])
    folds.check_name(f"{where}.subset", entry["subset"], study)
    name = entry["model"]
    model = study["models"][name]
    outside.check_network(f"{where}.model", name, model)
    if model.get("ensemble"):
        raise UserError(
            f"{where}.model: '{name}' is an ensemble with a network for each cell type, and the "
            "types of unlabelled images are not known. Choose a model without `ensemble`."
        )
    try:
        heads = head_names.split(entry["heads"])
    except UserError as error:
        raise UserError(f"{where}.{error}") from None
    head_checks.check(f"{where}.heads", study, name, heads)
    head_checks.check_subset(f"{where}.subset", study, name, entry["subset"])
    segmentation_methods.check_heads(study, heads, f"{where}.heads")
    method = segmentation_methods.settings_for(study, entry["heads"])["method"]
    mask = segmentation_methods.METHODS[method].head(segmentation_methods.MASK, heads)
    if mask in channels.DISTANCES:
        raise UserError(
            f"{where}.heads: the confidence of a cell would be its mean {mask}, which is no "
            "probability. Name heads with fgbg or pixelwise among them."
        )
    search = entry["threshold_search"]
    if search is not None:
        spelling.check(f"{where}.threshold_search", search, study["threshold_searches"])
        if study["scoring"]["data_split"] == "val":
            raise UserError(
                f"{where}.threshold_search: thresholds are chosen on validation images, which "
                "scoring.data_split scores. Score the test split, or name no threshold search."
            )


def check_run(study: Mapping, run: Run) -> None:
    """Refuse pseudo-labels of a run that knows the images on which another is judged.

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    taught_by = pseudo_labels.teacher(study, run)
    if taught_by is None:
        return
    where = f"subsets.{run.subset}.{KEY}"
    if study["models"][run.model].get("ensemble"):
        raise UserError(
            f"{where}: models.{run.model} is an ensemble with a network for each cell type, and "
            "the types of unlabelled images are not known. Use a model without `ensemble`, or a "
            "subset without pseudo-labels."
        )
    own, theirs = (study["subsets"][one.subset] for one in (run, taught_by))
    if taught_by.dataset != run.dataset:
        return
    if taught_by.is_joined:
        raise UserError(
            f"{where}.subset: '{taught_by.subset}' holds the networks of all folds, which were "
            f"trained on the validation images of {run.subset}. Name one fold"
            f"{', or the folds without -all-folds' if 'folds' in own else ''}."
        )
    validation = [one.get("folds", {}).get("validation") for one in (own, theirs)]
    if leaks.deal(own) != leaks.deal(theirs) or validation[0] != validation[1]:
        raise UserError(
            f"{where}.subset: '{taught_by.subset}' has other folds than '{run.subset}', so that "
            "its run may have been trained on images that this one validates with or is scored "
            "on. Give both the same `folds`, or both none."
        )
    if own["validation"] != theirs["validation"]:
        raise UserError(
            f"{where}.subset: '{taught_by.subset}' has validation {theirs['validation']}, and "
            f"'{run.subset}' {own['validation']}, so that its run is trained on images that this "
            "one validates with. Set both to the same."
        )
    if own["validation"] != "by-well":
        return
    if taught_by.seed != run.seed:
        raise UserError(
            f"{where}.seed: validation wells are drawn by the seed, and {taught_by.seed} draws "
            f"others than {run.seed}. Leave `seed` out, or set `validation: official`."
        )
    if own["cell_types"] != theirs["cell_types"]:
        raise UserError(
            f"{where}.subset: validation wells are drawn for the cell types of a subset, and those "
            f"of '{taught_by.subset}' differ from those of '{run.subset}'. Give both the same "
            "`cell_types`, or set `validation: official`."
        )
