"""What a run's folder shows: what is made, what runs, what failed.

Nothing but names and dates is read of a run that needs no further look.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cellseg.io import progress_file
from cellseg.io.progress_file import Training
from cellseg.jobs import logs
from cellseg.jobs.active import QUEUED, RUNNING, Marks, SlurmJobs
from cellseg.jobs.steps import Step
from cellseg.study.runs import Run
from cellseg.training import length

DONE, FAILED, INTERRUPTED = "done", "failed", "interrupted"
PART_DONE, NOT_STARTED = "part done", "not started"
STATES = (DONE, RUNNING, QUEUED, FAILED, INTERRUPTED, PART_DONE, NOT_STARTED)
LATELY = 300  # seconds: a log written to since then counts as alive if nothing else says


@dataclass
class Look:
    """A run that is worth a line: it runs, waits, failed or was interrupted.

    `of_study` is False for one that the configuration does not ask for.
    """

    run: Run
    state: str
    rule: str
    log: str
    error: str | None = None
    training: Training | None = None
    silent_seconds: float | None = None
    of_study: bool = True


class RunFolder:
    """A run, looked at once.

    Parameters
    ----------
    run : the run
    steps : its jobs
    folder : its folder, relative to the working directory, as in the marks
    slurm : what squeue said, or None
    marks : those of Snakemake
    now : seconds since the epoch

    Attributes
    ----------
    source : the sign that the run is in progress, ``marks`` or ``log``; empty for Slurm or none
    """

    def __init__(
        self,
        run: Run,
        steps: list[Step],
        folder: Path,
        slurm: SlurmJobs | None,
        marks: Marks,
        now: float,
    ) -> None:
        self.run, self.steps, self.folder, self.now = run, steps, folder, now
        self.source = ""
        self._listed: dict[str, dict[str, os.DirEntry]] = {}
        self._logs: dict[str, str] = {}
        self.made = {step: all(map(self._entry, step.outputs)) for step in steps}
        self.active = {}
        for step in steps:
            state = self._activity(step, slurm, marks)
            if state is not None:
                self.active[step] = state

    @property
    def state(self) -> str:
        """State of all that the run has to do."""
        return self._decided[0]

    def state_of(self, variant: str) -> str:
        """State of what the run has to do with one tuning folder, "" for that without tuning."""
        shared = ("train", "join_folds", "predict", "predict_instances", "fuse")
        steps = [step for step in self.steps if step.rule in shared or step.variant == variant]
        return self.state if steps == self.steps else self._decide(steps)[0]

    def passed(self, stage: str, variant: str = "") -> bool:
        """Whether the run has what a stage makes; maps are removed after use."""
        rules = {
            "trained": ("train", "join_folds"),
            "tuned": ("tune",),
            "segmented": ("segment", "paint"),
            "scored": ("score",),
        }
        if stage == "predicted":
            return any(
                self.made[step] or (step.rule == "predict" and self._ended_well(step))
                for step in self.steps
                if step.rule
                in ("predict", "predict_instances", "fuse", "segment", "paint", "score")
            )
        return any(
            self.made[step]
            for step in self.steps
            if step.rule in rules[stage] and (stage == "trained" or step.variant == variant)
        )

    @property
    def has_network(self) -> bool:
        """Whether a training is one of its jobs."""
        return self.steps[0].rule == "train"

    @property
    def to_train(self) -> bool:
        """Whether a training is still to be done, or to be ended."""
        first = self.steps[0]
        if not self.has_network:
            return False
        return first in self.active or not (self.made[first] or self.state == DONE)

    def look(self, options: Mapping | None) -> Look | None:
        """The run's line, if it is worth one.

        Parameters
        ----------
        options : settings of its training, by the configuration; None where that does not know
            the run
        """
        state, step = self._decided
        if step is None:
            return None
        look = Look(self.run, state, step.rule, (self.folder / step.log).as_posix())
        if state == FAILED:
            look.error = logs.last_error(self._log(step))
        if step.rule == "train":
            options = options or {"epochs": 0}
            look.training = progress_file.training_of(
                self._said, length.epochs_of(options), state == RUNNING, options.get("steps")
            )
        if state == RUNNING:
            look.silent_seconds = self._silence(step)
        return look

    def has_diverged(self, settings: Mapping) -> bool:
        """Whether its training, with these settings, failed by a loss that is not finite."""
        state, step = self._decided
        ended = step is not None and step.rule == "train" and state in (FAILED, INTERRUPTED)
        return ended and progress_file.has_diverged(self._said, settings)

    @cached_property
    def _said(self) -> dict | None:
        """What its training wrote into ``progress.json``."""
        there = self._entry(progress_file.NAME) is not None
        return progress_file.read(self.folder) if there else None

    @cached_property
    def _decided(self) -> tuple[str, Step | None]:
        return self._decide(self.steps)

    def _decide(self, steps: Sequence[Step]) -> tuple[str, Step | None]:
        """State of some steps, and the step that decides it."""
        for wanted in (RUNNING, QUEUED):
            for step in steps:
                if self.active.get(step) == wanted:
                    return wanted, step
        # A training begun again that failed leaves the old scores in place: look at errors first.
        broken = [step for step in steps if self._broken(step)]
        for step in broken:
            if logs.last_error(self._log(step)) is not None:
                return FAILED, step
        # A trial of a search is not scored on test images: its last job ends it.
        last = [step for step in steps if step.rule == "score"] or steps[-1:]
        if all(self.made[step] for step in last):
            return DONE, None
        if broken:
            return INTERRUPTED, broken[0]
        begun = any(self.made[step] or self._ended_well(step) for step in steps)
        return (PART_DONE if begun else NOT_STARTED), None

    def _entry(self, path: str) -> os.DirEntry | None:
        """An existing file of the run."""
        place, _, name = path.rpartition("/")
        if place not in self._listed:
            # Ask for no folder that the one above does not list; a new study has hardly any.
            there = not place or self._entry(place) is not None
            self._listed[place] = _listing(self.folder / place) if there else {}
        return self._listed[place].get(name)

    def _broken(self, step: Step) -> bool:
        """Whether a step left a log, and neither its outputs nor a good end."""
        if self.made[step] or self._entry(step.log) is None or self._ended_well(step):
            return False
        later = self.steps[self.steps.index(step) + 1 :]
        used = step.temporary and any(
            self.made[other] for other in later if step.variant in ("", other.variant)
        )
        return not used

    def _ended_well(self, step: Step) -> bool:
        """Whether Snakemake measured the step after its log ended, which it does on success."""
        benchmark, log = _date(self._entry(step.benchmark)), _date(self._entry(step.log))
        return benchmark is not None and (log is None or benchmark >= log)

    def _log(self, step: Step) -> str:
        if step.log not in self._logs:
            self._logs[step.log] = logs.end(self.folder / step.log)
        return self._logs[step.log]

    def _activity(self, step: Step, slurm: SlurmJobs | None, marks: Marks) -> str | None:
        """RUNNING, QUEUED or None."""
        if slurm is not None and step.comment in slurm.by_comment:
            return slurm.by_comment[step.comment]
        outputs = [f"{self.folder.as_posix()}/{output}" for output in step.outputs]
        output = next((output for output in outputs if output in marks.begun), None)
        if output is not None:
            number = marks.begun[output]
            if slurm is not None and number is not None:
                return slurm.by_id.get(number)
            if marks.locked:
                self.source = "marks"
                return RUNNING if number is None else QUEUED
        # Snakemake removes the mark of a job that failed; without its folder nothing is known.
        possible = slurm is None and not marks.locked and (output is not None or not marks.there)
        if possible and self._broken(step) and self._lately(step):
            log = self._log(step)
            if logs.last_error(log) is None and not logs.stopped_by_hand(log):
                self.source = "log"
                return RUNNING
        return None

    def _lately(self, step: Step) -> bool:
        names = [step.log]
        if step.rule == "train":  # which may log nothing for hours
            names.append(progress_file.NAME)
        dates = [_date(self._entry(name)) for name in names]
        return any(date is not None and self.now - date < LATELY for date in dates)

    def _silence(self, step: Step) -> float | None:
        """Seconds since the log, the training's progress, or a file in the making changed."""
        paths = [self.folder / step.log, self.folder / progress_file.NAME]
        making = (self.folder / step.variant).glob(".*/*")
        dates = [_date(path) for path in [*paths, *making]]
        known = [date for date in dates if date is not None]
        return max(0.0, self.now - max(known)) if known else None


def _listing(folder: Path) -> dict[str, os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry for entry in entries}
    except OSError:
        return {}


def _date(file: os.DirEntry | Path | None) -> float | None:
    """Seconds since the epoch at which a file changed; None where it is gone."""
    try:
        return None if file is None else file.stat().st_mtime
    except OSError:
        return None
