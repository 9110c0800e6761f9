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
