"""The rungs of a search: number of trials, their scores, and which enter the next rung."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from cellseg.search import files
from cellseg.search import scores as search_scores
from cellseg.study import search_space, searches
from cellseg.study.runs import Run, training_of


@dataclass(frozen=True)
class Row:
    """One trial in one rung.

    Attributes
    ----------
    values : of each parameter
    measure : what the score is, such as ``val_loss``
    score : mean over the trial's seeds; nan where there is none
    diverged : whether a loss of it was not finite
    place : in its rung, from 1; None without a score
    promoted : whether the trial enters the next rung
    runs : their folders
    """

    search: str
    rung: int
    epochs: int
    trial: int
    values: Mapping[str, object]
    measure: str
    score: float
    diverged: bool
    place: int | None
    promoted: bool
    runs: Sequence[str]

    @property
    def model(self) -> str:
        """Name of the model that its runs train."""
        return searches.trial_model(self.search, self.trial, self.epochs)

    @property
    def settings(self) -> str:
        """Its values, to read."""
        return ", ".join(f"{name} {search_space.shown(v)}" for name, v in self.values.items())


def sizes(entry: Mapping, n_trials: int) -> list[int]:
    """Number of trials in each rung; a rung has fewer where not so many have a score.

    Parameters
    ----------
    entry : the search, of the complete configuration
    n_trials : in its first rung
    """
    numbers = [n_trials]
    for _ in entry["rungs"][1:]:
        numbers.append(n_promoted(entry, len(numbers), numbers[-1]))
    return numbers


def n_promoted(entry: Mapping, rung: int, n_trials: int) -> int:
    """Number of trials of a rung, counted from 1, with `n_trials`, that enter the next one."""
    return max(1, n_trials // entry["reduction_factor"]) if rung < len(entry["rungs"]) else 0


def likely_runs(study: Mapping, name: str, folder: Path) -> list[Run]:
    """Runs of all rungs of a search, before it is known which trials enter the next rung.

    Trials that have a folder in a rung come first; others, spread evenly over all, represent the
    rest of it.

    Parameters
    ----------
    study : complete configuration
    name : the search
    folder : of all results
    """
    entry, trials = study["hyperparameter_searches"][name], searches.values_of(study, name)
    likely = []
    for epochs, size in zip(entry["rungs"], sizes(entry, len(trials)), strict=True):
        runs = [searches.runs_of(study, name, trial, epochs) for trial in trials]
        begun = [any((folder / run.folder).is_dir() for run in of_trial) for of_trial in runs]
        there = [of_trial for of_trial, has in zip(runs, begun, strict=True) if has]
        others = [of_trial for of_trial, has in zip(runs, begun, strict=True) if not has]
        missing = max(0, size - len(there))
        there += [others[at * len(others) // missing] for at in range(missing)]
        likely += [run for of_trial in there for run in of_trial]
    return likely


def score(study: Mapping, name: str, runs: Sequence[Run], folder: Path) -> float:
    """Score of a trial in one rung: the mean over its seeds.

    Parameters
    ----------
    study : complete configuration
    name : the search
    runs : of the trial
    folder : of all results

    Raises
    ------
    UserError
        As :func:`cellseg.search.scores.score`.
    """
    tuning = study["hyperparameter_searches"][name]["threshold_search"]
    checkpoint = training_of(study, runs[0].model)["checkpoint"]
    return fmean(search_scores.score(folder / run.folder, tuning, checkpoint) for run in runs)


def rows(
    study: Mapping,
    name: str,
    rung: int,
    values: Mapping[int, Mapping],
    scores: Mapping[int, float],
    diverged: Collection[int],
    promoted: int,
) -> list[Row]:
    """What trials came to in a rung, in the order of `scores`.

    Parameters
    ----------
    study : complete configuration
    name : the search
    rung : from 1
    values : of each parameter by trial
    scores : by trial; nan where there is none
    diverged : trials of which a loss was not finite
    promoted : how many of the best trials enter the next rung
    """
    entry = study["hyperparameter_searches"][name]
    epochs, search = entry["rungs"][rung - 1], entry["threshold_search"]
    higher = search is not None
    ranked = search_scores.ranked(scores, higher)
    return [
        Row(
            search=name,
            rung=rung,
            epochs=epochs,
            trial=trial,
            values=values[trial],
            measure=study["threshold_searches"][search]["score"] if higher else "val_loss",
            score=scores[trial],
            diverged=trial in diverged,
            place=ranked.index(trial) + 1 if trial in ranked else None,
            promoted=trial in ranked[:promoted],
            runs=[files.run_path(run) for run in searches.runs_of(study, name, trial, epochs)],
        )
        for trial in scores
    ]


def best(rows: Sequence[Row]) -> Row | None:
    """The row with the best score of all rungs; of equal ones that with fewer epochs."""
    scored = [row for row in rows if row.place is not None]
    higher = bool(rows) and rows[0].measure != "val_loss"
    sign = -1 if higher else 1
    return min(scored, key=lambda row: (sign * row.score, row.epochs, row.trial), default=None)
