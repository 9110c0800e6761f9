"""Make the runs of a search's rung; some may diverge."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import atomic, progress_file
from cellseg.runtime.snakemake_call import Snakemake
from cellseg.search import scores
from cellseg.search.files import run_path
from cellseg.study.runs import Run, run_settings


def make(
    study: Mapping,
    runs: Sequence[Run],
    tuning: str | None,
    folder: Path,
    record: Path,
    snakemake: Snakemake,
) -> list[Run]:
    """Make what the scores of runs are read from.

    Parameters
    ----------
    study : complete configuration
    tuning : what scores them, see :func:`cellseg.search.scores.score`
    folder : the checkout
    record : JSON of the runs that diverged, with their settings; without it each call would train
        them again, to the same end
    snakemake : makes the others

    Returns
    -------
    list of Run : those whose loss was not finite; all others are there, unless in a dry run

    Raises
    ------
    UserError
        A run failed otherwise, or Snakemake itself.
    """
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    settings = {run: run_settings(study, *_condition(run)) for run in runs}
    diverged = [run for run in runs if known.get(run_path(run)) == settings[run]]
    while True:
        wanted = [run for run in runs if run not in diverged]
        if not wanted:
            return diverged
        paths = {run: f"{run_path(run)}/{scores.file_of(tuning)}"
                 for run in wanted}  # fmt: skip
        before = {run: _said(folder, run) for run in wanted}
        made = snakemake.make(list(paths.values()))
        missing = [run for run in wanted if not (folder / paths[run]).exists()]
        if made and (not missing or snakemake.dry_run):
            return diverged
        after = {run: _said(folder, run) for run in missing}
        # What was there before is of another call, perhaps with other code or data.
        lost = [
            run
            for run in missing
            if after[run] != before[run] and progress_file.has_diverged(after[run], settings[run])
        ]
        if lost:
            known |= {run_path(run): settings[run] for run in lost}
            atomic.write_json(record, known)
            diverged = sorted([*diverged, *lost])
        if not missing or len(lost) < len(missing):
            raise UserError(
                "Snakemake failed (see above), so that nothing is decided. Fix the cause and rerun "
                "the same command to continue."
            )


def _condition(run: Run) -> tuple:
    return run.model, run.heads, run.subset, run.seed


def _said(folder: Path, run: Run) -> dict | None:
    """What the training of a run wrote into ``progress.json``."""
    return progress_file.read(folder / run_path(run))
