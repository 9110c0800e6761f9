"""Subsets with pseudo-labels: the run whose cells are learnt, and the unlabelled images."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from cellseg.errors import UserError
from cellseg.study import runs as studies
from cellseg.study.runs import Run

KEY = "pseudo_labels"
"""Of a subset; others have no such key, so that their runs do not train again."""
FOLDER = "pseudo-labels/{subset}/{model}/{heads}/seed-{seed}"
"""Of the labels in the folder of the data set that learns: its subset, and the run that finds."""
OF_FINDING = ("confidence", "max_unsure", "min_cells")
"""Keys that decide which cells and images are learnt."""


def entry_of(study: Mapping, subset: str) -> Mapping | None:
    """What a subset says of pseudo-labels, or None."""
    return study["subsets"][subset].get(KEY)


def teacher(study: Mapping, run: Run) -> Run | None:
    """The run whose cells a run learns, or None."""
    entry = None if run.is_joined else entry_of(study, run.subset)
    if entry is None or not studies.is_trained(study, run):
        return None
    axes = {"dataset": run.dataset, "seed": run.seed, **entry}
    return Run(*(axes[axis] for axis in ("dataset", *studies.AXES)))


def of_fold(where: str, subset: Mapping, folds_of: Mapping[str, list[str]]) -> dict:
    """Settings of one fold of a subset, which learns of the run of the same fold.

    Parameters
    ----------
    where : key of the subset, for the error
    folds_of : names of the subsets of each fold, of subsets that stand for all of theirs

    Raises
    ------
    UserError
        It is to learn of a subset of fewer or more folds.
    """
    entry = subset.get(KEY)
    names = folds_of.get(entry["subset"], []) if entry else []
    if not names:
        return dict(subset)
    number, count = subset["folds"]["fold"], subset["folds"]["count"]
    if len(names) != count:
        raise UserError(
            f"{where}.{KEY}.subset: '{entry['subset']}' is {len(names)} folds, and this one of "
            f"{count}. Give both the same `count`, or name one fold, such as {names[0]}."
        )
    return {**subset, KEY: {**entry, "subset": names[number - 1]}}


def refuse_missing(study: Mapping, subset: str) -> None:
    """Refuse a folder of unlabelled images that does not exist or holds none.

    Raises
    ------
    UserError
        Names the key and the folder.
    """
    entry = entry_of(study, subset)
    if entry is None:
        return
    where, folder = f"subsets.{subset}.{KEY}.images", Path(entry["images"])
    if not folder.is_dir():
        raise UserError(
            f"{where}: {folder} is no folder. Correct the path (relative to the checkout)."
        )
    if not files(folder, without(study["datasets"])):
        raise UserError(
            f"{where}: {folder} holds no images. Put the unlabelled images there, or correct the "
            "path (relative to the checkout)."
        )


def without(datasets: Mapping[str, Mapping]) -> list[Path]:
    """Folders whose files are no unlabelled images: those of results and of label images."""
    labels = {
        folder for entry in datasets.values() for folder in (entry.get("labels") or {}).values()
    }
    return [Path("results"), *map(Path, sorted(labels))]


def files(folder: str | Path, without: Iterable[Path] = ()) -> list[Path]:
    """Image files below a folder, sorted; none where there is no folder."""
    from cellseg.images import reading  # with NumPy, which plans start without

    folder = Path(folder)
    return reading.find(folder, reading.SUFFIXES, without) if folder.is_dir() else []
