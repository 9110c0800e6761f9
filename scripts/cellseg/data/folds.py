"""Images dealt to folds and to splits, with the same share of each cell type in all."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cellseg.data.splits import SPLITS
from cellseg.errors import UserError


def assign(images: pd.DataFrame, count: int, group: str | None, seed: int) -> pd.Series:
    """Deal images to folds.

    Parameters
    ----------
    images : with columns image, cell_type and, to group by it, well
    count : of folds
    group : ``"well"`` keeps the images of a well of a cell type in one fold; None deals them one
        by one
    seed : of the order in which they are dealt; the order of the rows changes nothing

    Returns
    -------
    Series of int, 1 to `count`, with the index of `images`
        Without groups, the folds of a cell type differ by at most one image, and so do the folds.
        With groups, the largest are dealt first, each to the fold with the fewest images of its
        type. A cell type with fewer images or wells than folds is missing in some folds.

    Raises
    ------
    UserError
        There are fewer images or wells than folds, or images have no well.
    """
    order = images.sort_values("image", kind="stable")
    units_of = {
        cell_type: _units(rows, group, cell_type)
        for cell_type, rows in order.groupby("cell_type", sort=True)
    }
    dealt = sum(map(len, units_of.values()))
    if dealt < count:
        what = "images" if group is None else f"{group}s"
        raise UserError(
            f"folds: there are {dealt} {what}, fewer than the {count} folds. Ask for fewer folds"
            + (", or group by nothing (`group: null`)." if group else ".")
        )
    fold = pd.Series(0, index=images.index)
    sizes = np.zeros(count, int)  # images in each fold, whatever their type
    for number, units in enumerate(units_of.values()):
        drawn = np.random.default_rng([seed, number])
        own = np.zeros(count, int)
        shuffled = [units[index] for index in drawn.permutation(len(units))]
        for unit in sorted(shuffled, key=len, reverse=True):
            smallest = min(range(count), key=lambda one: (own[one], sizes[one], one))
            fold[unit] = smallest + 1
            own[smallest] += len(unit)
            sizes[smallest] += len(unit)
    return fold


def split(images: pd.DataFrame, shares: Mapping, group: str | None, seed: int) -> pd.Series:
    """Deal images to the splits train, val and test.

    Parameters
    ----------
    images : with columns image, cell_type, well and split
        Images whose split is known (no None) keep it. Of val and test, a split that no image
        belongs to yet is drawn from the others, which are those of train.
    shares : ``val`` and ``test``, shares of the images that are drawn from
    group, seed : as of :func:`assign`

    Returns
    -------
    Series of str with the index of `images`
        Every split has at least one image, or one well, of every cell type that has three.

    Raises
    ------
    UserError
        Images have no well, or nothing is left to train on.
    """
    chosen = images["split"].where(images["split"].notna(), "train").astype(object)
    wanted = [name for name in ("test", "val") if not (chosen == name).any()]
    order = images[chosen == "train"].sort_values("image", kind="stable")
    for number, (cell_type, rows) in enumerate(order.groupby("cell_type", sort=True)):
        units = _units(rows, group, cell_type)
        drawn = np.random.default_rng([seed, number]).permutation(len(units)).tolist()
        for name in wanted:
            count, need = 0, max(1, round(shares[name] * len(rows)))
            while count < need and len(drawn) > 1:
                unit = units[drawn.pop(0)]
                chosen[unit] = name
                count += len(unit)
    for name in SPLITS:
        if not (chosen == name).any():
            raise UserError(
                f"there are too few images to draw the split {name}: {len(images)} in all"
                + (f", drawn by whole {group}s." if group else ".")
                + " Every split needs one."
            )
    return chosen


def _units(rows: pd.DataFrame, group: str | None, cell_type: str) -> list[list]:
    """Index labels of the images that stay together, sorted."""
    if group is None:
        return [[label] for label in rows.index]
    if rows[group].isna().any():
        first = rows.loc[rows[group].isna(), "image"].iloc[0]
        raise UserError(
            f"images of cell type {cell_type} have no {group} (first: {first}), so that none can "
            "be kept together. Group by nothing (`group: null`), or say the well: in the name "
            "(<CellType>_Phase_<Well>_<Position>_<Time>_<Crop>) or as 'well' of the images of a "
            "COCO file."
        )
    return [list(labels) for _, labels in sorted(rows.groupby(group).groups.items())]
