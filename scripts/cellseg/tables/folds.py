"""The folds of a cross-validation as one run: each image scored where it was held out."""

from collections.abc import Mapping

import pandas as pd

from cellseg.errors import UserError
from cellseg.scoring import names


def pooled(images: pd.DataFrame, subsets: Mapping[str, str]) -> pd.DataFrame:
    """Rows of images under the subset that their folds are of.

    Parameters
    ----------
    images : rows of ``metrics.csv`` of all folds
    subsets : name without its fold of each subset

    Returns
    -------
    DataFrame
        The rows of those subsets, sorted as they were.

    Raises
    ------
    UserError
        An image is scored by two folds: the folds are of different deals.
    """
    own = images[images["subset"].isin(list(subsets))]
    own = own.assign(subset=own["subset"].map(subsets))
    keys = [*names.CONDITION, "small_objects", "image"]
    twice = own[own.duplicated(keys)]
    if len(twice):
        first = twice.iloc[0]
        raise UserError(
            f"image {first['image']} is scored by more than one fold of {first['subset']}. Give "
            "the folds of a subset the same count, group, seed and images."
        )
    return own


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
    training : all rows, folds under the subset that they are of
    """
    apart = runs[~runs["subset"].isin(list(subsets))]
    renamed = training.assign(subset=training["subset"].replace(dict(subsets)))
    return pd.concat([apart, out_of_fold], ignore_index=True), renamed
