"""How much of the work of a call is done, and how long the rest may take.

Jobs are very unequal, so shares are of seconds and not of jobs. A job takes as long as others like
it took in this call; else as one measured earlier; else, unless it is a long one, :data:`SHORT`.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import mean

from cellseg.io import progress_file
from cellseg.jobs.time_left import side_by_side
from cellseg.live.job import Job

OPEN = ("train", "apply", "download", "fetch_weights")
"""Rules whose jobs may take seconds or days: nothing is said before one like it is known."""
SHORT = 5.0
"""Seconds of the jobs of other rules while nothing is known: mostly the start of Python."""
LEAST_SHARE = 0.1
"""Share of a training from which its time is estimated in the first epoch, whose start is slow."""


class Work:
    """The jobs of one call, what each took and may take.

    Parameters
    ----------
    jobs : all that the call will run
    measured : seconds that jobs like one took in earlier calls, or None
    """

    def __init__(self, jobs: Iterable[Job], measured: Callable[[Job], float | None]) -> None:
        self._waiting = {job.key: job for job in jobs if job.outputs}
        self._running: dict[tuple, tuple[Job, float]] = {}
        self._took: dict[tuple, list[float]] = {}
        self._finished = 0.0
        self._measured = {key: measured(job) for key, job in self._waiting.items()}
        self._share = 0.0

    def start(self, job: Job, now: float) -> None:
        """A job has started at `now`, seconds of any clock."""
        self._waiting.pop(job.key, None)
        if job.outputs:
            self._running[job.key] = job, now

    def finish(self, job: Job, now: float) -> None:
        """A job has ended well."""
        _, begun = self._running.pop(job.key, (job, now))
        took = now - begun
        self._finished += took
        for kind in _kinds(job):
            self._took.setdefault(kind, []).append(took)

    def fail(self, job: Job) -> None:
        """A job has ended with an error: it is no work that is left."""
        self._running.pop(job.key, None)

    def running(self) -> list[tuple[Job, float]]:
        """Jobs that run, and when each started."""
        return list(self._running.values())

    def estimate(self, now: float, started: float) -> tuple[float, float] | None:
        """Share of the work that is done, which never falls, and seconds that are left.

        Parameters
        ----------
        now, started : this moment and the start of the first job

        Returns
        -------
        None if nothing says how long a training, or another long job, may take
        """
        trainings = self._trainings(now)
        begun = [(now - when, self._expected(job, trainings)) for job, when in self.running()]
        waiting = [self._expected(job, trainings) for job in self._waiting.values()]
        if None in [*waiting, *(whole for _, whole in begun)]:
            return None
        needed = [max(whole - spent, 0.0) for spent, whole in begun] + waiting
        done = self._finished + sum(spent for spent, _ in begun)
        total = done + sum(needed)
        self._share = max(self._share, done / total if total else 1.0)
        # So many jobs ran side by side up to now.
        lanes = max(1.0, done / max(now - started, 1.0))
        return self._share, side_by_side(needed, lanes)

    def _trainings(self, now: float) -> Mapping[tuple, float]:
        """Seconds that running trainings may take in all, by what they have in common."""
        said: dict[tuple, list[float]] = {}
        for job, when in self._running.values():
            training = training_of(job)
            if training is None:
                continue
            left, spent = training.seconds_left, now - when
            if left is not None:
                whole = spent + left
            elif training.share >= LEAST_SHARE:
                whole = spent / training.share
            else:
                continue
            for kind in (*_kinds(job), job.key):
                said.setdefault(kind, []).append(whole)
        return {kind: mean(seconds) for kind, seconds in said.items()}

    def _expected(self, job: Job, trainings: Mapping[tuple, float]) -> float | None:
        if job.key in trainings:
            return trainings[job.key]
        alike, of_rule = _kinds(job)
        if alike in self._took:
            return mean(self._took[alike])
        before = self._measured.get(job.key)
        if before is not None:
            return before
        for kind in (alike, of_rule):
            if kind in trainings:
                return trainings[kind]
            if kind in self._took:
                return mean(self._took[kind])
        return None if job.rule in OPEN else SHORT


def _kinds(job: Job) -> tuple[tuple, tuple]:
    """What jobs alike have in common: rule, data set, model and subset; and the rule alone."""
    axes = tuple(job.wildcards.get(axis, "") for axis in ("dataset", "model", "subset"))
    return (job.rule, *axes), (job.rule,)


def training_of(job: Job) -> progress_file.Training | None:
    """How far a running training is; None of other jobs, and before its first step."""
    if job.rule != "train" or not job.outputs:
        return None
    content = progress_file.read(Path(job.outputs[0]).parent)
    training = progress_file.training_of(content, 0, running=True)
    return training if training.epochs else None
