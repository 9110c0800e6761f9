"""The state of a study as text for a terminal, at most 100 columns wide."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from cellseg.io.progress_file import Training
from cellseg.io.terminal import UNKNOWN, aligned, cut, duration, path_lines, wrapped
from cellseg.io.wording import number_of
from cellseg.jobs import time_left
from cellseg.jobs.active import QUEUED, RUNNING
from cellseg.jobs.run_folder import DONE, FAILED, INTERRUPTED, NOT_STARTED, Look
from cellseg.progress.collect import Progress
from cellseg.search import text
from cellseg.study.runs import AXES, Run

SHOWN = {RUNNING: 40, FAILED: 20, INTERRUPTED: 20}  # runs; --json lists all
ALWAYS = (DONE, RUNNING, QUEUED, FAILED, NOT_STARTED)  # columns shown even where all are 0
DOING = {"predict_validation": "predict (tuning)"}


def as_json(progress: Progress) -> str:
    """All of it, for another program."""
    content = asdict(progress)
    for name in ("searches", "before"):
        if not content[name]:
            del content[name]
    return json.dumps(content, indent=2, allow_nan=False)


def as_text(progress: Progress) -> str:
    """Tables and sentences for a person."""
    parts = [
        _counts(progress),
        _sentences(progress),
        *([text.lines(progress.searches)] if progress.searches else []),
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
    return "\n".join(cut(line.rstrip()) for line in lines)


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
    lines = aligned(rows)
    return [lines[0], "-" * len(lines[0]), *lines[1:-1], "-" * len(lines[0]), lines[-1]]


def _sentences(progress: Progress) -> list[str]:
    runs = sum(progress.total.values())
    stages = ", ".join(
        f"{stage} {passed:,}" + ("" if of == runs else f" of {of:,}")
        for stage, (passed, of) in progress.stages.items()
    )
    needed = sum(progress.before.values())
    before = (
        f"Needed by these, and not counted above: {number_of(needed, 'run')} to start from, to "
        f"learn from or to put together, trained {progress.before[DONE]:,}."
        if needed
        else ""
    )
    sentences = [
        f"Stages, of {number_of(runs, 'run')}: {stages}.",
        *filter(None, [before]),
        f"Time left: {time_left.in_words(progress.estimate)}",
        f"Running and queued: judged by {progress.judged_by}.",
    ]
    if progress.other_jobs:
        jobs = ", ".join(f"{rule} ({number})" for rule, number in progress.other_jobs.items())
        sentences.append(f"Other jobs in Slurm: {jobs}.")
    others = [look for look in progress.looks if not look.of_study]
    if others:
        sentences.append(
            f"Also running, not counted above: {number_of(len(others), 'run')} (marked *) asked "
            "for by file name or by another configuration."
        )
    sentences += [f"Note: {note}" for note in progress.notes]
    return [line for sentence in sentences for line in wrapped(sentence, "  ")]


def _running(looks: list[Look]) -> list[str]:
    rows = [["running", "job", "epoch", "step", "loss", "val. loss", "left", "last sign"]]
    shown = looks[: SHOWN[RUNNING]]
    axes = AXES if len({look.run.dataset for look in looks}) == 1 else ("dataset", *AXES)
    for look in shown:
        training = look.training
        silent = UNKNOWN if look.silent_seconds is None else f"{duration(look.silent_seconds)} ago"
        rows.append(
            [
                _name(look.run, axes) + ("" if look.of_study else " *"),
                DOING.get(look.rule, look.rule),
                *(
                    [UNKNOWN] * 5
                    if training is None
                    else [
                        f"{training.epoch}/{training.epochs or UNKNOWN}",
                        _step(training),
                        _loss(training.loss),
                        _loss(training.val_loss),
                        duration(training.seconds_left),
                    ]
                ),
                silent,
            ]
        )
    lines = aligned(rows, left=2)
    return [*lines, *_more(looks, shown)]


def _failed(looks: list[Look]) -> list[str]:
    shown = looks[: SHOWN[FAILED]]
    lines = ["failed"]
    for look in shown:
        lines += path_lines(look.log)
        lines += wrapped(look.error or "", "    ", first="    ")[:4]
    return [*lines, *_more(looks, shown)]


def _interrupted(looks: list[Look]) -> list[str]:
    shown = looks[: SHOWN[INTERRUPTED]]
    lines = wrapped(
        "interrupted: no error in the log and no job, so killed, or out of memory or time; "
        "rerun the same command to resume"
    )
    for look in shown:
        lines += path_lines(look.log)
        if look.training is not None and look.training.epoch:
            lines.append(f"    after epoch {look.training.epoch}/{look.training.epochs}")
    return [*lines, *_more(looks, shown)]


def _more(looks: list[Look], shown: list[Look]) -> list[str]:
    more = len(looks) - len(shown)
    return [f"  and {more:,} more; --json lists all"] if more else []


def _name(run: Run, axes: Sequence[str]) -> str:
    """The run as in its path: the seed comes last."""
    return "/".join([*(getattr(run, axis) for axis in axes[:-1]), f"seed-{run.seed}"])


def _step(training: Training) -> str:
    """Of the epoch that has begun."""
    steps = training.steps_per_epoch
    return UNKNOWN if steps is None else f"{training.step}/{steps}"


def _loss(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4f}"
