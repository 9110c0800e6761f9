"""How long a training step takes, one number a run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def step_times(training: "pd.DataFrame") -> "pd.Series":
    """Milliseconds a step of every seed of a condition.

    Parameters
    ----------
    training : rows of one condition, with the columns seed, epoch and step_ms

    Returns
    -------
    Series of float, by seed
        Of a run of a single epoch, that epoch's; empty where nothing was measured.
    """
    import pandas as pd

    if "step_ms" not in training:
        return pd.Series(dtype=float)
    measured = training.dropna(subset=["step_ms"]).sort_values(["seed", "epoch"])
    by_seed = measured.groupby("seed")["step_ms"]
    later = measured[(by_seed.cumcount() > 0) | (by_seed.transform("size") == 1)]
    return later.groupby("seed")["step_ms"].median()
