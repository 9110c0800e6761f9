"""Runs among the results that a configuration does not ask for, but that are running.

They were asked for by the name of a file, or by another configuration.
"""

from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from pathlib import Path

from cellseg.io import run_files
from cellseg.jobs.active import RUNNING
from cellseg.jobs.run_folder import Look, RunFolder
from cellseg.jobs.steps import Step, steps_of
from cellseg.study import runs as studies
from cellseg.study.runs import Run


def running(
    results: Path, known: Container[Run], folder_of: Callable[[Run, list[Step]], RunFolder]
) -> Iterator[tuple[RunFolder, Look]]:
    """Runs that are running and not among the `known` ones.

    Parameters
    ----------
    results : folder of all results
    known : runs of the configuration
    folder_of : looks at a run, given its jobs
    """
    for path in sorted(results.glob("*/runs/*/*/*/seed-*")):
        run = studies.run_of_file(path / run_files.WEIGHTS, results)
        if run is None or run in known:
            continue
        tunings = sorted(f"{inner.name}/" for inner in path.glob("tuning-*"))
        folder = folder_of(run, steps_of(run, ["", *tunings]))
        if folder.state == RUNNING:
            yield folder, replace(folder.look(None), of_study=False)
