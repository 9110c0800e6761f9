"""Ensembles that have no network for some images to be scored, refused before any is trained.

An ensemble predicts an image with the network of its cell type. Which types a data set has is
known with the configuration for some kinds; those of the others, and the share of a type that a
subset takes, with the tables of its images.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cellseg.data import kinds
from cellseg.errors import UserError
from cellseg.study import folds, fusions
from cellseg.study import runs as studies

if TYPE_CHECKING:
    import pandas as pd

REMEDY = (
    "Use a subset with images of all cell types to train and to validate on, or a model without "
    "`ensemble`."
)


def check_study(study: Mapping) -> None:
    """Refuse runs of ensembles on fewer cell types than their data set has.

    Raises
    ------
    UserError
        Names the first such run, and what to do.
    """
    for name in study["experiments"]:
        for run in fusions.with_members(study, studies.runs_of(study, name)):
            chosen = study["subsets"][run.subset]["cell_types"]
            dataset = study["datasets"][run.dataset]
            known = kinds.of(dataset).cell_types(dataset)
            missing = [cell_type for cell_type in known if cell_type not in chosen]
            if study["models"][run.model].get("ensemble") and chosen and missing:
                raise UserError(
                    f"experiments.{name}.runs: the ensemble '{run.model}' on subset '{run.subset}' "
                    f"gets no network for cell type {', '.join(missing)}, and is scored on all "
                    f"images of data set '{run.dataset}'. {REMEDY}"
                )


def runs_on(study: Mapping, dataset: str) -> list[dict]:
    """What :func:`check_images` needs to know of the ensembles on a data set, in a fixed order."""
    return [
        {
            "folder": run.folder,
            "scored": folds.scored_split(study, run.subset),
            "seed": run.seed,
            "subset": studies.in_order(study["subsets"][run.subset]),
        }
        for run in fusions.with_members(study, studies.all_runs(study))
        if run.dataset == dataset and study["models"][run.model].get("ensemble")
    ]


def check_images(ensembles: Sequence[Mapping], images: "pd.DataFrame") -> None:
    """Refuse ensembles whose subset lacks images of a cell type to be scored.

    Parameters
    ----------
    ensembles : from :func:`runs_on`
    images : of all splits, with columns image, split, order, cell_type and well

    Raises
    ------
    UserError
        Names the first such run, the missing types, and what to do.
    """
    from cellseg.data import subsets

    for run in ensembles:
        ours = images[images["split"].isin(studies.splits_of(run["subset"]))]
        of_folds = run["scored"] == folds.POOLED
        scored = ours if of_folds else images[images["split"] == run["scored"]]
        wanted = set(scored["cell_type"])
        for split, chosen in subsets.select(ours, run["subset"], run["seed"]).items():
            missing = sorted(wanted - set(ours.loc[ours["image"].isin(chosen), "cell_type"]))
            if missing:
                raise UserError(
                    f"{run['folder']}: an ensemble gets no network for cell type "
                    f"{', '.join(missing)}, of which its subset has no image in the {split} split, "
                    f"and is scored on all images of the {run['scored']} split. {REMEDY}"
                )
