"""What the experiments of a study found, in a sentence each: the first screen of the report."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg.data.splits import HELD_OUT
from cellseg.errors import UserError
from cellseg.figures import preview
from cellseg.io.wording import number_of
from cellseg.report.markup import bullets, code, text
from cellseg.report.markup import table as markup_table
from cellseg.scoring import found_nothing
from cellseg.tables import comparisons, conditions, glossary
from cellseg.tables import read as score_tables
from cellseg.tables.formatted import marking
from cellseg.tables.glossary import NOT_KNOWN

if TYPE_CHECKING:
    import pandas as pd

SCORE = glossary.KNOWN["f1_50"]
"""By which conditions are ranked."""
OF_FOLDS = "All folds together: each image is scored by the network of the fold that holds it out."


@dataclass(frozen=True)
class Ranked:
    """A condition, its score in words and the number of its seeds."""

    name: str
    score: str
    seeds: int

    @property
    def in_words(self) -> str:
        """Name and score, as in a sentence."""
        return f"**{text(self.name)}** with {self.score} ({number_of(self.seeds, 'seed')})"


@dataclass(frozen=True)
class Answer:
    """What an experiment found.

    Attributes
    ----------
    experiment : its name
    best, second : conditions of the highest scores; None where there is none
    difference : of the two, with its interval where it was tested
    verdict : in a few words, whether that is more than the noise between trainings
    sentence : all of it (reStructuredText)
    """

    experiment: str
    best: Ranked | None
    second: Ranked | None
    difference: str
    verdict: str
    sentence: str


def read(summary: str | Path, compared: str | Path) -> Answer:
    """The answer of an experiment, with small objects kept.

    Parameters
    ----------
    summary, compared : its ``summary.csv``, of folds ``out_of_fold_summary.csv``, and
        ``comparisons.csv``

    Raises
    ------
    UserError
        A table is missing or lacks a column, or the two are of different conditions.
    """
    name = f"{SCORE.name}_mean"
    needed = [*conditions.AXES, "cell_type", "small_objects", "n_seeds", name]
    table = conditions.select(score_tables.read(summary, needed)).reset_index(drop=True)
    pairs = score_tables.read(compared)
    if len(pairs):  # of one condition there are none
        conditions.need(pairs, "comparisons", comparisons.COLUMNS)
    pairs = pairs[(pairs["score"] == SCORE.name) & (pairs["small_objects"] == conditions.PRIMARY)]
    return answer(Path(summary).parent.name, table, pairs)


def answer(experiment: str, table: "pd.DataFrame", pairs: "pd.DataFrame") -> Answer:
    """The answer from the rows of ``summary.csv`` and those of ``comparisons.csv`` of the score."""
    found = _answer(experiment, table, pairs)
    if found.best is None or not _of_folds(table):
        return found
    return replace(found, sentence=f"{found.sentence} {OF_FOLDS}")


def _answer(experiment: str, table: "pd.DataFrame", pairs: "pd.DataFrame") -> Answer:
    name = f"{SCORE.name}_mean"
    ranked = table[table[name].notna()].sort_values(name, ascending=False, kind="stable")
    named = conditions.varying(table) or ["model"]
    first, second, *_ = [
        Ranked(
            conditions.label(row, named), glossary.with_interval(row, SCORE), int(row["n_seeds"])
        )
        for row in ranked.head(2).to_dict("records")
    ] + [None, None]
    if first is None:
        words = f"No condition has a value of {SCORE.heading}."
        return Answer(experiment, None, None, NOT_KNOWN, "no score", words)
    most = float(ranked[name].iloc[0])
    if most < found_nothing.LEAST_F1:
        words = f"Almost nothing was found: the highest {SCORE.heading} is {first.in_words}."
        return Answer(experiment, first, second, NOT_KNOWN, "almost nothing found", words)
    if second is None:
        words = f"There is one condition, {first.in_words} as its {SCORE.heading}."
        return Answer(experiment, first, None, NOT_KNOWN, "one condition", words)
    pair = _pair(*ranked.head(2)[conditions.AXES].to_dict("records"), pairs)
    tested = _in_words(pair)
    rows = table[conditions.AXES].to_dict("records")
    outcome, _ = marking.best(rows, table[name].tolist(), pairs, SCORE)
    apart = most - float(ranked[name].iloc[1])
    if outcome in (marking.Outcome.MARKED, marking.Outcome.NOT_SHOWN):
        if outcome is marking.Outcome.MARKED:
            verdict = "separable"
            words = f"Highest {SCORE.heading}: {first.in_words}, {tested} above {second.in_words}."
        else:
            verdict = "not separable"
            words = f"Not separable by {SCORE.heading}: {first.in_words} and {second.in_words}, "
            words += f"{tested} apart."
        return Answer(experiment, first, second, tested, verdict, words)
    fewest = min(first.seeds, second.seeds)
    of_images = pair["test"] == comparisons.SIGNED_RANK and _of_folds(table)
    difference = tested if of_images else f"{apart:.{SCORE.decimals}f}"
    verdict, tested_on = "not tested, too few seeds", "Points only"
    if of_images:
        verdict, tested_on = "separable over images alone", "Tested over images"
        if pair["p_corrected"] >= comparisons.SIGNIFICANT or pair["difference"] <= 0:
            verdict = "not separable over images"
            words = f"Not separable over images by {SCORE.heading}: {first.in_words} and "
            words += f"{second.in_words}, {tested} apart."
            return Answer(experiment, first, second, tested, verdict, words)
    words = f"{tested_on}, {number_of(fewest, 'seed')}: the highest {SCORE.heading} is of "
    words += f"{first.in_words}, {difference} above {second.in_words}. Whether that "
    words += "is more than the noise between trainings cannot be said."
    return Answer(experiment, first, second, difference, verdict, words)


def _of_folds(table: "pd.DataFrame") -> bool:
    return "data_split" in table and bool((table["data_split"] == HELD_OUT).all())


def _pair(
    first: Mapping[str, str], second: Mapping[str, str], pairs: "pd.DataFrame"
) -> dict[str, object]:
    """The row of ``comparisons.csv`` of two conditions, as the first less the second."""
    for a, b, sign in ((first, second, 1), (second, first, -1)):
        sides = {f"{axis}_a": a[axis] for axis in conditions.AXES}
        sides |= {f"{axis}_b": b[axis] for axis in conditions.AXES}
        found = conditions.rows_of(pairs, **sides)
        if len(found):
            row = found.iloc[0]
            low, high = sorted((sign * row["low"], sign * row["high"]))
            return {**row, "difference": sign * row["difference"], "low": low, "high": high}
    raise UserError(
        "comparisons.csv and summary.csv are of different conditions. Delete both and run again."
    )


def _in_words(pair: Mapping[str, object]) -> str:
    """Paired difference of two conditions, its interval and the p of its test."""
    numbers = [_number(pair[name]) for name in ("difference", "low", "high")]
    of_images = pair["pairs"] == comparisons.IMAGES
    return (
        "{} (95 % interval {} to {}; ".format(*numbers)
        + f"{number_of(int(pair['n_pairs']), 'image' if of_images else 'seed')}, "
        + (f"{pair['test']} test, " if of_images else "")
        + f"p = {pair['p_corrected']:.2g})"
    )


def _number(value: float) -> str:
    written = f"{value:.{SCORE.decimals}f}" if math.isfinite(value) else NOT_KNOWN
    return written.replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else written


def section(
    answers: Sequence[Answer], titles: Mapping[str, str], picture: str | Path | None
) -> str:
    """The first screen: picture, sentences and table.

    Parameters
    ----------
    answers : of the experiments, in the order of the study
    titles : of the experiments, what they ask
    picture : figure of one of them, PNG; None for none
    """
    lines = []
    if picture is not None:
        # In several lines, for docutils refuses long ones; it takes the spaces out of an address.
        uri = textwrap.wrap(preview.data_uri(picture), 1000)
        lines += [
            f".. image:: {uri[0]}",
            *(f"           {part}" for part in uri[1:]),
            f"   :alt: {' '.join(Path(picture).parts[-2:])}",
            "   :class: answer",
            "",
        ]
    sentences = [f"{text(titles[one.experiment])} {one.sentence}" for one in answers]
    names = ["experiment", "highest", SCORE.heading, "next", SCORE.heading, "difference"]
    rows = [
        [
            text(one.experiment),
            *(_cells(one.best)),
            *(_cells(one.second)),
            text(f"{one.difference.partition(' (')[0]}, {one.verdict}".removeprefix("-, ")),
        ]
        for one in answers
    ]
    lines += [bullets(sentences), "", markup_table(names, rows, "answers")]
    if picture is not None:
        figure = code(Path(picture))
        lines += ["", f"Picture: {figure}. Scores are on the scored images, small objects kept."]
    return "\n".join(lines) + "\n"


def _cells(ranked: Ranked | None) -> list[str]:
    if ranked is None:
        return [NOT_KNOWN, NOT_KNOWN]
    return [text(ranked.name), text(ranked.score)]
