"""Which conditions of an experiment differ by more than chance: each pair, on each main score."""

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from cellseg.tables import conditions, glossary
from cellseg.tables.glossary import SCORES, Score
from cellseg.tables.intervals import ENOUGH_SEEDS, t_interval

if TYPE_CHECKING:
    import pandas as pd

TREATMENTS = ("kept", "removed")
"""Of small objects."""
SIGNIFICANT = 0.05

T_TEST = "paired t test"
SIGNED_RANK = "Wilcoxon signed rank"
NO_TEST = "none"
SEEDS, IMAGES = "seeds", "images"

COLUMNS = (
    *("small_objects", "score"),
    *(f"{axis}_{side}" for side in "ab" for axis in conditions.AXES),
    *("mean_a", "mean_b", "difference", "low", "high"),
    *("test", "pairs", "n_pairs", "p", "p_corrected", "n_comparisons"),
)


def compare(images: "pd.DataFrame", runs: "pd.DataFrame") -> "pd.DataFrame":
    """Every pair of conditions, on every main score, with small objects kept and removed.

    With at least ``ENOUGH_SEEDS`` common seeds, these are paired and Student's paired t test
    asks whether other trainings would differ too (a rank test cannot: its least p is 0.06 for five
    pairs). With fewer, the same images are paired, each averaged over the seeds of a condition, and
    Wilcoxon's signed rank test asks whether *these* networks differ on other images. What another
    training would give, it does not know: two trainings of one condition may well differ so, and
    formatted tables mark nothing by it. The COCO scores have no values of single images and then
    are not tested.

    Parameters
    ----------
    images, runs : the tables of an experiment

    Returns
    -------
    DataFrame
        :data:`COLUMNS`. mean_a and mean_b are over all seeds of a condition; difference is the mean
        of a - b over the pairs, low and high the ends of its 95 % t interval; p is two-sided;
        p_corrected is Holm's (Scandinavian Journal of Statistics 6, 1979) for the n_comparisons
        tests of the same kind, score and treatment of small objects. What is not known is NaN.

    Raises
    ------
    UserError
        A table lacks a column, or has no rows.
    """
    import pandas as pd

    needed = [*conditions.AXES, "seed", "cell_type", "small_objects"]
    counts = [*glossary.ERRORS, "n_true"]
    plain = [score.name for score in SCORES if score.name != glossary.ERROR_RATE]
    conditions.need(runs, "runs", [*needed, *counts, *plain])
    own = [score.name for score in SCORES if score.of_images and score.name in plain]
    conditions.need(images, "images", [*needed, "image", *counts, *own])
    rows = [
        row
        for treatment in TREATMENTS
        for row in _treated(
            conditions.select(images, None, treatment),
            glossary.of_runs(conditions.select(runs, small_objects=treatment)),
            treatment,
        )
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    # Tests over images ask another question than those over seeds, and are no part of their family.
    for _, family in table.groupby(["small_objects", "score", "test"], sort=False):
        table.loc[family.index, "p_corrected"] = holm(family["p"].to_numpy(float))
        table.loc[family.index, "n_comparisons"] = family["p"].notna().sum()
    return table.astype({"n_comparisons": int})


def _treated(
    images: "pd.DataFrame", runs: "pd.DataFrame", treatment: str
) -> Iterator[dict[str, object]]:
    axes = conditions.AXES
    named = [dict(zip(axes, row, strict=True)) for row in conditions.unique(runs, axes)]
    of_runs = [conditions.rows_of(runs, **condition).set_index("seed") for condition in named]
    of_images = [
        glossary.of_images(conditions.rows_of(images, **condition)).groupby("image")
        for condition in named
    ]
    for score in SCORES:
        for a, b in itertools.combinations(range(len(named)), 2):
            yield {
                "small_objects": treatment,
                "score": score.name,
                **{f"{axis}_a": named[a][axis] for axis in axes},
                **{f"{axis}_b": named[b][axis] for axis in axes},
                "mean_a": of_runs[a][score.name].mean(),
                "mean_b": of_runs[b][score.name].mean(),
                **_tested(
                    score,
                    of_runs[a][score.name] - of_runs[b][score.name],
                    (of_images[a], of_images[b]),
                ),
            }


def _tested(score: Score, of_seeds: "pd.Series", of_images: tuple) -> Mapping[str, object]:
    """Test the differences of seeds, or else of images; those with one side only do not count."""
    differences, pairs, test = of_seeds.dropna(), SEEDS, NO_TEST
    if len(differences) >= ENOUGH_SEEDS:
        test = T_TEST
    elif score.of_images:
        a, b = (groups[score.name].mean() for groups in of_images)
        differences, pairs = (a - b).dropna(), IMAGES
        test = SIGNED_RANK if len(differences) else NO_TEST
    differences = differences.astype(float).round(12)  # what rounding leaves is no difference
    statistics = t_interval(differences)
    known = test != NO_TEST
    return {
        "difference": statistics["mean"],
        "low": statistics["low"] if known else np.nan,
        "high": statistics["high"] if known else np.nan,
        "test": test,
        "pairs": pairs,
        "n_pairs": len(differences),
        "p": _PROBABILITY[test](differences.to_numpy(float)) if known else np.nan,
    }


def _t_test(differences: np.ndarray) -> float:
    from scipy.special import stdtr

    error = differences.std(ddof=1) / np.sqrt(len(differences))
    if not error:  # the same difference with every seed
        return 0.0 if differences[0] else 1.0
    return float(2 * stdtr(len(differences) - 1, -abs(differences.mean() / error)))


def _signed_rank(differences: np.ndarray) -> float:
    from scipy.stats import wilcoxon

    differences = differences[differences != 0]  # Wilcoxon leaves out what does not differ
    return float(wilcoxon(differences).pvalue) if len(differences) else 1.0


_PROBABILITY = {T_TEST: _t_test, SIGNED_RANK: _signed_rank}


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p values for their number, step by step from the smallest; NaN do not count.

    Parameters
    ----------
    p : ndarray of shape (n,), float

    Returns
    -------
    ndarray of shape (n,), float
        At most 1; in the order of `p`; NaN where `p` is.
    """
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1)
    return corrected
