"""The disk space of a study or a search, estimated before it runs.

What exists is measured. A missing run is expected to take what finished runs of its model and
heads take, or else what its settings say.
"""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from cellseg.data.expected_images import images_of
from cellseg.io import disk_full, run_files
from cellseg.search import rungs
from cellseg.space import expected
from cellseg.study import starts
from cellseg.study.fusion_names import is_fused
from cellseg.study.runs import Run, variants_by_run


@dataclass(frozen=True)
class Space:
    """Bytes on the disk of the results; those of runs on unknown images are not counted."""

    folder: Path
    runs: float  # what they keep in the end
    data: float  # the same of data sets, tiles and pretrained weights
    used: float  # what exists of both
    passing: float  # what a run takes besides while it is in progress
    free: float
    n_runs: int
    n_unfinished: int
    unknown: tuple[str, ...] = ()  # data sets
    n_unknown: int = 0  # runs on them
    searches: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """Of a study: runs and their bytes, which are not counted."""


def plan(study: Mapping, results: str | os.PathLike) -> Space:
    """Estimate the space of a whole study, whatever of it is asked for.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    results : folder of all results; it need not exist
    """
    variants = variants_by_run(study)
    # Not counted: what labels, tables and pictures of runs without a network take.
    trained = {
        run: variants.get(run, [])
        for run in starts.with_sources(study, variants)
        if not (run.is_external or is_fused(study["models"][run.model]))
    }
    searches = {}
    for name in study["hyperparameter_searches"]:
        search = plan_of_search(study, name, results)
        searches[name] = search.n_runs, search.runs
    return replace(_space(study, trained, Path(results), scored=True), searches=searches)


def plan_of_search(study: Mapping, name: str, results: str | os.PathLike) -> Space:
    """Estimate the space of the runs that a search is likely to have; see :func:`plan`."""
    tuning = study["hyperparameter_searches"][name]["threshold_search"]
    variants = [] if tuning is None else [f"tuning-{tuning}/"]
    runs = rungs.likely_runs(study, name, Path(results))
    return _space(study, dict.fromkeys(runs, variants), Path(results), scored=False)


def _space(
    study: Mapping, variants: Mapping[Run, Sequence[str]], results: Path, scored: bool
) -> Space:
    """Space of runs and of their data; `variants` are their tuning folders."""
    data, names = results / "data", sorted({run.dataset for run in variants})
    images = {
        name: splits
        for name in names
        if (splits := images_of(study["datasets"][name], data / name / "annotations")) is not None
    }
    used, to_come, passing = {}, {}, 0.0
    finished = defaultdict(list)  # sizes of those that are alike
    for run, folders in variants.items():
        if run.dataset in images:
            kept, besides = expected.of_run(study, run, folders, images[run.dataset], scored)
            used[run], passing = _size(results / run.folder), max(passing, besides)
            if _is_finished(results / run.folder, folders, scored):
                finished[run.dataset, run.model, run.heads, len(folders)].append(used[run])
            else:
                to_come[run] = kept
    for run, kept in to_come.items():
        sizes = finished.get((run.dataset, run.model, run.heads, len(variants[run])), [kept])
        to_come[run] = max(0.0, fmean(sizes) - used[run])
    used_by_data = sum(_size(data / name) for name in (*images, "pretrained"))
    data_to_come = sum(
        size
        for files, size in expected.of_data(study, variants, images).items()
        if not all((data / file).exists() for file in files)
    )
    return Space(
        folder=results,
        runs=sum(used.values()) + sum(to_come.values()),
        data=used_by_data + data_to_come,
        used=sum(used.values()) + used_by_data,
        passing=passing,
        free=disk_full.free(results)[0],
        n_runs=len(variants),
        n_unfinished=len(to_come),
        unknown=tuple(name for name in names if name not in images),
        n_unknown=len(variants) - len(used),
    )


def _is_finished(folder: Path, variants: Sequence[str], scored: bool) -> bool:
    """Whether the last files of a run exist: those that they were made from may be gone."""
    last = (run_files.METRICS, run_files.OVERLAY_PNG) if scored else (run_files.CHOSEN,)
    files = [run_files.WEIGHTS, *(f"{variant}{name}" for variant in variants for name in last)]
    return all((folder / file).exists() for file in files)


def _size(folder: Path) -> int:
    """Bytes of all files below a folder; 0 if there is none."""
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # removed meanwhile
                size += os.stat(f"{path}/{name}").st_size
    return size


def lines(space: Space, jobs: int | None, of: str = "study") -> list[str]:
    """What a plan says about space.

    Parameters
    ----------
    jobs : runs that may be in progress at once; None where that is not known
    of : what takes it, ``study`` or ``search``
    """
    at_once = max(1, min(jobs or 1, space.n_unfinished))
    to_come, known = space.runs + space.data - space.used, space.n_runs - space.n_unknown
    names = ", ".join(space.unknown)
    free = f"{_gb(space.free)} are free on the disk of {space.folder}."
    if space.n_runs and not known:  # 0 bytes would be wrong
        weights = f" Pretrained weights take {_gb(space.data)}." if space.data else ""
        said = [
            f"Space: what the {of} takes is not known before the images of {names} are read "
            f"(snakemake data).{weights}",
            f"       {free}",
        ]
    else:
        number = f"{known} of {space.n_runs}" if space.n_unknown else f"{known}"
        together = f"; {at_once} at once: {_gb(space.passing * at_once)}" if at_once > 1 else ""
        said = [
            f"Space: the {of} keeps about {_gb(space.runs + space.data)} (runs, {number}: "
            f"{_gb(space.runs)}; data: {_gb(space.data)}). {_gb(space.used)} exist, "
            f"{_gb(to_come)} are still to come; {free}",
            f"       A run in progress takes up to {_gb(space.passing)} more for checkpoints or "
            f"predicted maps{together}.",
        ]
        if names:
            said.append(f"       Not counted, because their images are not known yet: {names}.")
    if space.searches:
        each = (
            f"{name} ({n_runs} runs{f': {_gb(size)}' if size else ''})"
            for name, (n_runs, size) in space.searches.items()
        )
        said.append(f"       Not counted, because scripts/search.py makes them: {', '.join(each)}.")
    lacking = to_come + at_once * space.passing * bool(space.n_unfinished) - space.free
    if lacking > 0:
        said.append(
            f"Warning: the disk of {space.folder} is too small by about {_gb(lacking)}. Free "
            "space, keep no predictions, run fewer jobs at once, or put it on another disk (a "
            "link)."
        )
    return said


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
