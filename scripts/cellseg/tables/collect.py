"""The tables of an experiment: images, runs, conditions (summary), histories and cell sizes."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cellseg.errors import UserError
from cellseg.io import made_files, run_files, run_format
from cellseg.scoring import by_size, names, pooled_pixels
from cellseg.scoring.names import ALL_TYPES, NO_TUNING
from cellseg.segmentation import by_cell_type
from cellseg.tables import read
from cellseg.tables.intervals import t_interval
from cellseg.training import start

RUN = list(names.CONDITION)
GROUP = ["data_split", "cell_type", "small_objects"]
TOTALS = [*names.COUNTS, *names.SIZES]
"""Columns that are summed over the images of a run; all other scores are averaged."""


def images(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Rows of all ``metrics.csv`` one below the other, in the order given.

    Raises
    ------
    UserError
        A file lacks a column, or there is none.
    """
    if not paths:
        raise UserError("the experiment has no runs: there is nothing to collect.")
    needed = [*RUN, *GROUP, "image", *names.COLUMNS, *pooled_pixels.COUNTS]
    return pd.concat([read.read(path, needed) for path in paths], ignore_index=True)


def per_run(images: pd.DataFrame) -> pd.DataFrame:
    """One row a run, cell type and value of small_objects; cell type "all" holds every image.

    Scores are means over images, each image counting the same however many cells it has; images
    without true cells have no score and are left out. Numbers of cells and of errors are sums over
    all images.

    Parameters
    ----------
    images : rows of ``metrics.csv``

    Returns
    -------
    DataFrame
        The run's columns, data_split, cell_type ("all" first), small_objects, n_images (those with
        true cells, which means are over) and :data:`cellseg.scoring.names.COLUMNS`. Runs are in the
        order in which they first occur.
    """
    types = [ALL_TYPES, *sorted(images["cell_type"].unique())]
    images = images.assign(n_images=images["n_true"] > 0)
    both = pd.concat([images.assign(cell_type=ALL_TYPES), images], ignore_index=True)
    keys = [*RUN, *GROUP]
    how = {name: "sum" if name in TOTALS else "mean" for name in names.COLUMNS}
    rows = both.groupby(keys, sort=False).agg({"n_images": "sum", **how}).reset_index()
    return _ordered(rows, RUN, types)


