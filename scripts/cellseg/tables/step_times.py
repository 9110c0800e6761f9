"""How long a training step takes, one number a run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def step_times(training: "pd.DataFrame") -> "pd.Series":
    """Milliseconds a step of every seed of a condition.

    The median over the epochs of a run but the first of each of its networks, which compiles: an
    ensemble trains one network for each cell type, joined folds have one each.

    Parameters
    ----------
    training : rows of one condition, each once, with the columns seed, epoch, step_ms and, of an
        ensemble, cell_type, of joined folds, fold

    Returns
    -------
    Series of float, by seed
        Of networks of a single epoch, that epoch's; empty where nothing was measured.
    """
    import pandas as pd

    if "step_ms" not in training:
        return pd.Series(dtype=float)
    network = ["seed", *(name for name in ("cell_type", "fold") if name in training)]
    measured = training.dropna(subset=["step_ms"]).sort_values("epoch", kind="stable")
    compiled = measured.groupby(network, dropna=False).cumcount() > 0
    has_compiled = compiled.groupby(measured["seed"]).transform("any")
    return measured[compiled | ~has_compiled].groupby("seed")["step_ms"].median()
