"""Training steps of runs, also before any tile exists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg.data import kinds, subsets
from cellseg.data.expected_images import images_of
from cellseg.data.expected_tiles import n_shown, n_tiles, shown_of, tiles_of
from cellseg.data.livecell_names import CELL_TYPES
from cellseg.data.splits import SPLITS, TRAINING_SPLITS
from cellseg.io import made_files
from cellseg.study import pseudo_labels
from cellseg.study.runs import Run, splits_of, training_of
from cellseg.training import ensemble
from cellseg.training.length import Length, tiles_seen

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Training:
    """What a training does in all its steps; early stopping may end it before.

    Attributes
    ----------
    steps : batches; None where nothing is known of the images
    tiles : or crops that the network is shown, each tile once a pass
    validation_steps : batches of all validations, forward alone
    exact : whether the chosen images were counted, not estimated from the size of the data set
    """

    run: Run
    steps: int | None
    tiles: int | None
    exact: bool
    validation_steps: int = 0


def of_runs(study: Mapping, runs: Iterable[Run], results: Path) -> list[Training]:
    """Steps of runs.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    results : folder of all results; it need not exist
    """
    runs = list(runs)
    tables = {name: _table(results, name) for name in sorted({run.dataset for run in runs})}
    trainings = []
    for run in runs:
        table = tables[run.dataset]
        exact = table is not None
        networks = _counted(study, run, table) if exact else _expected(study, run, results)
        # Which unlabelled images are left out is known once their cells are found.
        exact &= pseudo_labels.entry_of(study, run.subset) is None
        trainings.append(_training(study, run, networks, exact))
    return trainings


def _training(
    study: Mapping, run: Run, networks: list[tuple[int, int]] | None, exact: bool
) -> Training:
    """From the tiles to train and to validate each network on; an ensemble has one a cell type."""
    if networks is None:
        return Training(run, None, None, exact=False)
    options = training_of(study, run.model)
    steps = seen = validated = 0
    for tiles, val_tiles in networks:
        own = Length.of(options, ceil(tiles / options["batch_size"]))
        steps += own.steps
        seen += tiles_seen(own.steps, tiles, options["batch_size"])
        validated += own.epochs * ceil(val_tiles / options["batch_size"])
    return Training(run, steps, seen, exact, validated)


def _table(results: Path, dataset: str) -> "pd.DataFrame | None":
    """Images of a data set, once they are read; those of folds may be of all splits."""
    import pandas as pd

    folder = results / "data" / dataset / "annotations"
    paths = {split: folder / f"{split}.images.parquet" for split in SPLITS}
    if not all(paths[split].is_file() for split in TRAINING_SPLITS):
        return None
    there = [path for path in paths.values() if path.is_file()]
    return pd.concat([made_files.read_parquet(path) for path in there], ignore_index=True)


def _counted(study: Mapping, run: Run, table: "pd.DataFrame") -> list[tuple[int, int]]:
    subset = study["subsets"][run.subset]
    tiling = study["tilings"][training_of(study, run.model)["tiling"]]
    used = splits_of(subset)
    chosen = subsets.select(table[table["split"].isin(used)], subset, run.seed)
    parts = [chosen]
    if study["models"][run.model]["ensemble"]:
        parts = list(ensemble.by_cell_type(table, chosen).values())
    shapes = zip(table["height"], table["width"], strict=True)
    sizes = dict(zip(table["image"], shapes, strict=True))
    counted = {
        split: {size: of_one(tiling, *size) for size in set(sizes.values())}
        for split, of_one in (("train", shown_of), ("val", tiles_of))
    }

    shown = [counted["train"][size] for size in sizes.values()]
    unlabelled = _of_unlabelled(subset, sum(shown) / len(shown))

    def tiles(part: Mapping[str, Iterable[str]], split: str) -> int:
        return sum(counted[split][sizes[image]] for image in part[split])

    return [
        (_with_synthetic(subset, tiles(part, "train")) + unlabelled, tiles(part, "val"))
        for part in parts
    ]


def _expected(study: Mapping, run: Run, results: Path) -> list[tuple[int, int]] | None:
    """As if every cell type had as many images."""
    entry, subset = study["datasets"][run.dataset], study["subsets"][run.subset]
    images = images_of(entry, results / "data" / run.dataset / "annotations")
    if images is None:
        return None
    there = kinds.of(entry).cell_types(entry) or CELL_TYPES
    counts = {split: float(images[split].count) for split in TRAINING_SPLITS}
    if subset["validation"] == "by-well":
        both, share = sum(counts.values()), subsets.VALIDATION_SHARE
        counts = {"train": both * (1 - share), "val": both * share}
    if "folds" in subset:
        of_fold = sum(float(images[split].count) for split in splits_of(subset))
        of_fold /= subset["folds"]["count"]
        left = subset["folds"]["count"] - (2 if subset["folds"]["validation"] == "next" else 1)
        counts = {"train": of_fold * left, "val": of_fold}
    tiling = study["tilings"][training_of(study, run.model)["tiling"]]
    counted = {"train": n_shown, "val": n_tiles}
    n_types = len(subset["cell_types"] or there)

    def of_type(split: str) -> int:
        each = counted[split](tiling, images["train"]) / max(images["train"].count, 1)
        return round(max(1, round(subset["fraction"] * counts[split] / len(there))) * each)

    train, val = of_type("train"), of_type("val")
    if study["models"][run.model]["ensemble"]:
        return [(_with_synthetic(subset, train), val)] * n_types
    each = counted["train"](tiling, images["train"]) / max(images["train"].count, 1)
    unlabelled = _of_unlabelled(subset, each)
    return [(_with_synthetic(subset, n_types * train) + unlabelled, n_types * val)]


def _of_unlabelled(subset: Mapping, each: float) -> int:
    """Tiles of the unlabelled images that a subset learns, at most: as if none were left out.

    Parameters
    ----------
    each : tiles of an image
    """
    entry = subset.get(pseudo_labels.KEY)
    return 0 if entry is None else round(each * len(pseudo_labels.files(entry["images"])))


def _with_synthetic(subset: Mapping, tiles: int) -> int:
    """Synthetic images are as large as the ones they are made of."""
    return tiles * (1 + subset.get("synthetic_per_image", 0))
