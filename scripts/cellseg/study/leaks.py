"""Runs that know the images on which another one on the same data set is judged."""

from collections.abc import Mapping

from cellseg.study import runs as studies
from cellseg.study.runs import Run

DEAL = ("count", "fold", "group", "seed", "images")
"""Keys of folds that decide which images one of them holds out."""


def deal(subset: Mapping) -> dict | None:
    """What decides which images a fold holds out; None without folds."""
    folds = subset.get("folds")
    return None if folds is None else {key: folds.get(key) for key in DEAL}


def knows_scored(study: Mapping, run: Run, other: Run) -> bool:
    """Whether a run may have been trained on images that another is scored on.

    Parameters
    ----------
    study : complete configuration, folds expanded
    run : the run that is scored
    other : a run on the same data set that trains a network
    """
    own, theirs = (study["subsets"][one.subset] for one in (run, other))
    if studies.scores_its_fold(own):
        return deal(own) != deal(theirs)
    dealt = theirs.get("folds", {}).get("images")
    return dealt == "all" or (dealt is not None and study["scoring"]["data_split"] == "val")


def knows_validation(study: Mapping, run: Run, other: Run) -> bool:
    """Whether a run may have been trained on images that another validates with; see above."""
    own, theirs = (study["subsets"][one.subset] for one in (run, other))
    if "folds" in own or "folds" in theirs:
        if deal(own) != deal(theirs):
            return True
        return own["folds"]["validation"] != theirs["folds"]["validation"]
    if own["validation"] != theirs["validation"]:
        return True
    drawn = own["validation"] == "by-well"
    return drawn and (run.seed != other.seed or own["cell_types"] != theirs["cell_types"])
