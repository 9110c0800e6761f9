"""A hyperparameter search by successive halving, decided by what its runs came to.

All trials are trained for a few epochs, the best of them anew for more, and so on (Jamieson and
Talwalkar, AISTATS 2016, PMLR 51, 240-248). Nothing but files is kept between two calls: runs that
are there are not made again, and lead to the same decisions.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from cellseg import search_make, search_scores, search_tables, searches
from cellseg.errors import UserError
from cellseg.search_tables import Row
from cellseg.snakemake_call import Snakemake
from cellseg.study import Run, training_of


def search(study: Mapping, name: str, folder: Path, snakemake: Snakemake) -> None:
    """Make what is not made yet of a search, and write what it comes to.

    Its folder gets trials.csv after each rung, and best.yaml, search.png and search.pdf in the
    end. In a dry run nothing is written, and Snakemake shows the first rung that is not made yet.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.config.resolve`
    name : entry of its ``searches``
    folder : the checkout
    snakemake : makes the runs and the figure

    Raises
    ------
    UserError
        There is no such search, a run failed otherwise than by a loss that is not finite, all
        trials of a rung did by that, or a signal came.
    """
    if name not in study["searches"]:
        raise UserError(
            f"the study has no search '{name}'. Possible: {', '.join(study['searches']) or 'none'}."
        )
    entry = study["searches"][name]
    values = searches.values_of(study, name)
    place = folder_of(study, name)
    rungs = entry["rungs"]
    print(_plan(entry, len(values)), flush=True)
    going, rows = list(values), []
    for rung, epochs in enumerate(rungs, start=1):
        runs = {trial: searches.runs_of(study, name, trial, epochs) for trial in going}
        asked = [run for of_trial in runs.values() for run in of_trial]
        record = folder / place / "diverged.json"
        lost = search_make.make(study, asked, entry["tuning"], folder, record, snakemake)
        if snakemake.dry_run and not _there(asked, lost, entry["tuning"], folder):
            return
        here = _decided(study, name, rung, values, runs, lost, folder)
        rows += here
        if not snakemake.dry_run:
            search_tables.write(rows, folder / place / "trials.csv")
        print(_told(here, len(rungs)), flush=True)
        if all(row.place is None for row in here):
            raise UserError(
                f"no trial of rung {rung} has a score. Search lower values of "
                "training.learning_rate, or set training.clip_norm."
            )
        going = [row.trial for row in here if row.promoted]
    _finish(study, rows, folder / place, place, snakemake)


def folder_of(study: Mapping, name: str) -> str:
    """Folder of a search's table and figure, relative to the checkout."""
    dataset = study["searches"][name].get("dataset", study["dataset"])
    return f"{search_make.RESULTS}/{dataset}/searches/{name}"


def _there(runs: Sequence[Run], lost: Sequence[Run], tuning: str | None, folder: Path) -> bool:
    file = search_scores.file_of(tuning)
    return all((folder / search_make.run_path(run) / file).exists() or run in lost for run in runs)


def _decided(
    study: Mapping,
    name: str,
    rung: int,
    values: Mapping[int, Mapping],
    runs: Mapping[int, list[Run]],
    lost: Sequence[Run],
    folder: Path,
) -> list[Row]:
    """Rows of a rung: what its trials came to, and which of them go on."""
    entry = study["searches"][name]
    rungs, higher = entry["rungs"], entry["tuning"] is not None
    diverged = [trial for trial, of_trial in runs.items() if set(lost) & set(of_trial)]
    scores = {
        trial: math.nan if trial in diverged else _mean(study, of_trial, entry, folder)
        for trial, of_trial in runs.items()
    }
    ranked = search_scores.ranked(scores, higher)
    n_promoted = max(1, len(runs) // entry["keep_one_in"]) if rung < len(rungs) else 0
    return [
        Row(
            search=name,
            rung=rung,
            epochs=rungs[rung - 1],
            trial=trial,
            values=values[trial],
            measure=study["tunings"][entry["tuning"]]["score"] if higher else "val_loss",
            score=scores[trial],
            diverged=trial in diverged,
            place=ranked.index(trial) + 1 if trial in ranked else None,
            promoted=trial in ranked[:n_promoted],
            runs=[search_make.run_path(run) for run in of_trial],
        )
        for trial, of_trial in runs.items()
    ]


def _mean(study: Mapping, runs: Sequence[Run], entry: Mapping, folder: Path) -> float:
    """Score of a trial: the mean over its seeds."""
    keep = training_of(study, runs[0].model)["keep"]
    return fmean(
        search_scores.score(folder / search_make.run_path(run), entry["tuning"], keep)
        for run in runs
    )


def _finish(
    study: Mapping, rows: Sequence[Row], folder: Path, place: str, snakemake: Snakemake
) -> None:
    top = search_tables.best(rows)
    print(
        f"Best of all: trial {top.trial} after {_epochs(top.epochs)}, {top.measure} "
        f"{top.score:.4g} ({top.settings})."
    )
    if snakemake.dry_run:
        return
    model = search_tables.write_best(top, study, folder / "best.yaml")
    if not snakemake.make([f"{place}/search.png"]):
        raise UserError("the search is done, but its figure failed: see above, and call again.")
    print(
        f"All trials: {place}/trials.csv, drawn in search.png beside it. The best as an entry of "
        f"`models`, called {model}: {place}/best.yaml."
    )


def _plan(entry: Mapping, n_trials: int) -> str:
    """What the search takes, in a sentence."""
    going, parts, epochs = n_trials, [], 0
    seeds = len(entry["seed"]) if isinstance(entry["seed"], list) else 1
    for rung in entry["rungs"]:
        parts.append(f"{going} of {_epochs(rung)}")
        epochs += going * rung * seeds
        going = max(1, going // entry["keep_one_in"])
    times = f", each with {seeds} seeds" if seeds > 1 else ""
    return f"Trainings: {', '.join(parts)}{times}; {_epochs(epochs)} in all."


def _told(rows: Sequence[Row], n_rungs: int) -> str:
    """What a rung came to, in a line or two."""
    first = next((row for row in rows if row.place == 1), None)
    on = [str(row.trial) for row in rows if row.promoted]
    lost = [str(row.trial) for row in rows if row.diverged]
    words = f"Rung {rows[0].rung} of {n_rungs}, {_epochs(rows[0].epochs)}: "
    if first is not None:
        words += f"best {first.measure} {first.score:.4g}, trial {first.trial} ({first.settings}). "
    if on:
        words += f"{len(on)} of {len(rows)} go on: {', '.join(on)}. "
    return words + (f"Not finite: {', '.join(lost)}." if lost else "")


def _epochs(number: int) -> str:
    return f"{number:,} epoch{'' if number == 1 else 's'}"
