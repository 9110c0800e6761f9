"""Models that start from another run: which one, and what is refused before anything is trained."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cellseg import starter
from cellseg.errors import UserError
from cellseg.study import fusions, head_checks, outside, spelling
from cellseg.study import runs as studies
from cellseg.study.runs import Run
from cellseg.targets import head_names
from cellseg.training.start import KEY, RUN, doubts, other_heads, source

FITTING = ({"deepcell", "panopticnet"},)
"""Families whose weights fit each other, but for those that are the same."""
SUFFIXES = (".zip", ".h5", ".hdf5")


def entry_of(study: Mapping, model: str) -> Mapping | None:
    """What a model starts from, or None."""
    return study["models"][model].get(KEY)


def file_of(study: Mapping, run: Run) -> str | None:
    """The file that a run starts from, or None.

    Raises
    ------
    UserError
        It is the starter network, which this copy of the library lacks.
    """
    entry = entry_of(study, run.model)
    file = None if entry is None else entry.get("file")
    return None if file is None else str(starter.resolved(file))


def source_of(study: Mapping, run: Run) -> Run | None:
    """The run that a run starts from, or None."""
    entry = entry_of(study, run.model)
    found = None if entry is None else source(entry, vars(run))
    return None if found is None else Run(**found)


def with_sources(study: Mapping, runs: Iterable[Run]) -> list[Run]:
    """Runs with those that they start from or are fused of, and so on, sorted, each once."""
    found: set[Run] = set()
    waiting = list(runs)
    while waiting:
        run = waiting.pop()
        if run not in found:
            found.add(run)
            begun = source_of(study, run)
            waiting += [] if begun is None else [begun]
            waiting += [member.run for member in fusions.members_of(study, run)]
    return sorted(found)


def check(study: Mapping) -> None:
    """Refuse circles of models that start from each other, and heads that do not fit.

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    for name in study["models"]:
        _check_circle(name, study)
    runs = [run for one in study["experiments"] for run in studies.runs_of(study, one)]
    for entry in study["hyperparameter_searches"].values():
        if entry["model"] not in study["models"]:
            continue  # refused with the other names of a search
        dataset = entry.get("dataset", study["dataset"])
        axes = (entry[axis] for axis in studies.AXES[:-1])
        runs.append(Run(dataset, *axes, studies.as_list(entry["seed"])[0]))
    for run in with_sources(study, runs):
        _check_run(study, run)


def check_entry(where: str, entry: Mapping, study: Mapping) -> None:
    """Refuse an entry that names no start, two of them, or one that does not exist.

    Parameters
    ----------
    where : key of the entry, for the error

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    file = entry.get("file")
    named = [key for key in RUN if key in entry]
    if file is not None:
        if named:
            raise UserError(
                f"{where}: `file` and {', '.join(f'`{key}`' for key in named)} name two starts. "
                "Keep the file, or the keys of a run."
            )
        if file != starter.NAME and Path(file).suffix.lower() not in SUFFIXES:
            raise UserError(
                f"{where}.file: {file} is neither an export (.zip) nor weights (.h5), nor "
                f"`{starter.NAME}`. Name one."
            )
        return
    if "model" not in entry:
        raise UserError(
            f"{where}: name the `model` of the run to start from, or the `file` of an export or of "
            "weights."
        )
    for axis in ("dataset", "model", "subset"):
        if axis in entry:
            spelling.check(f"{where}.{axis}", entry[axis], study[f"{axis}s"])
    other = study["models"][entry["model"]]
    if outside.is_outside(other) or studies.is_fused(other):
        raise UserError(
            f"{where}.model: '{entry['model']}' is of family {other['family']}, which has no "
            "network. Choose another model."
        )
    if other.get("ensemble"):
        raise UserError(
            f"{where}.model: '{entry['model']}' is an ensemble, which holds several networks. "
            "Start from a model without `ensemble`; each network of an ensemble may do so."
        )
    if "heads" in entry:
        try:
            head_names.split(entry["heads"])
        except UserError as error:
            raise UserError(f"{where}.{error}") from None


def _check_circle(name: str, study: Mapping) -> None:
    """Refuse models that start from each other, or from themselves."""
    path = [name]
    while (entry := entry_of(study, path[-1])) is not None and "model" in entry:
        path.append(entry["model"])
        if path[-1] in path[:-1]:
            circle = path[path.index(path[-1]) :]
            raise UserError(
                f"models.{circle[0]}.{KEY}: {' starts from '.join(circle)}: a circle, in which no "
                "run can be the first. Let one of them start from nothing."
            )


def _check_run(study: Mapping, run: Run) -> None:
    """Refuse a run to start from whose network or heads do not fit."""
    begun = source_of(study, run)
    if begun is None:
        return
    entry, where = entry_of(study, run.model), f"models.{run.model}.{KEY}"
    families = {study["models"][one.model]["family"] for one in (run, begun)}
    if len(families) > 1 and families not in FITTING:
        raise UserError(
            f"{where}.model: '{begun.model}' is of family {study['models'][begun.model]['family']},"
            f" whose weights do not fit one of family {study['models'][run.model]['family']}. "
            "Start from a model of the same family."
        )
    if begun.is_external:
        raise UserError(f"{where}.heads: '{begun.heads}' has no network. Name heads of a network.")
    theirs, own = head_names.split(begun.heads), head_names.split(run.heads)
    head_checks.check(f"{where}.heads", study, begun.model, theirs)
    if entry["take"] == "all" and theirs != own:
        raise UserError(other_heads(where, begun.folder, theirs, own))


def refuse_missing(study: Mapping, runs: Iterable[Run], results: Path) -> None:
    """Refuse files to start from that do not exist and that no rule makes.

    Parameters
    ----------
    results : folder in which rules make files

    Raises
    ------
    UserError
        Names the key and the file.
    """
    for run in runs:
        file = file_of(study, run)
        made = file is not None and results in Path(os.path.normpath(file)).parents
        if file is not None and not made and not Path(file).is_file():
            raise UserError(
                f"models.{run.model}.{KEY}.file: {file} does not exist. Put the file there, or "
                "correct the path (relative to the checkout)."
            )


def warnings(study: Mapping, runs: Iterable[Run]) -> list[str]:
    """How the images of runs and of the runs that they start from differ, a line for each model."""
    lines: dict[str, None] = {}
    for run in with_sources(study, runs):
        begun = source_of(study, run)
        if begun is None:
            continue
        settings = [
            studies.run_settings(study, one.model, one.heads, one.subset, one.seed)
            for one in (run, begun)
        ]
        sizes = [study["datasets"][one.dataset].get("pixel_size") for one in (run, begun)]
        for doubt in doubts(*settings, sizes):
            named = f"models.{run.model}.{KEY}: model {begun.model} on {begun.dataset}"
            lines[f"Warning: {named}: {doubt}."] = None
    return list(lines)
