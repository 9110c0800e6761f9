"""Which images a run is trained and validated on."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cellseg.data import folds as dealing
from cellseg.data.splits import TRAINING_SPLITS
from cellseg.errors import UserError

VALIDATION_SHARE = (
    0.15  # of the wells, where validation wells are drawn; the official split has 0.15
)


def select(images: pd.DataFrame, subset: Mapping, seed: int) -> dict[str, list[str]]:
    """Choose training and validation images.

    Parameters
    ----------
    images : rows of the train and val splits, and of test where folds are of all images
        with columns image, split, order, cell_type, well.
    subset : settings ``cell_types``, ``fraction``, ``selection``, ``validation`` and, optionally,
        ``folds``
    seed : decides seeded selections and drawn validation wells

    Returns
    -------
    dict : ``{"train": [...], "val": [...]}``, image names in the order of the tables

    Raises
    ------
    UserError
        A cell type does not occur, or nothing is left to train or validate on.
    """
    if "folds" in subset:
        images = _split_by_fold(images, subset["folds"])
    known = sorted(images["cell_type"].unique())
    unknown = [name for name in subset["cell_types"] if name not in known]
    if unknown:
        raise UserError(
            f"subset: no image is of cell type {', '.join(unknown)}; there are {', '.join(known)}."
        )
    if subset["cell_types"]:
        images = images[images["cell_type"].isin(subset["cell_types"])]
    images = images.sort_values(["split", "order"], kind="stable")
    if subset["validation"] == "by-well":
        images = images.assign(split=_split_by_well(images, seed))
    chosen = {
        name: _fraction(images[images["split"] == name], subset, seed) for name in TRAINING_SPLITS
    }
    for name, selection in chosen.items():
        if not selection:
            raise UserError(
                f"subset: no image is left in the {name} split. Raise its fraction or name other "
                "cell types; a cell type without validation images needs `validation: by-well`."
            )
    return chosen


def held_out(images: pd.DataFrame, folds: Mapping) -> pd.DataFrame:
    """Rows of the images that a fold holds out, in the order of the table.

    Parameters
    ----------
    images : of all splits, with columns image, split, cell_type and well
    folds : settings ``count``, ``fold``, ``group``, ``seed`` and ``images``
    """
    pool = _pool(images, folds)
    return pool[_folds_of(pool, folds) == folds["fold"]]


def _pool(images: pd.DataFrame, folds: Mapping) -> pd.DataFrame:
    """The images that are dealt to folds."""
    return images if folds["images"] == "all" else images[images["split"].isin(TRAINING_SPLITS)]


def _folds_of(pool: pd.DataFrame, folds: Mapping) -> pd.Series:
    return dealing.assign(pool, folds["count"], folds["group"], folds["seed"])


def _split_by_fold(images: pd.DataFrame, folds: Mapping) -> pd.DataFrame:
    """The images that a fold leaves to train and to validate on, with these as their splits."""
    pool = _pool(images, folds)
    fold = _folds_of(pool, folds)
    own = folds["fold"]
    following = own % folds["count"] + 1
    validates = following if folds["validation"] == "next" else own
    left = pool[(fold != own) | (fold == validates)]
    return left.assign(split=np.where(fold[left.index] == validates, "val", "train"))


def sampled(images: pd.DataFrame, fraction: float, seed: int) -> pd.DataFrame:
    """Rows of a share of the images of each cell type, drawn from the seed.

    Parameters
    ----------
    images : with columns image and cell_type
    fraction : above 0, at most 1; of each cell type at least one image is drawn
    """
    order = images.sort_values("image", kind="stable")
    names = _seeded(order, fraction, seed)["image"]
    return order[order["image"].isin(names)]


def _split_by_well(images: pd.DataFrame, seed: int) -> np.ndarray:
    """New train and val split in which no well of a cell type is on both sides."""
    if images["well"].isna().any():
        raise UserError(
            "subset: validation by-well needs wells, but some image names do not tell theirs "
            "(expected <CellType>_Phase_<Well>_<Location>_<Timestamp>_<Crop>)."
        )
    split = pd.Series("train", index=images.index)
    for number, (_, rows) in enumerate(images.groupby("cell_type", sort=True)):
        wells = sorted(rows["well"].unique())
        count = max(1, round(VALIDATION_SHARE * len(wells)))
        drawn = np.random.default_rng([seed, number]).permutation(wells)[:count]
        split[rows.index[rows["well"].isin(drawn)]] = "val"
    return split.to_numpy()


def _fraction(images: pd.DataFrame, subset: Mapping, seed: int) -> list[str]:
    if subset["selection"] == "every-nth":
        step = round(1 / subset["fraction"])
        return images["image"].tolist()[::step]
    kept = _seeded(images, subset["fraction"], seed)
    return kept.sort_values("order", kind="stable")["image"].tolist()


def _seeded(images: pd.DataFrame, fraction: float, seed: int) -> pd.DataFrame:
    """The first rows of a permutation of those of each cell type, in the order of the table."""
    kept = []
    for number, (_, rows) in enumerate(images.groupby("cell_type", sort=True)):
        count = max(1, round(fraction * len(rows)))
        order = np.random.default_rng([seed, number]).permutation(len(rows))
        kept.append(rows.iloc[np.sort(order[:count])])
    return pd.concat(kept) if kept else images
