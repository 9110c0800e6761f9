"""The state of a study as text for a terminal, at most 100 columns wide."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from cellseg.active_jobs import QUEUED, RUNNING
from cellseg.progress import Progress
from cellseg.run_folder import DONE, FAILED, INTERRUPTED, NOT_STARTED, Look
from cellseg.study import AXES, Run
from cellseg.time_left import Estimate

WIDTH = 100
SHOWN = {RUNNING: 40, FAILED: 20, INTERRUPTED: 20}  # runs; --json lists all
ALWAYS = (DONE, RUNNING, QUEUED, FAILED, NOT_STARTED)  # columns shown even where all are 0
DOING = {"predict_validation": "predict (tuning)"}
UNKNOWN = "-"


def as_json(progress: Progress) -> str:
    """All of it, for another program."""
    return json.dumps(asdict(progress), indent=2, allow_nan=False)


def as_text(progress: Progress) -> str:
    """Tables and sentences for a person."""
    parts = [
        _counts(progress),
        _sentences(progress),
        *(
            part(_of(progress, state))
            for state, part in (
                (RUNNING, _running),
                (FAILED, _failed),
                (INTERRUPTED, _interrupted),
            )
            if _of(progress, state)
        ),
    ]
    lines = "\n\n".join("\n".join(part) for part in parts).split("\n")
    return "\n".join(_cut(line.rstrip()) for line in lines)


def duration(seconds: float | None) -> str:
    """Time in the two largest units that matter: ``3 d 4 h``, ``5 h 12 min``, ``40 s``."""
    if seconds is None:
        return UNKNOWN
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(minutes / 60)
    return f"{hours // 24} d {hours % 24} h"


def _of(progress: Progress, state: str) -> list[Look]:
    return [look for look in progress.looks if look.state == state]


def _counts(progress: Progress) -> list[str]:
    columns = [state for state, number in progress.total.items() if number or state in ALWAYS]
    for counts in progress.experiments.values():
        # A run that is done for one experiment may be part done for another.
        columns += [state for state in counts if counts[state] and state not in columns]
    columns = [state for state in progress.total if state in columns]

    def row(name: str, counts: Mapping[str, int]) -> list[str]:
        numbers = (f"{counts[state]:,}" if counts[state] else UNKNOWN for state in columns)
        return [name, f"{sum(counts.values()):,}", *numbers]

    rows = [["experiment", "runs", *columns]]
    rows += [row(name, counts) for name, counts in progress.experiments.items()]
    rows.append(row("distinct runs", progress.total))
    lines = _aligned(rows)
    return [lines[0], "-" * len(lines[0]), *lines[1:-1], "-" * len(lines[0]), lines[-1]]


def _sentences(progress: Progress) -> list[str]:
    runs = sum(progress.total.values())
    stages = ", ".join(
        f"{stage} {passed:,}" + ("" if of == runs else f" of {of:,}")
        for stage, (passed, of) in progress.stages.items()
    )
    sentences = [
        f"Stages, of {_number_of(runs, 'run')}: {stages}.",
        f"Time left: {_time_left(progress.estimate)}",
        f"Running and queued: judged by {progress.judged_by}.",
    ]
    if progress.other_jobs:
        jobs = ", ".join(f"{rule} ({number})" for rule, number in progress.other_jobs.items())
        sentences.append(f"Other jobs in Slurm: {jobs}.")
    sentences += [f"Note: {note}" for note in progress.notes]
    return [line for sentence in sentences for line in _wrapped(sentence, "  ")]


def _time_left(estimate: Estimate) -> str:
    left = _number_of(estimate.trainings, "training")
    if not estimate.trainings:
        return "all networks are trained, and only training is estimated."
    if estimate.seconds is None:
        return f"unknown, {left} to go: no training has finished from which to tell."
    pace = "one at a time" if estimate.at_a_time == 1 else f"{estimate.at_a_time} at a time"
    rests = f"from {_number_of(estimate.finished_runs, 'finished run')}"
    borrowed = [
        f"{number} judged by other {what}"
        for number, what in (
            (estimate.from_other_subsets, "subsets of the same model"),
            (estimate.from_other_models, "models"),
        )
        if number
    ]
    caution = f" ({', '.join(borrowed)})" if borrowed else ""
    return f"about {duration(estimate.seconds)} for {left}, {pace}, {rests}{caution}."


def _running(looks: list[Look]) -> list[str]:
    rows = [["running", "job", "epoch", "loss", "val. loss", "left", "last sign"]]
    shown = looks[: SHOWN[RUNNING]]
    axes = AXES if len({look.run.dataset for look in looks}) == 1 else ("dataset", *AXES)
    for look in shown:
        training = look.training
        silent = UNKNOWN if look.silent_seconds is None else f"{duration(look.silent_seconds)} ago"
        rows.append(
            [
                _name(look.run, axes),
                DOING.get(look.rule, look.rule),
                *(
                    [UNKNOWN] * 4
                    if training is None
                    else [
                        f"{training.epoch}/{training.epochs}",
                        _loss(training.loss),
                        _loss(training.val_loss),
                        duration(training.seconds_left),
                    ]
                ),
                silent,
            ]
        )
    lines = _aligned(rows, left=2)
    return [*lines, *_more(looks, shown)]


def _failed(looks: list[Look]) -> list[str]:
    shown = looks[: SHOWN[FAILED]]
    lines = ["failed"]
    for look in shown:
        lines += _path(look.log)
        lines += _wrapped(look.error or "", "    ", first="    ")[:4]
    return [*lines, *_more(looks, shown)]


def _interrupted(looks: list[Look]) -> list[str]:
    shown = looks[: SHOWN[INTERRUPTED]]
    lines = _wrapped(
        "interrupted: no error in the log and no job, so killed, or out of memory or time; the "
        "same command of Snakemake goes on"
    )
    for look in shown:
        lines += _path(look.log)
        if look.training is not None and look.training.epoch:
            lines.append(f"    after epoch {look.training.epoch}/{look.training.epochs}")
    return [*lines, *_more(looks, shown)]


def _more(looks: list[Look], shown: list[Look]) -> list[str]:
    more = len(looks) - len(shown)
    return [f"  and {more:,} more; --json lists all"] if more else []


def _name(run: Run, axes: Sequence[str]) -> str:
    """The run as in its path: the seed comes last."""
    return "/".join([*(getattr(run, axis) for axis in axes[:-1]), f"seed-{run.seed}"])


def _loss(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4f}"


def _number_of(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _aligned(rows: list[list[str]], left: int = 1) -> list[str]:
    """Columns as wide as their widest cell, the first `left` of them flush left.

    A name, in the first column, that does not fit beside the others gets a line of its own.
    """
    others = [max(len(row[column]) for row in rows) for column in range(1, len(rows[0]))]
    room = WIDTH - sum(others) - 2 * len(others)
    widths = [max((len(row[0]) for row in rows if len(row[0]) <= room), default=0), *others]
    lines = []
    for row in rows:
        cells = row
        if len(row[0]) > room:
            lines += _path(row[0], indent="")
            cells = ["", *row[1:]]
        lines.append(
            "  ".join(
                cell.ljust(width) if column < left else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
        )
    return lines


def _wrapped(text: str, indent: str = "", first: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
    )


def _path(path: str, indent: str = "  ") -> list[str]:
    """A path on one line, or broken after a slash where it is too long."""
    lines = [indent]
    for part in path.replace("/", "/\n").split("\n"):
        if len(lines[-1]) + len(part) > WIDTH and lines[-1].strip():
            lines.append(indent)
        lines[-1] += part
    return lines


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
