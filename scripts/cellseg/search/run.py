"""A hyperparameter search by successive halving, decided by what its runs came to.

All trials are trained for a few epochs, the best of them again for more, and so on (Jamieson and
Talwalkar, AISTATS 2016, PMLR 51, 240-248). Nothing but files is kept between two calls: runs that
are there are not made again, and lead to the same decisions.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io.wording import number_of
from cellseg.runtime.snakemake_call import Snakemake
from cellseg.search import execute, files, outputs
from cellseg.search import rungs as search_rungs
from cellseg.search import scores as search_scores
from cellseg.search.rungs import Row
from cellseg.study import searches
from cellseg.study.runs import Run, as_list


def search(
    study: Mapping,
    name: str,
    folder: Path,
    snakemake: Snakemake,
    space: Callable[[], Iterable[str]] = tuple,
) -> None:
    """Make what is not made yet of a search, and write what it comes to.

    Its folder gets trials.csv after each rung, and best.yaml, search.png and search.pdf in the
    end. In a dry run nothing is written, and Snakemake shows the first rung that is not made yet.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    name : entry of its ``searches``
    folder : the checkout
    snakemake : makes the runs and the figure
    space : lines on disk space, printed with the plan of the search

    Raises
    ------
    UserError
        There is no such search, a run failed otherwise than by a loss that is not finite, all
        trials of a rung did by that, or a signal came.
    """
    if name not in study["hyperparameter_searches"]:
        names = ", ".join(study["hyperparameter_searches"])
        raise UserError(f"the study has no search '{name}'. Possible: {names or 'none'}.")
    entry = study["hyperparameter_searches"][name]
    values = searches.values_of(study, name)
    place = files.folder_of(study, name)
    rungs = entry["rungs"]
    print(_plan(entry, len(values)), *space(), sep="\n", flush=True)
    going, rows = list(values), []
    for rung, epochs in enumerate(rungs, start=1):
        runs = {trial: searches.runs_of(study, name, trial, epochs) for trial in going}
        asked = [run for of_trial in runs.values() for run in of_trial]
        record = folder / files.record_of(study, name)
        lost = execute.make(study, asked, entry["threshold_search"], folder, record, snakemake)
        if snakemake.dry_run and not _there(asked, lost, entry["threshold_search"], folder):
            return
        here = _rows(study, name, rung, values, runs, lost, folder)
        rows += here
        if not snakemake.dry_run:
            outputs.write(rows, folder / place / "trials.csv")
        print(_told(here, len(rungs)), flush=True)
        if all(row.place is None for row in here):
            raise UserError(
                f"no trial of rung {rung} has a score. Search lower values of "
                "training.learning_rate, or set training.clipnorm."
            )
        going = [row.trial for row in here if row.promoted]
    _finish(study, rows, folder / place, place, snakemake)


def _there(runs: Sequence[Run], lost: Sequence[Run], tuning: str | None, folder: Path) -> bool:
    file = search_scores.file_of(tuning)
    return all((folder / files.run_path(run) / file).exists() or run in lost for run in runs)


def _rows(
    study: Mapping,
    name: str,
    rung: int,
    values: Mapping[int, Mapping],
    runs: Mapping[int, list[Run]],
    lost: Sequence[Run],
    folder: Path,
) -> list[Row]:
    """Scores of a rung's trials, and which of them enter the next rung."""
    promoted = search_rungs.n_promoted(study["hyperparameter_searches"][name], rung, len(runs))
    diverged = [trial for trial, of_trial in runs.items() if set(lost) & set(of_trial)]
    scores = {
        trial: math.nan
        if trial in diverged
        else search_rungs.score(study, name, of_trial, folder / files.RESULTS)
        for trial, of_trial in runs.items()
    }
    return search_rungs.rows(study, name, rung, values, scores, diverged, promoted)


def _finish(
    study: Mapping, rows: Sequence[Row], folder: Path, place: str, snakemake: Snakemake
) -> None:
    top = search_rungs.best(rows)
    print(
        f"Best of all: trial {top.trial} after {number_of(top.epochs, 'epoch')}, {top.measure} "
        f"{top.score:.4g} ({top.settings})."
    )
    if snakemake.dry_run:
        return
    model = outputs.write_best(top, study, folder / "best.yaml")
    if not snakemake.make([f"{place}/search.png"]):
        raise UserError("the search is done, but its figure failed: see above, and call again.")
    print(
        f"All trials: {place}/trials.csv, drawn in search.png next to it. The best as an entry of "
        f"`models`, called {model}: {place}/best.yaml."
    )


def _plan(entry: Mapping, n_trials: int) -> str:
    """What the search takes, in a sentence."""
    rungs = list(zip(entry["rungs"], search_rungs.sizes(entry, n_trials), strict=True))
    seeds = len(as_list(entry["seed"]))
    parts = ", ".join(f"{size} of {number_of(epochs, 'epoch')}" for epochs, size in rungs)
    epochs = seeds * sum(epochs * size for epochs, size in rungs)
    times = f", each with {seeds} seeds" if seeds > 1 else ""
    return f"Trainings: {parts}{times}; {number_of(epochs, 'epoch')} in all."


def _told(rows: Sequence[Row], n_rungs: int) -> str:
    """What a rung came to, in a line or two."""
    first = next((row for row in rows if row.place == 1), None)
    on = [str(row.trial) for row in rows if row.promoted]
    lost = [str(row.trial) for row in rows if row.diverged]
    words = f"Rung {rows[0].rung} of {n_rungs}, {number_of(rows[0].epochs, 'epoch')}: "
    if first is not None:
        words += f"best {first.measure} {first.score:.4g}, trial {first.trial} ({first.settings}). "
    if on:
        words += f"{len(on)} of {len(rows)} enter the next rung: {', '.join(on)}. "
    return words + (f"Not finite: {', '.join(lost)}." if lost else "")
