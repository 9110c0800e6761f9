"""The space that a study or a search takes on the disk of its results, estimated beforehand.

What is there is measured. What is not takes the mean of what finished runs of the same model on
the same data set take, else what the settings let expect.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cellseg.io import run_files
from cellseg.search import rungs
from cellseg.space import data as data_space
from cellseg.space import runs as run_space
from cellseg.space.expected_images import images_of
from cellseg.space.on_disk import Sizes
from cellseg.study.runs import Run, variants_by_run


@dataclass(frozen=True)
class Space:
    """Bytes on the disk of the results.

    Attributes
    ----------
    folder : of the results
    runs, data : what all runs keep in the end, and data sets, tiles and pretrained weights
    there : what is there already of both
    state : of one training, while it runs
    maps : of one run, while its cells are found; none where the study keeps maps
    free : on the disk
    n_runs, n_unfinished : all runs, and those that lack a file
    n_unknown : runs on data sets of which nothing is known yet; not counted in bytes
    unknown : data sets of which nothing is known before their annotations are read; not counted
    searches : of a study, by name, how many runs each has, and their bytes; not counted
    """

    folder: Path
    runs: float
    data: float
    there: float
    state: float
    maps: float
    free: float
    n_runs: int
    n_unfinished: int
    unknown: tuple[str, ...]
    searches: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    n_unknown: int = 0


def plan(study: Mapping, results: str | os.PathLike) -> Space:
    """Estimate the space of a whole study, whatever of it is asked for.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    results : folder of all results; it need not exist
    """
    variants = variants_by_run(study)
    own = {run: folders for run, folders in variants.items() if not run.is_external}
    searches = {}
    for name in study["hyperparameter_searches"]:
        search = plan_of_search(study, name, results)
        searches[name] = search.n_runs, search.runs
    return replace(_space(study, own, Path(results), scored=True), searches=searches)


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
    images = {
        name: images_of(study["datasets"][name], results / "data" / name / "annotations")
        for name in sorted({run.dataset for run in variants})
    }
    spaces = {
        run: run_space.expected(study, run, folders, images[run.dataset], scored)
        for run, folders in variants.items()
        if images[run.dataset]
    }
    disk = Sizes(results)
    found = {
        run: {name: disk.of(f"{run.folder}/{name}") for name in space.files}
        for run, space in spaces.items()
    }
    files = _with_means({run: space.files for run, space in spaces.items()}, found)
    runs = [(size, found[run][name]) for run in files for name, size in files[run].items()]
    expected = data_space.expected(study, variants, images)
    data = [(size, disk.of(f"data/{path}")) for path, size in expected.items()]
    return Space(
        folder=results,
        runs=_kept(runs),
        data=_kept(data),
        there=sum(has or 0 for _, has in runs + data),
        state=max((space.state for space in spaces.values()), default=0),
        maps=max((space.maps for space in spaces.values()), default=0),
        free=disk.free(),
        n_runs=len(variants),
        n_unfinished=sum(None in sizes.values() for sizes in found.values()),
        unknown=tuple(name for name in images if not images[name]),
        n_unknown=len(variants) - len(spaces),
    )


def _kept(sizes: Iterable[tuple[float, int | None]]) -> float:
    """Sum of what is measured, and of what is expected where nothing is."""
    return sum(size if has is None else has for size, has in sizes)


def _with_means(
    expected: Mapping[Run, Mapping[str, float]], found: Mapping[Run, Mapping[str, int | None]]
) -> dict[Run, dict[str, float]]:
    """The expected files, with means of finished runs in the place of the settings' figures."""
    alike: dict[tuple, list[int]] = {}
    for run, sizes in found.items():
        for name, size in sizes.items():
            if size is not None:
                alike.setdefault(_likeness(run, name), []).append(size)
    means = {key: sum(sizes) / len(sizes) for key, sizes in alike.items()}
    return {
        run: {name: means.get(_likeness(run, name), size) for name, size in sizes.items()}
        for run, sizes in expected.items()
    }


def _likeness(run: Run, name: str) -> tuple:
    """Runs with the same of this have files of nearly the same size."""
    of_heads = run.heads if name.endswith((".h5", ".zip")) else None
    by_subset = name.endswith((run_files.PROVENANCE, run_files.VALIDATION_PREDICTIONS))
    of_subset = run.subset if by_subset else None
    return run.dataset, run.model, of_heads, of_subset, name


def lines(space: Space, jobs: int | None, of: str = "study") -> list[str]:
    """What a plan says about space.

    Parameters
    ----------
    jobs : runs that may be in progress at once; None where that is not known
    of : what takes it, ``study`` or ``search``
    """
    if space.n_unknown == space.n_runs > 0:
        told = _lines_of_unknown(space, of)
    else:
        told = _lines_of_known(space, jobs, of)
    if space.searches:
        # Of data that are not known yet, no bytes are.
        each = (
            f"{name} ({n_runs} runs{f': {_gb(size)}' if size else ''})"
            for name, (n_runs, size) in space.searches.items()
        )
        told.append(f"       Not counted, for scripts/search.py makes them: {', '.join(each)}.")
    needed = space.runs + space.data - space.there
    needed += _at_once(space, jobs) * max(space.state, space.maps) if space.n_unfinished else 0
    if needed > space.free:
        told.append(
            f"Warning: the disk of {space.folder} is too small by about "
            f"{_gb(needed - space.free)}. Free space, keep no predictions, run fewer jobs at once, "
            "or put it on another disk (a link)."
        )
    return told


def _at_once(space: Space, jobs: int | None) -> int:
    """Runs in progress at once."""
    return max(1, min(jobs or 1, space.n_unfinished))


def _lines_of_known(space: Space, jobs: int | None, of: str) -> list[str]:
    passing, at_once = max(space.state, space.maps), _at_once(space, jobs)
    maps = f" or predicted maps {_gb(space.maps)}" if space.maps else ""
    together = f"; {at_once} at once: {_gb(passing * at_once)}" if at_once > 1 else ""
    runs = space.n_runs - space.n_unknown
    counted = f"{runs} of {space.n_runs}" if space.n_unknown else f"{runs}"
    told = [
        f"Space: the {of} keeps about {_gb(space.runs + space.data)} (runs, {counted}: "
        f"{_gb(space.runs)}; data: {_gb(space.data)}), {_gb(space.there)} of it are there; "
        f"{_gb(space.free)} are free on the disk of {space.folder}.",
        f"       A run in progress takes up to {_gb(passing)} more (a training's state "
        f"{_gb(space.state)}{maps}){together}.",
    ]
    if space.unknown:
        told.append(
            f"       Not counted, for their images are not known yet: {', '.join(space.unknown)}."
        )
    return told


def _lines_of_unknown(space: Space, of: str) -> list[str]:
    """Without a known image there are no bytes to show, and 0 would be wrong."""
    besides = f" Besides, it keeps {_gb(space.data)} of pretrained weights." if space.data else ""
    return [
        f"Space: what the {of} takes is not known before the images of {', '.join(space.unknown)} "
        f"are read (snakemake data).{besides}",
        f"       {_gb(space.free)} are free on the disk of {space.folder}.",
    ]


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
