"""Where a study stands: what exists of each run, what runs, what failed, how long it may take.

Nothing is written, and nothing but names and dates is read of a run that needs no further look.
"""

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean

from cellseg import study as studies
from cellseg.active_jobs import QUEUED, RUNNING, Marks, SlurmJobs, rules_besides, slurm_comment
from cellseg.errors import UserError
from cellseg.study import Run

DONE, FAILED, INTERRUPTED, PART_DONE, NOT_STARTED = (
    "done", "failed", "interrupted", "part done", "not started",
)  # fmt: skip
STATES = (DONE, RUNNING, QUEUED, FAILED, INTERRUPTED, PART_DONE, NOT_STARTED)
STAGES = ("trained", "predicted", "tuned", "segmented", "scored")
LATELY = 300  # seconds: a log written to since then is taken for alive where nothing else tells
TAIL = 1 << 18  # bytes read of the end of a log

_EPOCH = re.compile(
    r"^epoch (\d+)/(\d+): loss (\S+), validation loss ([^\s,]+),.*?([\d.]+) s$", re.MULTILINE
)
_RESUMED = re.compile(r"^Resuming after epoch (\d+) of (\d+)[.,]", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One job of a run: its rule, tuning folder ("" for none) and files, relative to the run."""

    rule: str
    variant: str
    outputs: tuple[str, ...]
    log: str
    benchmark: str
    comment: str

    @property
    def temporary(self) -> bool:
        """Whether its outputs may be removed once they are used."""
        return self.rule.startswith("predict")


@dataclass
class Training:
    """How far a training is; None where it has not said."""

    epoch: int = 0
    epochs: int | None = None
    loss: float | None = None
    val_loss: float | None = None
    epoch_seconds: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """By the mean time of its own epochs; early stopping may end it sooner."""
        if self.epochs is None or self.epoch_seconds is None:
            return None
        return max(0, self.epochs - self.epoch) * self.epoch_seconds


@dataclass
class Look:
    """A run that is worth a line: it runs, waits, failed or was interrupted."""

    run: Run
    state: str
    rule: str
    log: str
    error: str | None = None
    training: Training | None = None
    silent_seconds: float | None = None


@dataclass
class Estimate:
    """Time that the trainings still to be done take, in seconds; None for unknown."""

    seconds: float | None
    trainings: int
    at_a_time: int
    finished_runs: int
    from_other_subsets: int
    from_other_models: int


@dataclass
class Progress:
    """All that is known of a study at one moment."""

    total: dict[str, int]
    experiments: dict[str, dict[str, int]]
    stages: dict[str, tuple[int, int]]
    looks: list[Look]
    estimate: Estimate
    judged_by: str
    other_jobs: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def narrowed(study: Mapping, dataset: str | None = None, experiment: str | None = None) -> dict:
    """The study with the experiments on one data set, or one experiment, alone.

    Raises
    ------
    UserError
        There is no such data set or experiment, or the two have nothing in common.
    """
    kept = dict(study["experiments"])
    for kind, name, known in (
        ("data set", dataset, study["datasets"]),
        ("experiment", experiment, study["experiments"]),
    ):
        if name is not None and name not in known:
            raise UserError(
                f"the study has no {kind} '{name}'. Possible: {', '.join(known) or 'none'}."
            )
    if experiment is not None:
        kept = {experiment: kept[experiment]}
    if dataset is not None:
        kept = {
            name: entry
            for name, entry in kept.items()
            if entry.get("dataset", study["dataset"]) == dataset
        }
        if not kept:
            what = "any experiment" if experiment is None else f"experiment '{experiment}'"
            raise UserError(f"data set '{dataset}' is not that of {what}. Name another one.")
    return {**study, "experiments": kept}


def steps_of(run: Run, variants: Iterable[str]) -> list[Step]:
    """Jobs of a run up to its scores, in their order, for the given tuning folders."""
    wildcards = [run.dataset, run.model, run.heads, run.subset, str(run.seed)]

    def step(rule: str, variant: str, outputs: list[str], name: str, *more: str) -> Step:
        return Step(
            rule=rule,
            variant=variant,
            outputs=tuple(variant + output for output in outputs),
            log=f"{variant}logs/{name}.log",
            benchmark=f"{variant}benchmarks/{name}.tsv",
            comment=slurm_comment(rule, [*wildcards, *more]),
        )

    trained = ["weights.h5", "history.csv", "settings.json", "provenance.json"]
    steps = [
        step("train", "", trained, "train"),
        step("predict", "", ["maps.zip"], "predict"),
    ]
    for variant in variants:
        tuning = studies.tuning_in(variant)
        if tuning is not None:
            maps = ["validation-maps.zip"]
            steps.append(step("predict_validation", variant, maps, "predict", tuning))
            steps.append(step("tune", variant, ["chosen.json", "tried.csv"], "tune", tuning))
        segmented = ["labels.npz", "cells.parquet", "watershed.json"]
        steps.append(step("segment", variant, segmented, "segment", variant))
        steps.append(step("score", variant, ["metrics.csv"], "score", variant))
    return steps


def collect(
    study: Mapping,
    results: Path,
    slurm: SlurmJobs | None,
    marks: Marks,
    now: float,
) -> Progress:
    """Look at the results of a study.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.config.resolve`
    results : folder of all results, relative to the working directory, as in Snakemake's marks
    slurm : what squeue said, or None
    marks : those of Snakemake
    now : seconds since the epoch
    """
    variants = studies.all_variants(study)
    views = {
        run: _View(run, steps_of(run, names), results / run.folder, slurm, marks, now)
        for run, names in variants.items()
    }
    experiments = {}
    for name in study["experiments"]:
        variant = studies.variant_of(study, name)
        states = (views[run].state(variant) for run in studies.runs_of(study, name))
        experiments[name] = _counted(states)
    looks = []
    for run, view in views.items():
        look = view.look(_epochs(study, run.model))
        if look is not None:
            looks.append(look)
    total = _counted(view.decided[0] for view in views.values())
    known = {step.comment for view in views.values() for step in view.steps}
    return Progress(
        total=total,
        experiments=experiments,
        stages=_stages(views, variants),
        looks=looks,
        estimate=_estimate(views, looks, max(1, total[RUNNING])),
        judged_by=_judged_by(slurm, marks, {view.source for view in views.values()}),
        other_jobs={} if slurm is None else rules_besides(slurm, known),
    )


class _View:
    """What a run's folder shows."""

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

    @cached_property
    def decided(self) -> tuple[str, Step | None]:
        """State of the run, and the step that decides it."""
        return self._decide(self.steps)

    def state(self, variant: str) -> str:
        """State of what the run has to do with one tuning folder, "" for that without tuning."""
        if len({step.variant for step in self.steps if step.rule == "score"}) == 1:
            return self.decided[0]
        shared = ("train", "predict")
        return self._decide(
            [step for step in self.steps if step.rule in shared or step.variant == variant]
        )[0]

    def _decide(self, steps: list[Step]) -> tuple[str, Step | None]:
        for wanted in (RUNNING, QUEUED):
            for step in steps:
                if self.active.get(step) == wanted:
                    return wanted, step
        # A training begun anew that failed leaves the old scores in place: look at errors first.
        broken = [step for step in steps if self._broken(step)]
        for step in broken:
            if last_error(self._log(step)) is not None:
                return FAILED, step
        if all(self.made[step] for step in steps if step.rule == "score"):
            return DONE, None
        if broken:
            return INTERRUPTED, broken[0]
        begun = any(self.made[step] or self._ended_well(step) for step in steps)
        return (PART_DONE if begun else NOT_STARTED), None

    def passed(self, stage: str, variant: str = "") -> bool:
        """Whether the run has what a stage makes; maps are removed after use."""
        rule = {"trained": "train", "tuned": "tune", "segmented": "segment", "scored": "score"}
        if stage == "predicted":
            return any(
                self.made[step] or (step.rule == "predict" and self._ended_well(step))
                for step in self.steps
                if step.rule in ("predict", "segment", "score")
            )
        return any(
            self.made[step]
            for step in self.steps
            if step.rule == rule[stage] and (stage == "trained" or step.variant == variant)
        )

    @property
    def to_train(self) -> bool:
        """Whether a training is still to be done, or to be ended."""
        train = self.steps[0]
        return train in self.active or not (self.made[train] or self.decided[0] == DONE)

    def look(self, epochs: int | None) -> Look | None:
        """The run's line, if it is worth one."""
        state, step = self.decided
        if step is None:
            return None
        look = Look(self.run, state, step.rule, (self.folder / step.log).as_posix())
        if state == FAILED:
            look.error = last_error(self._log(step))
        if step.rule == "train":
            # Unless it runs, its log may be that of a training which ended, and is begun anew.
            log = self._log(step) if state == RUNNING else ""
            state_file = self.folder / "resume" / "state.json"
            look.training = training_of(log, _json(state_file), epochs)
        if state == RUNNING:
            look.silent_seconds = self._silence(step)
        return look

    def training_seconds(self) -> float | None:
        """What the training took, all attempts together, or None."""
        seconds = _benchmark_seconds(self.folder / "benchmarks" / "train.tsv")
        if seconds is None:
            content = _json(self.folder / "provenance.json")
            seconds = _number(content.get("seconds")) if isinstance(content, dict) else None
        # Both are of the last attempt alone; the history has the epochs of those before it too.
        epochs = _history_seconds(self.folder / "history.csv")
        return max((value for value in (seconds, epochs) if value is not None), default=None)

    def _entry(self, path: str) -> os.DirEntry | None:
        """A file of the run that is there."""
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
            self._logs[step.log] = _tail(self.folder / step.log)
        return self._logs[step.log]

    def _lately(self, step: Step) -> bool:
        date = _date(self._entry(step.log))
        return date is not None and self.now - date < LATELY

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
            if last_error(log) is None and not _stopped_by_hand(log):
                self.source = "log"
                return RUNNING
        return None

    def _silence(self, step: Step) -> float | None:
        """Seconds since the log, the state to resume from, or a file in the making changed."""
        place = (self.folder / step.variant).as_posix()
        paths = [self.folder / step.log, self.folder / "resume" / "state.json"]
        dates = [_date(path) for path in [*paths, *Path(place).glob(".*/*")]]
        known = [date for date in dates if date is not None]
        return max(0.0, self.now - max(known)) if known else None


def last_error(log: str) -> str | None:
    """The last error in the text of a log, or None: ``Error: …``, or the end of a traceback."""
    lines = log.splitlines()
    for position in range(len(lines) - 1, -1, -1):
        line = lines[position]
        if line.startswith("Error:"):
            return line
        if line.startswith("Traceback (most recent call last):"):
            told = (after for after in lines[position + 1 :] if after[:1].strip())
            error = next(told, None)
            return None if error is None or error.startswith("KeyboardInterrupt") else error
    return None


def training_of(log: str, state: object, epochs: int | None) -> Training:
    """How far a training is, by its log or, where that knows less, its state to resume from.

    Parameters
    ----------
    log : text of ``logs/train.log``; it starts anew when the training is resumed
    state : content of ``resume/state.json``, or anything else where there is none
    epochs : of the configuration
    """
    training = Training(epochs=epochs)
    resumed = _RESUMED.findall(log)
    if resumed:
        training.epoch, training.epochs = (int(number) for number in resumed[-1])
    told = _EPOCH.findall(log)
    if told:
        epoch, of, loss, val_loss, _ = told[-1]
        training.epoch, training.epochs = int(epoch), int(of)
        training.loss, training.val_loss = _number(loss), _number(val_loss)
    history = state.get("history") if isinstance(state, dict) else None
    rows = [row for row in history if isinstance(row, dict)] if isinstance(history, list) else []
    if training.epochs is not None and len(rows) > training.epochs:
        rows = []  # of other settings: such a state is thrown away
    if rows and len(rows) >= training.epoch:
        training.epoch = len(rows)
        training.loss = _number(rows[-1].get("loss"))
        training.val_loss = _number(rows[-1].get("val_loss"))
    seconds = [_number(row[-1]) for row in told] or [_number(row.get("seconds")) for row in rows]
    known = [value for value in seconds if value is not None]
    training.epoch_seconds = mean(known) if known else None
    return training


def _stages(
    views: Mapping[Run, _View], variants: Mapping[Run, list[str]]
) -> dict[str, tuple[int, int]]:
    """Of each stage, the number of runs that passed it with all their variants, and of all."""
    counts = {}
    for stage in STAGES:
        wanted = {
            run: [name for name in names if name or stage != "tuned"]
            for run, names in variants.items()
        }
        passed = [
            all(views[run].passed(stage, name) for name in names)
            for run, names in wanted.items()
            if names
        ]
        if passed or stage != "tuned":
            counts[stage] = (sum(passed), len(passed))
    return counts


def _estimate(views: Mapping[Run, _View], looks: list[Look], at_a_time: int) -> Estimate:
    """Time left, from the mean of finished trainings that are most alike."""
    kinds = (
        lambda run: (run.dataset, run.model, run.subset),
        lambda run: (run.model,),
        lambda run: (),
    )
    peers: dict[tuple, dict[Run, float]] = {}
    waiting = [run for run, view in views.items() if view.to_train]
    for run, view in views.items() if waiting else ():
        if view.passed("trained"):
            seconds = view.training_seconds()
            if seconds is not None:
                for kind in kinds:
                    peers.setdefault(kind(run), {})[run] = seconds
    trainings = {look.run: look.training for look in looks if look.training is not None}
    used: set[Run] = set()
    needed, borrowed = [], Counter()
    for run in waiting:
        found = next((kind for kind in kinds if kind(run) in peers), None)
        if found is None:
            continue
        alike = peers[found(run)]
        used.update(alike)
        borrowed[kinds.index(found)] += 1
        training = trainings.get(run)
        begun = training.epoch / training.epochs if training and training.epochs else 0.0
        needed.append(mean(alike.values()) * (1 - min(1.0, begun)))
    # However many run side by side, none ends before the longest.
    seconds = max(sum(needed) / at_a_time, max(needed, default=0.0))
    return Estimate(
        seconds=seconds if len(needed) == len(waiting) else None,
        trainings=len(waiting),
        at_a_time=at_a_time,
        finished_runs=len(used),
        from_other_subsets=borrowed[1],
        from_other_models=borrowed[2],
    )


def _judged_by(slurm: SlurmJobs | None, marks: Marks, sources: set[str]) -> str:
    """Which evidence there was for what runs, in a few words."""
    if slurm is not None:
        jobs = len(slurm.by_id)
        words = f"squeue ({jobs} {'job' if jobs == 1 else 'jobs'} of this checkout)"
        return f"{words}, and Snakemake's lock and marks" if "marks" in sources else words
    if marks.locked:
        return "Snakemake's lock and marks, which a crash leaves behind"
    if "log" in sources:
        return f"logs written to in the last {LATELY // 60} minutes"
    return "Snakemake's lock, which is not held, and the dates of logs"


def _counted(states: Iterable[str]) -> dict[str, int]:
    counts = Counter(states)
    return {state: counts[state] for state in STATES}


def _epochs(study: Mapping, model: str) -> int | None:
    training = studies.merged(study["training"], study["models"][model]["training"])
    return training.get("epochs")


def _stopped_by_hand(log: str) -> bool:
    return log.rstrip().rpartition("\n")[2].startswith("KeyboardInterrupt")


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


def _tail(path: Path) -> str:
    """End of a log; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _json(path: Path) -> object:
    """Content of a JSON file; None where it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _number(value: object) -> float | None:
    """A number, also from text, or None: also for what is not finite."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < float("inf") else None


def _table(path: Path) -> list[dict]:
    """Rows of a small csv or tsv; none where it is missing or broken."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
    except (OSError, csv.Error):
        return []


def _benchmark_seconds(path: Path) -> float | None:
    rows = _table(path)
    return _number(rows[-1].get("s")) if rows else None


def _history_seconds(path: Path) -> float | None:
    seconds = [_number(row.get("seconds")) for row in _table(path)]
    known = [value for value in seconds if value is not None]
    return sum(known) if known else None
