"""The interval of a mean over seeds."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from pandas.core.groupby import DataFrameGroupBy

QUANTILE = 0.975  # of the upper end of a 95 % interval
ENOUGH_SEEDS = 3
"""Fewer say too little of the noise between trainings: of two, t multiplies the error by 12.7."""

Statistics = dict[str, "float | pd.DataFrame"]


def t_interval(values: "pd.Series | DataFrameGroupBy") -> Statistics:
    """Mean, standard deviation and Student's 95 % t interval of the mean.

    Parameters
    ----------
    values : float; missing ones do not count

    Returns
    -------
    dict of ``mean``, ``std`` (n - 1 in the denominator), ``low`` and ``high``
        Numbers for a Series, tables of one row a group for groups. The last three are NaN for
        fewer than two values.
    """
    from scipy.special import stdtrit

    mean, deviation, count = values.mean(), values.std(), values.count()
    freedom = np.asarray(count, float) - 1
    half = deviation / np.sqrt(count) * stdtrit(np.where(freedom > 0, freedom, np.nan), QUANTILE)
    return {"mean": mean, "std": deviation, "low": mean - half, "high": mean + half}
