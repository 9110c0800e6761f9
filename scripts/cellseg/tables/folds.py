"""The folds of a cross-validation as one run: each image scored where it was held out."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cellseg.errors import UserError
from cellseg.scoring import by_size, names
from cellseg.tables import collect

KEYS = [*collect.RUN, *collect.GROUP]
FOLD = "fold"
"""Column of joined tables: the subset of the fold that a row is from."""


def joined(
    tables: Mapping[str, pd.DataFrame], subsets: Mapping[str, str]
) -> dict[str, pd.DataFrame]:
    """Tables of an experiment in which the folds of a subset are one condition.

    So whatever reads the tables of an experiment compares scores of all held-out images.

    Parameters
    ----------
    tables : ``images`` and ``runs``, and ``training`` and ``sizes`` where they are wanted, with
        each fold as its own condition
    subsets : as of :func:`pooled`; if empty, the tables are returned as they are

    Returns
    -------
    dict of DataFrame
        images : see :func:`pooled`. runs : scores of all images of a seed together. A setting in
        which the folds differ is missing, and so are the COCO scores, since confidences of
        different networks have no common rank. training : see :func:`renamed`. sizes : sums over
        the folds.

    Raises
    ------
    UserError
        As of :func:`pooled`.
    """
    if not subsets:
        return dict(tables)
    images = pooled(tables["images"], subsets)
    made = {**tables, "images": images, "runs": _runs(images, tables["runs"], subsets)}
    if "training" in tables:
        made["training"] = renamed(tables["training"], subsets)
    if "sizes" in tables:
        groups = _own(tables["sizes"], subsets).groupby(
            [*KEYS, *(name for name in by_size.COLUMNS if name not in by_size.COUNTS)], sort=False
        )
        made["sizes"] = groups[list(by_size.COUNTS)].sum().reset_index()
    return made


def _runs(images: pd.DataFrame, by_fold: pd.DataFrame, subsets: Mapping[str, str]) -> pd.DataFrame:
    """The table ``runs`` of `images`, with the settings that the folds in `by_fold` share."""
    runs = collect.with_pooled_pixels(collect.per_run(images), images)
    known = {*runs, *names.COCO_SCORES}
    settings = [name for name in by_fold if name not in known]
    if settings:
        groups = _own(by_fold, subsets).groupby(KEYS, sort=False)[settings]
        shared = groups.first().where(groups.nunique(dropna=False) == 1)
        runs = runs.merge(shared.reset_index(), how="left", on=KEYS, validate="one_to_one")
    return runs.assign(**dict.fromkeys(names.COCO_SCORES, np.nan))


def _own(table: pd.DataFrame, subsets: Mapping[str, str]) -> pd.DataFrame:
    """Rows of those subsets, under the subset that they are of."""
    own = table[table["subset"].isin(list(subsets))]
    return own.assign(subset=own["subset"].map(subsets), **{FOLD: own["subset"]})


def pooled(images: pd.DataFrame, subsets: Mapping[str, str]) -> pd.DataFrame:
    """Rows of images under the subset that their folds are of.

    Parameters
    ----------
    images : rows of ``metrics.csv`` of all folds
    subsets : name without its fold of each subset

    Returns
    -------
    DataFrame
        The rows of those subsets, sorted as they were, with the column :data:`FOLD`.

    Raises
    ------
    UserError
        An image is scored by two folds: the folds are of different deals.
    """
    own = _own(images, subsets)
    keys = [*names.CONDITION, "small_objects", "image"]
    twice = own[own.duplicated(keys)]
    if len(twice):
        first = twice.iloc[0]
        raise UserError(
            f"image {first['image']} is scored by more than one fold of {first['subset']}. Give "
            "the folds of a subset the same count, group, seed and images."
        )
    return own


def renamed(training: pd.DataFrame, subsets: Mapping[str, str]) -> pd.DataFrame:
    """All rows of the table ``training``, folds under the subset that they are of.

    The column :data:`FOLD` tells their networks apart.
    """
    return training.assign(
        subset=training["subset"].replace(dict(subsets)), **{FOLD: training["subset"]}
    )


def as_one_run(
    runs: pd.DataFrame,
    training: pd.DataFrame,
    out_of_fold: pd.DataFrame,
    subsets: Mapping[str, str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of an experiment in which the folds of a subset are one condition.

    Parameters
    ----------
    runs, training : tables of the experiment, with each fold as its own condition
    out_of_fold : table ``out_of_fold``, of all folds together
    subsets : as of :func:`pooled`

    Returns
    -------
    runs : those without folds, then `out_of_fold`
    training : see :func:`renamed`
    """
    apart = runs[~runs["subset"].isin(list(subsets))]
    return pd.concat([apart, out_of_fold], ignore_index=True), renamed(training, subsets)
