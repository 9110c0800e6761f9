"""The sections of the front page but for provenance: data, experiments, scores, times, places."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cellseg.data import kinds
from cellseg.io.wording import number_of
from cellseg.report import origins, scores
from cellseg.report.markup import bullets, code, heading, table, text
from cellseg.study import runs as studies
from cellseg.tables.glossary import NOT_KNOWN, remarks
from cellseg.tables.intervals import ENOUGH_SEEDS

OTHER_IMAGES = {"synthetic_images": "synthetic", "pseudo_images": "with pseudo-labels"}
"""Columns of training images that nobody annotated, in words."""


def data(study: Mapping, dataset: str, counts: pd.DataFrame) -> str:
    """Images and cells of each split."""
    label = kinds.of(study["datasets"][dataset]).label
    subsample = study["scoring"]["subsample"]
    thinned = f"; one image in {subsample} is scored" if subsample > 1 else ""
    rows = [
        [
            text(row["split"]),
            f"{row['images']:,.0f}",
            f"{row['cells']:,.0f}",
            f"{row['cells_per_image_mean']:,.0f}",
            f"{row['area_median']:,.0f}",
            text(", ".join(_types(counts, row["split"]))),
        ]
        for row in counts[counts["cell_type"] == "all"].to_dict("records")
    ]
    names = ["split", "images", "cells", "cells an image", "median area, px", "cell types"]
    return f"Data set {code(dataset)}: {label}{thinned}.\n\n{table(names, rows, 'counts')}"


def _types(counts: pd.DataFrame, split: str) -> list[str]:
    return [t for t in counts.loc[counts["split"] == split, "cell_type"] if t != "all"]


def experiments(
    study: Mapping, summaries: Sequence[scores.Scores], provenance: pd.DataFrame
) -> str:
    """What was compared, and on how many images the networks were trained."""
    images = provenance.set_index(["dataset", *studies.AXES])
    rows = []
    for one in summaries:
        runs = studies.runs_of(study, one.experiment)
        rows.append(
            [
                text(one.experiment),
                text(study["experiments"][one.experiment]["title"]),
                f"{len(runs):,}",
                text(", ".join(dict.fromkeys(run.model for run in runs))),
                _trained_on(images.loc[[tuple(vars(run).values()) for run in runs]]),
                text(_seeds(runs)),
            ]
        )
    names = ["experiment", "question", "runs", "models", "training images", "seeds"]
    several = " (a run that two experiments share is trained once)" if len(rows) > 1 else ""
    networks = number_of(len(provenance), "network")
    return (
        f"{networks} trained{several}, in {number_of(len(rows), 'experiment')}.\n\n"
        f"{table(names, rows, 'experiments')}"
    )


def _trained_on(provenance: pd.DataFrame) -> str:
    """Numbers of training images of some runs, such as ``4`` or ``4 + 0 to 20 synthetic``."""
    said = _range(provenance["train_images"].tolist())
    for column, words in OTHER_IMAGES.items():
        numbers = provenance[column].tolist()
        said += f" + {_range(numbers)} {words}" if any(numbers) else ""
    return said


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _seeds(runs: Sequence[studies.Run]) -> str:
    seeds = sorted({run.seed for run in runs})
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def scores_note(study: Mapping, summaries: Sequence[scores.Scores]) -> str:
    """Over what the values are means, and the signs next to them."""
    drawn = any(one.intervals for one in summaries)
    interval = "; ± is half of the 95 % t interval of that mean" if drawn else ""
    threshold = study["scoring"]["min_size"]
    return (
        f"Values are means over seeds{interval}. With fewer than {ENOUGH_SEEDS} seeds there is no "
        f"interval. All cells count; scores without objects under {threshold} pixels are in the "
        "tables. Scores are explained below.\n"
    )


def meanings(study: Mapping) -> str:
    """What the scores are, with the columns of the tables that hold them."""
    said = bullets(
        [
            f"**{text(score.heading)}** ({code(score.name)}): {text(score.meaning)}"
            for score in scores.SCORES
        ]
    )
    entries = [study["segmentation"], *study["segmentation_by_heads"].values()]
    methods = {entry["method"]: () for entry in entries}
    over = remarks(scores.SCORES, lambda score: score.heading, methods)
    return f"{said}\n{text(over)}\n"


def scores_of(study: Mapping, one: scores.Scores, folder: Path) -> str:
    """The conditions of one experiment with their scores."""
    path = folder / "tables" / one.experiment / one.table
    rule, of_folds = "collect", ""
    if one.table != "summary.csv":
        rule, of_folds = "pool_folds", f" {code('runs.csv')} has AP50, by fold."
    names = [*one.axes, "seeds", *(score.heading for score in scores.SCORES)]
    rows = [[text(cell) for cell in row] for row in one.rows]
    return "\n".join(
        [
            heading(f"{one.experiment}: {study['experiments'][one.experiment]['title']}", 2),
            f"Scored on {one.measured_on}. {text(one.shared)} All scores, also by cell type: "
            f"{code(path)} (rule *{rule}*).{of_folds}\n",
            table(names, rows, "scores"),
        ]
    )


def trainings(provenance: pd.DataFrame) -> str:
    """Steps, tiles seen and hours of the trainings of each model on each device.

    Parameters
    ----------
    provenance : from :func:`cellseg.report.origins.table`; runs that record no steps are left out
    """
    known = provenance.dropna(subset=list(origins.TRAINING)).astype(
        dict.fromkeys(origins.TRAINING, float)
    )
    if known.empty:
        return ""
    rows = [
        [
            text(model),
            text(device),
            f"{len(runs):,}",
            f"{runs['steps'].sum():,.0f}",
            f"{runs['tiles_seen'].sum():,.0f}",
            f"{1000 * runs['seconds_of_epochs'].sum() / runs['steps'].sum():,.0f}",
            f"{runs['seconds_of_epochs'].sum() / 3600:,.2f}",
        ]
        for (model, device), runs in known.groupby(["model", "device"], sort=False, dropna=False)
    ]
    hours = known["seconds_of_epochs"].sum() / 3600
    on_gpus = known.loc[known["device"] != "cpu", "seconds_of_epochs"].sum() / 3600
    names = ["model", "device", "runs", "steps", "tiles seen", "ms a step", "hours"]
    return (
        f"{number_of(len(known), 'training')} took {hours:,.2f} hours, {on_gpus:,.2f} of them "
        "GPU-hours. Times include validation and waiting for data, of all attempts.\n\n"
        f"{table(names, rows, 'trainings')}"
    )


def resources(resources: pd.DataFrame, folder: Path) -> str:
    """What the jobs took, from the table of :mod:`cellseg.report.resources`."""
    rows = [
        [
            code(row["rule"]),
            text(row["model"]),
            f"{row['jobs']:,.0f}",
            text(duration(row["seconds_median"])),
            text(duration(row["seconds_total"])),
            text(_number(row["max_rss_mib"], ",.0f")),
            # A load of zero: it was over before it could be measured.
            text(_number(row["load_percent"] or float("nan"), ".0f")),
        ]
        for row in resources[resources["jobs"] > 0].to_dict("records")
    ]
    names = [
        *("rule", "model", "jobs", "median time", "total time"),
        *("largest memory, MiB", "CPU load, %"),
    ]
    missing = int(resources["missing"].sum())
    left_out = (
        f" {number_of(missing, 'job')} of the study's runs left no measurement and "
        f"{'is' if missing == 1 else 'are'} not counted."
        if missing
        else ""
    )
    note = (
        "Wall time, largest resident memory of a job, and mean load (100 % is one busy core), from "
        "the benchmark files of the rules. Of a job that was stopped and went on, the last attempt "
        f"counts; memory of GPUs is not measured.{left_out} As numbers: "
        f"{code(folder / 'tables' / 'resources.csv')}."
    )
    return f"{note}\n\n{table(names, rows, 'resources')}"


def duration(seconds: float) -> str:
    """A time for reading, such as ``3.2 s``, ``4 min 10 s`` or ``12 h 5 min``."""
    if seconds != seconds:
        return NOT_KNOWN
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60} min"


def _number(value: float, style: str) -> str:
    return NOT_KNOWN if value != value else format(value, style)


def places(study: Mapping, dataset: str, folder: Path) -> str:
    """Files of the study, by what one looks for."""
    axes = "/".join(f"<{axis}>" for axis in ("model", "heads", "subset"))
    tunings = sorted({variant for _, variant in studies.all_variants(study) if variant})
    items = [
        f"{_folder(folder / 'tables/<experiment>')}: {code('images.csv')} (a row an image), "
        f"{code('runs.csv')}, {code('summary.csv')} (over seeds), {code('training.csv')}",
        f"{_folder(folder / 'figures/<experiment>')}: each figure as PDF and PNG",
        f"{_folder(folder / f'runs/{axes}/seed-<seed>')}: weights, history, settings, cells, "
        "scores, overlay, learning curve, logs and measurements of a run",
        *(f"{code(f'…/seed-<seed>/{one}')}: the same run with tuned thresholds" for one in tunings),
        f"{_folder(folder.parent / 'data' / dataset / 'report')}: counts, cell sizes and problems "
        "of the data",
        f"{_folder(folder.parent / 'logs')}: what the rules printed that belong to no single run",
    ]
    return bullets(items)


def _folder(path: Path) -> str:
    return code(f"{path}/")
