"""The content of an experiment's formatted table, in whatever format."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellseg.tables import conditions, glossary, published
from cellseg.tables.comparisons import TREATMENTS
from cellseg.tables.formatted import captions, marking
from cellseg.tables.formatted.captions import Experiment
from cellseg.tables.glossary import STEP, Score
from cellseg.tables.step_times import step_times

if TYPE_CHECKING:
    import pandas as pd


NOTHING = "-"
"""Where there is no number."""


@dataclass(frozen=True)
class Value:
    """A number of the table: mean, half of its interval (NaN for none), marked as best or not."""

    mean: float
    half: float
    decimals: int
    marked: bool = False

    @property
    def number(self) -> str:
        """The mean, rounded, or :data:`NOTHING`."""
        return f"{self.mean:.{self.decimals}f}" if math.isfinite(self.mean) else NOTHING

    @property
    def interval(self) -> str:
        """Half of the interval, rounded; empty where there is none."""
        known = math.isfinite(self.mean) and math.isfinite(self.half)
        return f"{self.half:.{self.decimals}f}" if known else ""


@dataclass(frozen=True)
class Row:
    """A condition: its names, one a column of names, its values, and how many seeds it has."""

    names: tuple[str, ...]
    values: tuple[Value, ...]
    seeds: str


@dataclass(frozen=True)
class Table:
    """One table: `rows` are measured, `beneath` published (one name over all columns of names)."""

    title: str
    names: tuple[str, ...]
    scores: tuple[Score, ...]
    rows: tuple[Row, ...]
    beneath: tuple[Row, ...]
    notes: tuple[str, ...]


def build(
    tables: Mapping[str, "pd.DataFrame"],
    compared: "pd.DataFrame",
    figures: Sequence[published.Figure],
    experiment: Experiment,
) -> list[Table]:
    """Make the tables of an experiment: with small objects kept, and with them removed.

    Parameters
    ----------
    tables : the tables ``images``, ``runs`` and ``training`` of an experiment
    compared : from :func:`cellseg.tables.comparisons.compare`
    figures : from :func:`cellseg.tables.published.read`
    experiment : what the tables do not say

    Raises
    ------
    UserError
        A table lacks a column, or has no rows.
    """
    return [_table(tables, compared, figures, experiment, treatment) for treatment in TREATMENTS]


def _table(
    tables: Mapping[str, "pd.DataFrame"],
    compared: "pd.DataFrame",
    figures: Sequence[published.Figure],
    experiment: Experiment,
    treatment: str,
) -> Table:
    runs = glossary.of_runs(conditions.select(tables["runs"], small_objects=treatment))
    conditions.need(runs, "runs", [*conditions.AXES, "seed", "data_split"])
    # Of folds together the COCO scores are not known.
    shown = [score for score in glossary.SCORES if runs[score.name].notna().any()]
    shown = shown or list(glossary.SCORES)
    names = [score.name for score in shown]
    compared = compared[(compared["small_objects"] == treatment) & compared["score"].isin(names)]
    named = conditions.varying(runs) or ["model"]
    values, outcomes = {}, {}
    for score in shown:
        own = compared[compared["score"] == score.name]
        values[score], outcomes[score] = _values(runs, own, score)
    training = tables["training"]
    if treatment == conditions.PRIMARY:  # a step takes the same time, whatever is removed later
        times = _step_values(runs, training)
        if any(math.isfinite(value.mean) for value in times):
            values[STEP] = times
    fitting = published.comparable(
        figures,
        kind=experiment.kind,
        data_split=runs["data_split"].iloc[0],
        subsample=experiment.subsample,
        sampled=experiment.sampled,
        small_objects=treatment,
    )
    beneath = _published(fitting, list(values))
    return Table(
        title=captions.title(experiment, treatment),
        names=tuple(conditions.AXIS_NAMES[axis] for axis in named),
        scores=tuple(values),
        rows=tuple(
            Row(
                tuple(conditions.label(condition, [axis]) for axis in named),
                tuple(column[place] for column in values.values()),
                str(conditions.rows_of(runs, **condition)["seed"].nunique()),
            )
            for place, condition in enumerate(_conditions(runs))
        ),
        beneath=beneath,
        notes=tuple(
            captions.notes(
                images=conditions.select(tables["images"], None, treatment),
                runs=runs,
                training=training,
                compared=compared,
                scores=list(values),
                outcomes=outcomes,
                beneath=len(beneath),
                experiment=experiment,
                treatment=treatment,
            )
        ),
    )


def _conditions(runs: "pd.DataFrame") -> list[dict[str, str]]:
    rows = conditions.unique(runs, conditions.AXES)
    return [dict(zip(conditions.AXES, row, strict=True)) for row in rows]


def _values(
    runs: "pd.DataFrame", compared: "pd.DataFrame", score: Score
) -> tuple[list[Value], marking.Outcome | None]:
    """One value a condition, the best marked where it may be, and what is known of it."""
    rows = _conditions(runs)
    statistics = [
        conditions.over_seeds(conditions.rows_of(runs, **row)[score.name]) for row in rows
    ]
    means = [mean for mean, _, _ in statistics]
    outcome, best = marking.best(rows, means, compared, score)
    return [
        Value(mean, high - mean, score.decimals, place == best)
        for place, (mean, _, high) in enumerate(statistics)
    ], outcome


def _step_values(runs: "pd.DataFrame", training: "pd.DataFrame") -> list[Value]:
    values = []
    for condition in _conditions(runs):
        times = step_times(conditions.rows_of(training, **condition))
        mean, _, high = conditions.over_seeds(times)
        values.append(Value(mean, high - mean, STEP.decimals))
    return values


def _published(figures: Sequence[published.Figure], scores: Sequence[Score]) -> tuple[Row, ...]:
    """One row a system, of those figures that have a column."""
    nothing = math.nan
    columns = {score.name: score for score in scores}
    systems = dict.fromkeys((figure.source, figure.system) for figure in figures)
    rows = []
    for source, system in systems:
        own = {
            figure.metric: figure.fraction
            for figure in figures
            if (figure.source, figure.system) == (source, system)
        }
        if columns.keys() & own.keys():
            values = (
                Value(own.get(name, nothing), nothing, score.decimals)
                for name, score in columns.items()
            )
            rows.append(Row((f"{system} · published: {source}",), tuple(values), NOTHING))
    return tuple(rows)
