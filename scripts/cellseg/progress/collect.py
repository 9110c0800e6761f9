"""How far a study is: what exists of each run, what runs, what failed, how long it may take.

Nothing is written.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io.wording import number_of
from cellseg.jobs.active import RUNNING, Marks, SlurmJobs, rules_besides
from cellseg.jobs.run_folder import LATELY, STATES, Look, RunFolder
from cellseg.jobs.steps import Step, steps_of
from cellseg.jobs.time_left import Estimate, estimate
from cellseg.progress import other_runs
from cellseg.search import progress
from cellseg.search.progress import SearchProgress
from cellseg.study import fusion_names, starts
from cellseg.study import runs as studies
from cellseg.study.runs import Run

STAGES = ("trained", "predicted", "tuned", "segmented", "scored")


@dataclass
class Progress:
    """All that is known of a study at one moment."""

    total: dict[str, int]
    experiments: dict[str, dict[str, int]]
    stages: dict[str, tuple[int, int]]
    looks: list[Look]
    estimate: Estimate
    judged_by: str
    searches: dict[str, SearchProgress] = field(default_factory=dict)
    other_jobs: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    """Trainings of runs that no experiment compares, by state: others need their networks."""
    notes: list[str] = field(default_factory=list)


def narrowed(study: Mapping, dataset: str | None = None, experiment: str | None = None) -> dict:
    """The study with what is on one data set, or one experiment, alone.

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
    searches = {
        name: entry
        for name, entry in study["hyperparameter_searches"].items()
        if experiment is None and dataset in (None, entry.get("dataset", study["dataset"]))
    }
    return {**study, "experiments": kept, "hyperparameter_searches": searches}


def collect(
    study: Mapping,
    results: Path,
    slurm: SlurmJobs | None,
    marks: Marks,
    now: float,
    others: bool = True,
) -> Progress:
    """Look at the results of a study.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    results : folder of all results, relative to the working directory, as in Snakemake's marks
    slurm : what squeue said, or None
    marks : those of Snakemake
    now : seconds since the epoch
    others : list running ones, too, that the study does not ask for
    """

    def folder_of(run: Run, steps: list[Step]) -> RunFolder:
        return RunFolder(run, steps, results / run.folder, slurm, marks, now)

    variants = studies.variants_by_run(study)
    folders = {
        run: folder_of(run, steps_of(run, names, fusion_names.is_fused(study["models"][run.model])))
        for run, names in variants.items()
    }
    experiments = {}
    for name in study["experiments"]:
        variant = studies.variant_of(study, name)
        states = (folders[run].state_of(variant) for run in studies.runs_of(study, name))
        experiments[name] = _counted(states)
    options = {model: studies.training_of(study, model) for model in study["models"]}
    seen = [folder.look(options[run.model]) for run, folder in folders.items()]
    looks = [look for look in seen if look is not None]
    total = _counted(folder.state for folder in folders.values())
    before = {
        run: folder_of(run, steps_of(run, [])[:1])
        for run in starts.with_sources(study, folders)
        if run not in folders
    }
    more = [folder.look(options[run.model]) for run, folder in before.items()]
    looks += [look for look in more if look is not None]
    states = _counted(folder.state for folder in before.values())
    time_left = estimate(folders | before, looks, max(1, total[RUNNING] + states[RUNNING]))
    searches, every = {}, [*folders.values(), *before.values()]
    for name in study["hyperparameter_searches"]:
        searches[name], rungs = progress.collect(study, name, results, folder_of)
        looks += [look for trials in rungs for look in trials.looks]
        every += [folder for trials in rungs for folder in trials.folders.values()]
    if others:
        runs = {folder.run for folder in every}
        for folder, look in other_runs.running(results, runs, folder_of):
            looks.append(look)
            every.append(folder)
    known = {step.comment for folder in every for step in folder.steps}
    return Progress(
        total=total,
        experiments=experiments,
        stages=_stages(folders, variants),
        looks=looks,
        estimate=time_left,
        judged_by=_judged_by(slurm, marks, {folder.source for folder in every}),
        searches={name: seen for name, seen in searches.items() if seen is not None},
        other_jobs={} if slurm is None else rules_besides(slurm, known),
        before=states if before else {},
    )


def _stages(
    folders: Mapping[Run, RunFolder], variants: Mapping[Run, list[str]]
) -> dict[str, tuple[int, int]]:
    """Of each stage, the number of runs that passed it with all their variants, and of all."""
    counts = {}
    for stage in STAGES:
        wanted = {
            run: [name for name in names if name or stage != "tuned"]
            for run, names in variants.items()
            if stage != "trained" or folders[run].has_network
        }
        passed = [
            all(folders[run].passed(stage, name) for name in names)
            for run, names in wanted.items()
            if names
        ]
        if passed or stage != "tuned":
            counts[stage] = (sum(passed), len(passed))
    return counts


def _judged_by(slurm: SlurmJobs | None, marks: Marks, sources: set[str]) -> str:
    """Which evidence there was for what runs, in a few words."""
    if slurm is not None:
        jobs = len(slurm.by_id)
        words = f"squeue ({number_of(jobs, 'job')} of this checkout)"
        return f"{words}, and Snakemake's lock and marks" if "marks" in sources else words
    if marks.locked:
        return "Snakemake's lock and marks, which a crash leaves behind"
    if "log" in sources:
        return f"logs written to in the last {LATELY // 60} minutes"
    return "Snakemake's lock, which is not held, and the dates of logs"


def _counted(states: Iterable[str]) -> dict[str, int]:
    counts = Counter(states)
    return {state: counts[state] for state in STATES}
