"""Memory, time and processors that a job asks for: what jobs like it took, and some to spare."""

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path

from cellseg.io import benchmark_files, run_files, tolerant
from cellseg.jobs.time_left import training_seconds

SAMPLES = 20
"""Benchmark files that are read for one kind of job; there may be thousands."""

LOOKED_AT = 10 * SAMPLES
"""Files that are looked at for so many of trainings with the same settings."""

OWN_MB = 500
"""Of the two Snakemake processes around a job's script on a cluster, with some spare."""

SPARE = 1.3
"""Factor on the largest memory and the highest load that were measured."""

SLOWER = 2
"""Factor on the longest time that was measured: nodes differ."""

LEAST_MINUTES = 10

MOST_MINUTES = 24 * 60
"""A day, which most partitions allow; a job that asks for more than that waits for ever."""


def decisive(settings: Mapping) -> str:
    """What of a run's settings decides time and memory of its training, as text that compares.

    Another learning rate takes as long; but settings are few, and it is one rule for all.
    """
    return json.dumps(
        [settings.get(part) for part in ("model", "tiling", "training")], sort_keys=True
    )


@cache
def measured(pattern: str, settings: str | None = None) -> tuple[dict[str, float], ...]:
    """Rows of benchmark files; files that are broken off or empty are left out.

    Parameters
    ----------
    pattern : glob pattern, relative to the working directory
    settings : of :func:`decisive`; then the files are those of trainings, in a folder of the run's,
        and only those with the same settings count, with the time of all their attempts

    Returns
    -------
    tuple of at most SAMPLES dicts of the numeric columns: ``s`` (seconds), ``max_rss`` (MB),
    ``mean_load`` (per cent of one processor), …
    """
    rows = _rows(pattern) if settings is None else _rows_of_trainings(pattern, settings)
    return tuple(islice(rows, SAMPLES))


def _rows(pattern: str) -> Iterator[dict[str, float]]:
    for path in Path().glob(pattern):
        row = benchmark_files.read(path)
        if row is not None:
            yield row


def _rows_of_trainings(pattern: str, settings: str) -> Iterator[dict[str, float]]:
    for path in islice(Path().glob(pattern), LOOKED_AT):
        run = path.parent.parent
        own = tolerant.json_file(run / run_files.SETTINGS)
        row = benchmark_files.read(path)
        if row is not None and isinstance(own, dict) and decisive(own) == settings:
            yield {**row, "s": training_seconds(run)}


def memory_mb(pattern: str, first: int, attempt: int = 1, settings: str | None = None) -> int:
    """Memory to ask for in MB: `first` while nothing is measured, more with each attempt."""
    used = [row["max_rss"] for row in measured(pattern, settings) if row.get("max_rss")]
    return (with_spare(max(used)) if used else first) * attempt


def with_spare(expected: float) -> int:
    """Memory to ask for in MB, for a script that takes as much as expected."""
    return math.ceil((SPARE * expected + OWN_MB) / 100) * 100


def minutes(pattern: str, first: int, attempt: int = 1, settings: str | None = None) -> int:
    """Time limit to ask for: `first` while nothing is measured; grows with attempts, to a day."""
    took = [row["s"] for row in measured(pattern, settings)]
    need = max(LEAST_MINUTES, math.ceil(SLOWER * max(took) / 60)) if took else first
    return min(need * attempt, MOST_MINUTES)


def processors(pattern: str, first: int) -> int:
    """Processors to ask for: `first`, or fewer where fewer were kept busy."""
    loads = [row["mean_load"] for row in measured(pattern) if row.get("mean_load")]
    return min(first, math.ceil(SPARE * max(loads) / 100)) if loads else first
