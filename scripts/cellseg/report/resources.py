"""Times and memory of all jobs of a study, from their benchmark files."""

import glob
from collections.abc import Mapping, Sequence
from string import Formatter

import numpy as np
import pandas as pd

from cellseg.data.splits import SPLITS
from cellseg.io import benchmark_files
from cellseg.io.run_files import TRAIN
from cellseg.study.runs import Run, all_variants

NO_MODEL = "-"
"""In the column model, of jobs that prepare the data."""

OF_LABELS = ("score",)
"""Rules that are measured of runs whose cells another program found."""
OF_FUSION = ("fuse", "fuse_validation")
"""Rules for runs that are fused of others alone."""
AFTER_FUSION = (*OF_FUSION, "tune", "paint", "score")
"""Rules that are measured of such runs."""

COLUMNS = [
    *("rule", "model", "jobs", "missing", "seconds_median", "seconds_total"),
    *("max_rss_mib", "load_percent"),
]


def table(patterns: Mapping[str, str], study: Mapping, dataset: str) -> pd.DataFrame:
    """What the jobs of each rule and model took.

    Jobs of runs that the study does not have are left out. A file holds the last attempt of its
    job: of a training that was stopped and went on, the part after that.

    Parameters
    ----------
    patterns : name of a rule to the path of its benchmark files, with wildcards in braces
    study : the complete configuration
    dataset : name of the data set

    Returns
    -------
    DataFrame
        rule, model (:data:`NO_MODEL` for jobs on the data), jobs (that were measured), missing
        (jobs of the study's runs without a measurement), seconds_median and seconds_total (wall
        time), max_rss_mib (largest resident memory of a job, MiB), load_percent (mean over time
        of the processor load, per cent of one core). Rules in the order of `patterns`, models in
        that of the study.
    """
    rows = []
    for rule, pattern in patterns.items():
        measured: dict[str, list[dict[str, float] | None]] = {}
        for model, path in _jobs(rule, pattern, study, dataset):
            measured.setdefault(model, []).append(benchmark_files.read(path))
        rows += [{"rule": rule, "model": model, **_sum(jobs)} for model, jobs in measured.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def _jobs(rule: str, pattern: str, study: Mapping, dataset: str) -> list[tuple[str, str]]:
    """Model and benchmark file of each job; but for jobs of runs, of the existing ones."""
    names = [name for _, name, _, _ in Formatter().parse(pattern) if name]
    of_runs, of_tuning = "model" in names, "tuning" in names
    if of_runs:
        pattern = pattern.replace("tuning-{tuning}/", "{variant}")
        known = [
            {**vars(run), "variant": variant}
            for run, variant in all_variants(study)
            if run.dataset == dataset
            and (variant or not of_tuning)
            and _measured(rule, run, study.get("fused", ()))
        ]
        known.sort(key=lambda values: list(study["models"]).index(values["model"]))
    else:
        known = [
            {"dataset": dataset, "model": NO_MODEL, "tiling": tiling, "split": split}
            for tiling in sorted(study["tilings"])
            for split in SPLITS
        ]
    others = {name: "*" for name in names if name not in {*known[0], "tuning"}} if known else {}
    jobs: dict[str, str] = {}
    for values in known:
        paths = [pattern.format(**values, **others)]
        if others or not of_runs:
            escaped = {name: glob.escape(str(value)) for name, value in values.items()}
            paths = sorted(glob.glob(pattern.format(**escaped, **others)))
        jobs.update(dict.fromkeys(paths, values["model"]))
    return [(model, path) for path, model in jobs.items()]


def _measured(rule: str, run: Run, fused: Sequence[str]) -> bool:
    """Whether a rule has a measured job for a run; `fused` are models of family fusion."""
    if run.is_external:
        return rule in OF_LABELS
    if run.is_joined and rule == TRAIN.rule:
        return False
    return rule in AFTER_FUSION if run.model in fused else rule not in OF_FUSION


def _sum(jobs: list[dict[str, float] | None]) -> dict[str, float]:
    rows = pd.DataFrame(
        [job for job in jobs if job is not None], columns=["s", "max_rss", "mean_load"]
    )
    loaded = rows.dropna(subset="mean_load")
    weights = loaded["s"].to_numpy()
    load = np.average(loaded["mean_load"], weights=weights) if weights.sum() > 0 else np.nan
    return {
        "jobs": len(rows),
        "missing": len(jobs) - len(rows),
        "seconds_median": rows["s"].median(),
        "seconds_total": rows["s"].sum(),
        "max_rss_mib": rows["max_rss"].max(),
        "load_percent": load,
    }
