"""Which value of a column is marked as its best, and why none is."""

from collections.abc import Mapping, Sequence
from enum import Enum
from math import isfinite
from typing import TYPE_CHECKING

from cellseg.io.wording import plural
from cellseg.tables import conditions
from cellseg.tables.comparisons import NO_TEST, SIGNED_RANK, SIGNIFICANT, T_TEST
from cellseg.tables.glossary import KNOWN, Score, listed
from cellseg.tables.intervals import ENOUGH_SEEDS

if TYPE_CHECKING:
    import pandas as pd


class Outcome(Enum):
    """What is known of the best of a column against its second best."""

    MARKED = "differs by more than the noise between trainings"
    NOT_SHOWN = "was tested, and not shown to differ"
    NOT_TESTED = "not tested: too few common seeds"


def best(
    rows: Sequence[Mapping[str, str]],
    means: Sequence[float],
    compared: "pd.DataFrame",
    score: Score,
) -> tuple[Outcome | None, int | None]:
    """Compare the best of a column with the second best, by the test over seeds alone.

    A test over images knows nothing of the noise between trainings and decides nothing here.

    Parameters
    ----------
    rows : conditions, by :data:`cellseg.tables.conditions.AXES`, in the order of the tables
    means : of each condition; NaN where there is none
    compared : rows of :func:`cellseg.tables.comparisons.compare` of this score and one treatment of
        small objects

    Returns
    -------
    Outcome or None
        None where there is nothing to say: nothing is ranked by the score, or there is one value.
    int or None
        Place of the condition to mark.
    """
    ranked = [place for place, mean in enumerate(means) if isfinite(mean)]
    if not score.ranks or len(ranked) < 2:
        return None, None
    ranked.sort(key=lambda place: means[place], reverse=score.higher_is_better)
    first, second = sorted(ranked[:2])  # pairs are in the order of the conditions
    sides = {f"{axis}_a": rows[first][axis] for axis in conditions.AXES}
    sides |= {f"{axis}_b": rows[second][axis] for axis in conditions.AXES}
    pair = conditions.rows_of(compared, **sides).iloc[0]
    if pair["test"] != T_TEST:
        return Outcome.NOT_TESTED, None
    # With missing pairs the paired difference may point the other way than the means.
    better = pair["difference"] if ranked[0] == first else -pair["difference"]
    right_way = (better > 0) == score.higher_is_better
    if pair["p_corrected"] < SIGNIFICANT and right_way:
        return Outcome.MARKED, ranked[0]
    return Outcome.NOT_SHOWN, None


def note(compared: "pd.DataFrame", outcomes: Mapping[Score, Outcome | None]) -> str:
    """Say what is bold, by which test and at which level, and what could not be, and why.

    Parameters
    ----------
    compared : of the table's treatment of small objects
    outcomes : from :func:`best`, by column
    """
    if compared.empty:
        return "There is one condition, and nothing to compare it with."
    marked, not_shown, not_tested = (
        [score.heading for score, known in outcomes.items() if known is outcome]
        for outcome in Outcome
    )
    said = []
    if marked or not_shown:
        tested = compared[compared["test"] == T_TEST]
        number = _range(tested["n_comparisons"])
        comparisons = plural(tested["n_comparisons"].max(), "such comparison")
        said += [
            f"{'Bold: the best' if marked else 'Nothing is bold; it would be the best'} of a "
            "column where it differs from the second best by more than the noise between "
            f"trainings: paired t test over common seeds ({ENOUGH_SEEDS} at least, here "
            f"{_range(tested['n_pairs'])}), p < {SIGNIFICANT} after Holm's correction for the "
            f"{number} {comparisons} of the column (columns are "
            "not corrected for each other)."
        ]
    if not_shown:
        said.append(f"Not shown to differ: the best of {listed(not_shown)}.")
    if marked:
        said.append(
            "What is paired shares its noise, so that a difference may be significant where the "
            "intervals of two conditions overlap."
        )
    if not_tested and said:
        said.append(
            f"Could not be shown: whether the best of {listed(not_tested)} differs, which has "
            f"fewer than {ENOUGH_SEEDS} seeds in common with the second best."
        )
    elif not_tested:
        said.append(
            "Nothing could be bold: whether the best of a column differs from the second best by "
            "more than the noise between trainings cannot be shown with fewer than "
            f"{ENOUGH_SEEDS} seeds that both have."
        )
    said += [*_other_tests(compared), "Each pair is in comparisons.csv."]
    return " ".join(said)


def _other_tests(compared: "pd.DataFrame") -> list[str]:
    """What was tested over images, and what not at all."""
    said = []
    if (compared["test"] == SIGNED_RANK).any():
        said.append(
            f"Pairs with fewer seeds are tested over images ({SIGNED_RANK}, each image averaged "
            "over the seeds of a condition, corrected apart). That is of these trained networks "
            "alone, knows nothing of the noise between trainings, takes images of one well for "
            "independent, and marks nothing."
        )
    untested = (compared["test"] == NO_TEST).groupby(compared["score"], sort=False)
    numbers, every = untested.sum(), untested.size().max()
    parts = [
        listed([KNOWN[name].heading for name in names.index])
        + (f" in {number} of {every} pairs" if number < every else "")
        for number, names in numbers[numbers > 0].groupby(numbers, sort=False)
    ]
    if parts:
        said.append(
            f"Not tested: {'; '.join(parts)}, for want of common seeds and of scores of single "
            "images."
        )
    return said


def _range(numbers: "pd.Series") -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{high:,}" if low == high else f"{low:,} to {high:,}"
