"""How long the trainings that are still to be done may take, by those that have ended."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from cellseg.io import benchmark_files, run_files, tolerant
from cellseg.io.terminal import duration
from cellseg.io.wording import number_of
from cellseg.jobs.run_folder import Look, RunFolder
from cellseg.study.runs import Run


@dataclass
class Estimate:
    """Time that the trainings still to be done take, in seconds; None for unknown."""

    seconds: float | None
    trainings: int
    at_a_time: int
    finished_runs: int
    from_other_subsets: int
    from_other_models: int


def estimate(folders: Mapping[Run, RunFolder], looks: Iterable[Look], at_a_time: int) -> Estimate:
    """Time left, from the mean of finished trainings that are most alike.

    Parameters
    ----------
    folders : all runs of the study
    looks : of the runs that are worth a line; those in training say how far they are
    at_a_time : trainings that run side by side
    """
    waiting = [run for run, folder in folders.items() if folder.to_train]
    peers = _finished(folders) if waiting else {}
    means = {kind: mean(seconds.values()) for kind, seconds in peers.items()}
    trainings = {look.run: look.training for look in looks if look.training is not None}
    used: set[tuple] = set()
    needed, likeness = [], Counter()
    for run in waiting if peers else ():
        place, kind = next(pair for pair in enumerate(_kinds(run)) if pair[1] in peers)
        used.add(kind)
        likeness[place] += 1
        training = trainings.get(run)
        begun = 0.0 if training is None else training.share
        needed.append(means[kind] * (1 - begun))
    return Estimate(
        seconds=side_by_side(needed, at_a_time) if len(needed) == len(waiting) else None,
        trainings=len(waiting),
        at_a_time=at_a_time,
        finished_runs=len({run for kind in used for run in peers[kind]}),
        from_other_subsets=likeness[1],
        from_other_models=likeness[2],
    )


def in_words(estimate: Estimate) -> str:
    """The estimate, with what it rests on, as the end of a sentence."""
    left = number_of(estimate.trainings, "training")
    if not estimate.trainings:
        return "all networks are trained, and only training is estimated."
    if estimate.seconds is None:
        return f"unknown, {left} to go: no training has finished to estimate it from."
    pace = "one at a time" if estimate.at_a_time == 1 else f"{estimate.at_a_time} at a time"
    rests = f"from {number_of(estimate.finished_runs, 'finished run')}"
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


def side_by_side(seconds: Sequence[float], at_a_time: int) -> float:
    """Seconds that trainings take, so many at a time; none ends before the longest."""
    return max(sum(seconds) / at_a_time, max(seconds, default=0.0))


def _kinds(run: Run) -> tuple[tuple, ...]:
    """What a run has in common with those most alike, with others of its model, with any."""
    return (run.dataset, run.model, run.subset), (run.model,), ()


def _finished(folders: Mapping[Run, RunFolder]) -> dict[tuple, dict[Run, float]]:
    """Seconds that each finished training took, by kind."""
    peers: dict[tuple, dict[Run, float]] = {}
    for run, folder in folders.items():
        seconds = training_seconds(folder.folder) if folder.passed("trained") else None
        if seconds is not None:
            for kind in _kinds(run):
                peers.setdefault(kind, {})[run] = seconds
    return peers


def training_seconds(folder: Path) -> float | None:
    """What the training of a run took, all attempts together; None if no file says."""
    measured = benchmark_files.read(folder / run_files.TRAIN.benchmark)
    if measured is not None:
        last = measured["s"]
    else:
        content = tolerant.json_file(folder / run_files.PROVENANCE)
        last = tolerant.number(content.get("seconds")) if isinstance(content, dict) else None
    # Both are of the last attempt alone; the history has the epochs of those before it too.
    epochs = [
        tolerant.number(row.get("seconds")) for row in tolerant.table(folder / run_files.HISTORY)
    ]
    known = [seconds for seconds in epochs if seconds is not None]
    estimates = [] if last is None else [last]
    if known:
        estimates.append(sum(known))
    return max(estimates, default=None)
