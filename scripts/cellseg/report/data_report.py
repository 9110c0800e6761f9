"""What a data set holds and what is wrong with it: counts, cell sizes, and one picture."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.data.splits import SPLITS
from cellseg.figures import data_overview, style
from cellseg.figures.data_overview import SIZE_CLASSES, area_edges, size_class
from cellseg.io import csv_file, made_files
from cellseg.report import figure_caption
from cellseg.study import ensembles as ensemble_checks


def write(
    images: Sequence[str | os.PathLike],
    cells: Sequence[str | os.PathLike],
    problems: str | os.PathLike,
    outputs: Mapping[str, str | os.PathLike],
    title: str,
    ensembles: Sequence[Mapping] = (),
    figure_text: bool = True,
) -> None:
    """Write the whole report.

    Parameters
    ----------
    images, cells : the tables of all splits, see :mod:`cellseg.data.annotation_tables`
    problems : ``problems.csv`` of :func:`cellseg.data.annotations.parse`
    outputs : paths of ``counts``, ``problems``, ``sizes`` (CSV), ``png``, ``pdf`` and ``caption``
    title : name of the data set
    ensembles : runs that are refused where the images do not suffice, see
        :mod:`cellseg.study.ensembles`
    figure_text : whether the picture has its title and note

    Raises
    ------
    UserError
        Of :func:`cellseg.study.ensembles.check_images`.
    """
    image_table = pd.concat([made_files.read_parquet(path) for path in images], ignore_index=True)
    ensemble_checks.check_images(ensembles, image_table)
    columns = ["image", "cell_type", "area"]
    cell_table = pd.concat(
        [
            # the split of a cell is that of its image's table
            made_files.read_parquet(path, columns=columns).assign(split=split)
            for path, split in zip(cells, map(_split_of, images), strict=True)
        ],
        ignore_index=True,
    )
    tables = {
        "counts": counts(image_table, cell_table),
        "problems": summarize_problems(pd.read_csv(problems)),
        "sizes": cell_sizes(cell_table),
    }
    for name, table in tables.items():
        csv_file.write(outputs[name], table, digits=4)
    with style.with_text(figure_text):
        figure = data_overview.draw(image_table, cell_table, title)
    figure_caption.write(figure, outputs["caption"])
    style.save(figure, [outputs["png"], outputs["pdf"]])


def counts(images: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Images and cells by split and cell type, and of all types (``all``).

    Returns
    -------
    DataFrame
        split, cell_type, images, cells, cells_per_image_mean, cells_per_image_max, incomplete
        (images known to be annotated in part only), area_median (pixels), and the number of cells
        that are small (under 324 pixels), medium and large (961 and more)
    """
    rows = []
    for split in [name for name in SPLITS if name in set(images["split"])]:
        of_split = images[images["split"] == split]
        for cell_type in ["all", *sorted(of_split["cell_type"].unique())]:
            some, areas = of_split, cells.loc[cells["split"] == split]
            if cell_type != "all":
                some = some[some["cell_type"] == cell_type]
                areas = areas[areas["cell_type"] == cell_type]
            in_class = np.bincount(size_class(areas["area"]), minlength=3)
            rows.append(
                {
                    "split": split,
                    "cell_type": cell_type,
                    "images": len(some),
                    "cells": len(areas),
                    "cells_per_image_mean": some["n_cells"].mean(),
                    "cells_per_image_max": some["n_cells"].max(),
                    "incomplete": some["incomplete"].sum(),
                    "area_median": areas["area"].median(),
                    **dict(zip(SIZE_CLASSES, in_class, strict=True)),
                }
            )
    return pd.DataFrame(rows)


def summarize_problems(problems: pd.DataFrame) -> pd.DataFrame:
    """Problems by split and kind: how many images and cells, what was done, and some examples."""
    columns = ["split", "problem", "action", "images", "cells", "examples"]
    rows = [
        (
            *key,
            len(group),
            int(group["cells"].sum()),
            " ".join(group["image"].dropna().astype(str).head(5)),
        )
        for key, group in problems.groupby(columns[:3], sort=False)
    ]
    return pd.DataFrame(rows, columns=columns)


def cell_sizes(cells: pd.DataFrame) -> pd.DataFrame:
    """Histogram of cell areas, twenty bins a decade.

    Returns
    -------
    DataFrame
        split, cell_type, area_from and area_to (pixels), cells; empty bins are left out
    """
    edges = area_edges()
    place = np.clip(np.searchsorted(edges, cells["area"], side="right") - 1, 0, len(edges) - 2)
    keys = ["split", "cell_type", "bin"]
    table = cells.assign(bin=place).groupby(keys).size().rename("cells").reset_index()
    order = {split: rank for rank, split in enumerate(SPLITS)}
    table = table.sort_values(keys, key=lambda c: c.map(order) if c.name == "split" else c)
    table["area_from"], table["area_to"] = edges[table["bin"]], edges[table["bin"] + 1]
    return table[["split", "cell_type", "area_from", "area_to", "cells"]]


def _split_of(path: str | os.PathLike) -> str:
    return Path(path).name.partition(".")[0]