def with_pooled_pixels(runs: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Put the pixel scores of all images together next to the means over images.

    Parameters
    ----------
    runs : from :func:`per_run`
    images : rows of ``metrics.csv`` of the same runs

    Returns
    -------
    DataFrame
        With ``SCORES`` of :mod:`cellseg.scoring.pooled_pixels`, of all images of a row's run,
        cell type and value of small_objects.
    """
    keys = [*RUN, *GROUP]
    both = pd.concat([images.assign(cell_type=ALL_TYPES), images], ignore_index=True)
    counts = both.groupby(keys)[list(pooled_pixels.COUNTS)].sum()
    pooled = pooled_pixels.pooled_scores(counts).reset_index()
    return runs.merge(pooled, how="left", on=keys, validate="one_to_one")


def with_coco(runs: pd.DataFrame, paths: Sequence[str | Path]) -> pd.DataFrame:
    """Put the COCO scores next to the others of each run, cell type and value of small_objects.

    Parameters
    ----------
    runs : from :func:`per_run`
    paths : ``coco.csv`` of the same runs

    Raises
    ------
    UserError
        A row of `runs` has no COCO scores.
    """
    keys = [*RUN, *GROUP]
    needed = [*keys, *names.COCO_SCORES]
    coco = pd.concat([read.read(path, needed) for path in paths], ignore_index=True)
    both = runs.merge(coco[needed], how="left", on=keys, validate="one_to_one", indicator=True)
    if (both["_merge"] != "both").any():
        run = both.loc[both["_merge"] != "both", RUN].iloc[0].tolist()
        raise UserError(
            f"{run_files.COCO} of run {run} does not belong to its {run_files.METRICS}. "
            "Score again."
        )
    return both.drop(columns="_merge")


def with_segmentation(runs: pd.DataFrame, paths: Sequence[str | Path]) -> pd.DataFrame:
    """Put the settings with which the cells of each run were found next to its scores.

    Parameters
    ----------
    runs : from :func:`per_run`
    paths : ``segmentation.json`` of the same runs

    Returns
    -------
    DataFrame
        With the columns tuning, the entry of the configuration's `threshold_searches` that chose
        the settings or :data:`cellseg.scoring.names.NO_TUNING`, tuned_by, ``cell-type`` if it chose
        by cell type, else the same, ``method`` and one for each setting. A row of a cell type has
        the settings of that type. That of all types lacks those in which its types differ.
    """
    needed = "tuning", "condition", "segmentation"
    contents = [run_format.read(path, *needed) for path in paths]
    keys = [*RUN, "cell_type"]
    scored = runs[keys].drop_duplicates()
    rows = []
    for content in contents:
        condition = content["condition"]
        own = (scored[RUN] == pd.Series(condition)[RUN]).all(axis="columns")
        types = scored.loc[own, "cell_type"]
        tuned_by = by_cell_type.CELL_TYPE if by_cell_type.KEY in content else NO_TUNING
        about = {"tuning": content["tuning"] or NO_TUNING, "tuned_by": tuned_by}
        by_type = content.get(by_cell_type.KEY, {})
        settings = {name: by_type.get(name, content["segmentation"]) for name in types}
        used = [one for name, one in settings.items() if name != ALL_TYPES]
        settings[ALL_TYPES] = by_cell_type.value_of_all(used or [content["segmentation"]])
        rows += [{**condition, "cell_type": name, **about, **one} for name, one in settings.items()]
    return runs.merge(pd.DataFrame(rows), how="left", on=keys, validate="many_to_one")


def sizes(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Rows of all ``sizes.csv`` one below the other, in the order given.

    Raises
    ------
    UserError
        A file lacks a column.
    """
    needed = [*RUN, *GROUP, *by_size.COLUMNS]
    return pd.concat([read.read(path, needed) for path in paths], ignore_index=True)


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation and 95 % interval over the seeds of each condition.

    The interval is Student's t of the mean over seeds: it says how far another few trainings
    may land, not how far other images may.

    Parameters
    ----------
    runs : from :func:`per_run`, with or without pooled pixel scores and COCO scores

    Returns
    -------
    DataFrame
        dataset, model, heads, subset, tuning (if `runs` has it), data_split, cell_type,
        small_objects, n_seeds, n_images (of a seed; the fewest where seeds differ), then of every
        score ``<name>_mean``, ``<name>_std``
        (n - 1 in the denominator), ``<name>_low`` and ``<name>_high``. With one seed the last three
        are NaN.
    """
    condition = [*RUN[:-1], *(["tuning"] if "tuning" in runs else [])]
    groups = runs.groupby([*condition, *GROUP], sort=False)
    known = [*names.COLUMNS, *pooled_pixels.SCORES, *names.COCO_SCORES]
    scores = [name for name in known if name in runs]
    parts = t_interval(groups[scores])
    statistics = pd.concat([part.add_suffix(f"_{name}") for name, part in parts.items()], axis=1)
    table = pd.DataFrame(
        {"n_seeds": groups["seed"].nunique(), "n_images": groups["n_images"].min()}
    )
    table = table.reset_index().join(
        statistics[[f"{score}_{name}" for score in scores for name in parts]].reset_index(drop=True)
    )
    types = list(dict.fromkeys([ALL_TYPES, *sorted(runs["cell_type"].unique())]))
    return _ordered(table, condition, types)


def training(
    metric_files: Sequence[str | Path],
    histories: Sequence[str | Path],
    settings: Sequence[str | Path],
    provenance: Sequence[str | Path],
) -> pd.DataFrame:
    """Histories of all runs one below the other, with the condition and facts of each run.

    Parameters
    ----------
    metric_files, histories, settings, provenance : of the same runs in the same order
        The condition is read from the first row of ``metrics.csv``.

    Returns
    -------
    DataFrame
        dataset, model, heads, subset, seed, the columns of ``history.csv``, then backbone
        (or architecture), parameters (number of weights), device, train_images (number),
        train_cells (annotated in these), synthetic_images, pseudo_images and pseudo_cells (numbers
        besides those: of synthetic images, of images with pseudo-labels and of their cells, 0 where
        a run records none), cell_types, those of the subset joined by "+", empty for all, fraction
        (of the subset), location and weights (of the model: whether it has the layer, and the entry
        of `pretrained` that it starts from), and validation, how the subset chooses its validation
        images. Another fact that a run does not record is empty.

    Raises
    ------
    UserError
        The lists differ in length, or a history lacks its epochs.
    """
    lists = metric_files, histories, settings, provenance
    if len({len(paths) for paths in lists}) != 1:
        raise UserError(
            "metrics, histories, settings and provenance must be one file each a run; got "
            f"{', '.join(str(len(paths)) for paths in lists)}."
        )
    tables = []
    for metric_file, history, setting, origin in zip(*lists, strict=True):
        condition = read.read(metric_file, RUN).loc[0, RUN]
        table = read.read(history, ["epoch"])
        for position, axis in enumerate(RUN):
            table.insert(position, axis, condition[axis])
        tables.append(
            table.assign(**_facts(run_format.read(setting), made_files.read_json(origin)))
        )
    if not tables:  # all cells were found by other programs
        facts = _facts({}, {}).keys()
        return pd.DataFrame(columns=[*RUN, "epoch", *facts])
    return pd.concat(tables, ignore_index=True)


def _facts(settings: dict, provenance: dict) -> dict[str, object]:
    train_images = provenance.get("train_images")
    pseudo = provenance.get(start.OF_PSEUDO, {})
    model, subset = settings.get("model", {}), settings.get("subset", {})
    return {
        "backbone": model.get("backbone", model.get("architecture")),
        "parameters": provenance.get("parameters"),
        "device": provenance.get("device"),
        "train_images": len(train_images) if isinstance(train_images, list) else train_images,
        "train_cells": provenance.get("train_cells"),
        "synthetic_images": provenance.get("synthetic_images", 0),
        **{f"pseudo_{name}": pseudo.get(name, 0) for name in ("images", "cells")},
        "cell_types": "+".join(subset.get("cell_types", [])),
        "fraction": subset.get("fraction"),
        "location": model.get("location"),
        "weights": model.get("weights"),
        "validation": subset.get("validation"),
    }


def _ordered(rows: pd.DataFrame, run: list[str], types: list[str]) -> pd.DataFrame:
    """Rows by run as they first occur, then split, cell type as in `types`, small objects."""
    order = rows.groupby(run, sort=False).ngroup()
    place = rows["cell_type"].map({name: position for position, name in enumerate(types)})
    keys = pd.DataFrame({"run": order, "split": rows["data_split"], "type": place})
    keys["small"] = rows["small_objects"]
    return rows.loc[keys.sort_values(list(keys), kind="stable").index].reset_index(drop=True)
