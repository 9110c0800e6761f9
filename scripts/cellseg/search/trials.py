"""The trials of a rung, as the folders of their runs show them; nothing is written."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import tolerant
from cellseg.jobs.active import QUEUED, RUNNING
from cellseg.jobs.run_folder import (
    DONE,
    FAILED,
    INTERRUPTED,
    NOT_STARTED,
    PART_DONE,
    Look,
    RunFolder,
)
from cellseg.jobs.steps import Step, steps_of
from cellseg.search import files, rungs
from cellseg.search import scores as search_scores
from cellseg.study import searches
from cellseg.study.runs import Run, run_settings

NOT_FINITE = "not finite"
"""State of a trial whose loss was not. It failed, and the search continues without it."""
STATES = (DONE, RUNNING, QUEUED, NOT_FINITE, FAILED, INTERRUPTED, PART_DONE, NOT_STARTED)


@dataclass
class Trials:
    """The trials that are in a rung, looked at once.

    Attributes
    ----------
    runs : by trial
    folders, states : of each run
    looks : of the runs that are worth a line
    scores : of the trials that are done; nan where there is none
    diverged : trials of which the search noted a loss that was not finite
    """

    epochs: int
    runs: dict[int, list[Run]]
    folders: dict[Run, RunFolder]
    states: dict[Run, str]
    looks: list[Look]
    scores: dict[int, float]
    diverged: list[int]

    @property
    def decided(self) -> bool:
        """Whether all are done, so that it is known which enter the next rung."""
        return len(self.scores) == len(self.runs)

    def counts(self) -> dict[str, int]:
        """Number of trials in each of STATES."""
        return counted(
            Counter(
                _state_of([self.states[run] for run in of_trial]) for of_trial in self.runs.values()
            )
        )


def look(
    study: Mapping,
    name: str,
    rung: int,
    going: Sequence[int],
    results: Path,
    folder_of: Callable[[Run, list[Step]], RunFolder],
) -> Trials:
    """Look at the trials of a rung.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    name : of the search
    rung : from 1
    going : trials that are in it
    results : folder of all results
    folder_of : looks at a run, for the given jobs
    """
    entry = study["hyperparameter_searches"][name]
    epochs = entry["rungs"][rung - 1]
    runs = {trial: searches.runs_of(study, name, trial, epochs) for trial in going}
    every = [run for of_trial in runs.values() for run in of_trial]
    lost = _noted_as_diverged(study, name, every, results)
    folders = {run: folder_of(run, steps_of_trial(run, entry["threshold_search"])) for run in every}
    states, looks = {}, []
    for run, folder in folders.items():
        seen = None if run in lost else folder.look({"epochs": epochs})
        # The search notes such a run when Snakemake ends, which trains the others first.
        failed = seen is not None and folder.has_diverged(_settings(study, run))
        states[run] = NOT_FINITE if run in lost or failed else folder.state
        if seen is not None and not failed:
            looks.append(seen)
    scores, diverged = {}, []
    for trial, of_trial in runs.items():
        if any(run not in lost and states[run] != DONE for run in of_trial):
            continue
        if set(lost) & set(of_trial):
            scores[trial] = math.nan
            diverged.append(trial)
            continue
        try:
            score = rungs.score(study, name, of_trial, results)
        except UserError:
            continue
        scores[trial] = score if math.isfinite(score) else math.nan
    return Trials(epochs, runs, folders, states, looks, scores, diverged)


def counted(numbers: Mapping[str, int]) -> dict[str, int]:
    """Number of trials in each of STATES, in their order."""
    return {state: numbers.get(state, 0) for state in STATES}


def _noted_as_diverged(study: Mapping, name: str, runs: Sequence[Run], results: Path) -> list[Run]:
    """Runs of which the search noted that they diverged, with the settings that they have now."""
    known = tolerant.json_file(results.parent / files.record_of(study, name))
    if not isinstance(known, dict):
        return []
    paths = {run: files.run_path(run) for run in runs}
    return [
        run for run, path in paths.items() if path in known and known[path] == _settings(study, run)
    ]


def _settings(study: Mapping, run: Run) -> dict:
    return run_settings(study, run.model, run.heads, run.subset, run.seed)


def _state_of(states: Sequence[str]) -> str:
    """State of a trial by those of its runs, one a seed."""
    for state in (RUNNING, QUEUED, NOT_FINITE, FAILED, INTERRUPTED):
        if state in states:
            return state
    return states[0] if len(set(states)) == 1 else PART_DONE


def steps_of_trial(run: Run, tuning: str | None) -> list[Step]:
    """Jobs of a trial's run up to its score; of the last one, the file of that alone is asked for.

    Parameters
    ----------
    run : the run
    tuning : what scores it, see :func:`cellseg.search.scores.score`
    """
    steps = steps_of(run, [] if tuning is None else [f"tuning-{tuning}/"])
    wanted = [step for step in steps if step.rule in ("train", "predict_validation", "tune")]
    return [*wanted[:-1], replace(wanted[-1], outputs=(search_scores.file_of(tuning),))]
