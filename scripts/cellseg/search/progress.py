"""How far a hyperparameter search is: rungs, best trial so far, time left of a rung.

Judged as :mod:`cellseg.search.run` decides, by what its runs came to. Nothing is written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from cellseg.jobs.active import RUNNING
from cellseg.jobs.run_folder import NOT_STARTED, RunFolder
from cellseg.jobs.steps import Step
from cellseg.jobs.time_left import Estimate, side_by_side, training_seconds
from cellseg.search import files
from cellseg.search import rungs as search_rungs
from cellseg.search import trials as search_trials
from cellseg.search.rungs import Row
from cellseg.search.trials import NOT_FINITE, Trials
from cellseg.study import searches
from cellseg.study.runs import Run

UNDECIDED, NO_SCORE, DECIDED, WRITTEN = "undecided", "no score", "decided", "written"


@dataclass
class Rung:
    """Trials of a rung by their state; of a rung still to come, as many as may be in it."""

    epochs: int
    trials: dict[str, int]


@dataclass
class SearchProgress:
    """All that is known of a search at one moment.

    Attributes
    ----------
    folder : of its table and figure
    rungs : all of them
    rung : the number, from 1, of the first rung that is not decided, or the last
    state : UNDECIDED, NO_SCORE (all trials of that rung diverged), DECIDED, or WRITTEN, when the
        best model is there too
    best : of the trials that have a score, in whatever rung; None without any
    estimate : time left of that rung
    """

    folder: str
    rungs: list[Rung]
    rung: int
    state: str
    best: Row | None
    estimate: Estimate


def collect(
    study: Mapping,
    name: str,
    results: Path,
    folder_of: Callable[[Run, list[Step]], RunFolder],
) -> tuple[SearchProgress | None, list[Trials]]:
    """Look at a search.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    name : of the search
    results : folder of all results
    folder_of : looks at a run, for the given jobs

    Returns
    -------
    SearchProgress, or None where nothing was begun
    list of Trials : those of each rung, as far as it is decided which they are
    """
    entry, values = study["hyperparameter_searches"][name], searches.values_of(study, name)
    going, rows, seen = list(values), [], []
    while going and len(seen) < len(entry["rungs"]):
        rung = len(seen) + 1
        trials = search_trials.look(study, name, rung, going, results, folder_of)
        seen.append(trials)
        n_promoted = search_rungs.n_promoted(entry, rung, len(going)) if trials.decided else 0
        here = search_rungs.rows(
            study, name, rung, values, trials.scores, trials.diverged, n_promoted
        )
        rows += here
        going = [row.trial for row in here if row.promoted]
    if all(state == NOT_STARTED for state in seen[0].states.values()):
        return None, seen
    folder = results.parent / files.folder_of(study, name)
    progress = SearchProgress(
        folder=folder.as_posix(),
        rungs=_rungs(entry, seen),
        rung=len(seen),
        state=_state(seen[-1], rows, folder),
        best=search_rungs.best(rows),
        estimate=_estimate(seen),
    )
    return progress, seen


def _rungs(entry: Mapping, seen: Sequence[Trials]) -> list[Rung]:
    rungs = [Rung(trials.epochs, trials.counts()) for trials in seen]
    size = 0 if seen[-1].decided else len(seen[-1].runs)
    for epochs in entry["rungs"][len(seen) :]:
        size = search_rungs.n_promoted(entry, len(rungs), size) if size else 0
        rungs.append(Rung(epochs, search_trials.counted({NOT_STARTED: size})))
    return rungs


def _state(last: Trials, rows: Sequence[Row], folder: Path) -> str:
    if not last.decided:
        return UNDECIDED
    if all(row.place is None for row in rows if row.epochs == last.epochs):
        return NO_SCORE
    return WRITTEN if (folder / "best.yaml").exists() else DECIDED


def _estimate(seen: Sequence[Trials]) -> Estimate:
    """Time left of the last rung, by what an epoch took in the runs of the same trial.

    Of a trial without a finished run, the mean of all others.
    """
    last = seen[-1]
    waiting = [
        run for run in last.folders if last.folders[run].to_train and last.states[run] != NOT_FINITE
    ]
    paces = _seconds_an_epoch(seen) if waiting else {}
    of_all = [pace for of_trial in paces.values() for pace in of_trial]
    begun = {look.run: look.training for look in last.looks if look.training is not None}
    trial_of = {run: trial for trial, runs in last.runs.items() for run in runs}
    needed = []
    for run in waiting if of_all else ():
        training = begun.get(run)
        done = 0.0 if training is None else training.share
        needed.append(mean(paces.get(trial_of[run], of_all)) * last.epochs * (1 - done))
    at_a_time = max(1, list(last.states.values()).count(RUNNING))
    return Estimate(
        seconds=side_by_side(needed, at_a_time) if len(needed) == len(waiting) else None,
        trainings=len(waiting),
        at_a_time=at_a_time,
        finished_runs=len(of_all),
        from_other_subsets=0,
        from_other_models=0,
    )


def _seconds_an_epoch(seen: Sequence[Trials]) -> dict[int, list[float]]:
    """Of each finished training, by trial."""
    paces: dict[int, list[float]] = {}
    for trials in seen:
        for trial, runs in trials.runs.items():
            folders = [trials.folders[run] for run in runs]
            taken = [training_seconds(one.folder) for one in folders if not one.to_train]
            known = [seconds / trials.epochs for seconds in taken if seconds is not None]
            if known:
                paces.setdefault(trial, []).extend(known)
    return paces
