"""What a data set holds and what is wrong with it: counts, cell sizes, and one picture."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.files import replacing
from cellseg.source import SPLITS

SMALL, MEDIUM = 324, 961  # areas in pixels at which COCO scores of LIVECell are cut
COLOURS = {"train": "#0072B2", "val": "#E69F00", "test": "#009E73"}  # Okabe and Ito
SIZE_CLASSES = ("small", "medium", "large")


def write(
    images: Sequence[str | os.PathLike],
    cells: Sequence[str | os.PathLike],
    problems: str | os.PathLike,
    outputs: Mapping[str, str | os.PathLike],
    title: str,
) -> None:
    """Write the whole report.

    Parameters
    ----------
    images, cells : the tables of all splits, see :mod:`cellseg.cell_tables`
    problems : ``problems.csv`` of :func:`cellseg.annotations.parse`
    outputs : paths of ``counts``, ``problems``, ``sizes`` (CSV), ``png`` and ``pdf``
    title : name of the data set
    """
    image_table = pd.concat([pd.read_parquet(path) for path in images], ignore_index=True)
    columns = ["image", "cell_type", "area"]
    cell_table = pd.concat(
        [
            # the split of a cell is that of the table its image stands in
            pd.read_parquet(path, columns=columns).assign(split=split)
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
        with replacing(outputs[name]) as temporary:
            table.to_csv(temporary, index=False, float_format="%.4g")
    figure = draw(image_table, cell_table, title)
    for name, options in (
        ("png", {"dpi": 200, "metadata": {"Software": None}}),
        ("pdf", {"metadata": {"CreationDate": None}}),
    ):
        with replacing(outputs[name]) as temporary:
            figure.savefig(temporary, **options)


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
            size_class = np.bincount(_size_class(areas["area"]), minlength=3)
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
                    **dict(zip(SIZE_CLASSES, size_class, strict=True)),
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
    edges = _area_edges()
    place = np.clip(np.searchsorted(edges, cells["area"], side="right") - 1, 0, len(edges) - 2)
    keys = ["split", "cell_type", "bin"]
    table = cells.assign(bin=place).groupby(keys).size().rename("cells").reset_index()
    order = {split: rank for rank, split in enumerate(SPLITS)}
    table = table.sort_values(keys, key=lambda c: c.map(order) if c.name == "split" else c)
    table["area_from"], table["area_to"] = edges[table["bin"]], edges[table["bin"] + 1]
    return table[["split", "cell_type", "area_from", "area_to", "cells"]]


def draw(images: pd.DataFrame, cells: pd.DataFrame, title: str):
    """Draw images, cells an image and cell areas by cell type.

    Returns
    -------
    matplotlib.figure.Figure
        180 mm wide
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    types = sorted(images["cell_type"].unique())
    style = {
        "font.size": 7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 8,
        "axes.titlelocation": "left",
        "pdf.fonttype": 42,
        "svg.fonttype": "none",
    }
    with mpl.rc_context(style):
        height = 1.5 + 0.32 * max(len(types), 3)
        figure = Figure(figsize=(180 / 25.4, height), layout="constrained")
        figure.suptitle(_headline(images, cells, title), fontsize=8, x=0.01, ha="left")
        left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=(1, 1.1, 1.6))
        _draw_images(left, images, types)
        _draw_density(middle, images, types)
        _draw_areas(right, cells, types)
        left.set_yticks(range(len(types)), types)
        left.set_ylim(len(types) - 0.4, -0.6)
        for axes in (left, middle, right):
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
        splits = [split for split in SPLITS if split in set(images["split"])]
        handles = [mpl.patches.Patch(color=COLOURS[split], label=split) for split in splits]
        figure.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False)
    return figure


def _draw_images(axes, images: pd.DataFrame, types: list[str]) -> None:
    begin = np.zeros(len(types))
    for split in SPLITS:
        of_split = images[images["split"] == split]
        number = of_split["cell_type"].value_counts().reindex(types, fill_value=0).to_numpy()
        axes.barh(range(len(types)), number, 0.6, begin, color=COLOURS[split])
        begin += number
    for place, number in enumerate(begin):
        axes.annotate(
            f"{number:,.0f}",
            (number, place),
            (2, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
        )
    axes.set(title="Images", xlabel="number of images")
    axes.margins(x=0.15)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _draw_density(axes, images: pd.DataFrame, types: list[str]) -> None:
    random = np.random.default_rng(0)  # spreads the points so that they do not hide each other
    for place, cell_type in enumerate(types):
        some = images[(images["cell_type"] == cell_type) & (images["n_cells"] > 0)]
        at = place + random.uniform(-0.25, 0.25, len(some))
        colours = some["split"].map(COLOURS)
        few = len(images) < 500
        axes.scatter(
            some["n_cells"],
            at,
            8 if few else 2,
            c=colours,
            alpha=0.9 if few else 0.35,
            linewidths=0,
            rasterized=not few,
        )
        if len(some):
            axes.vlines(some["n_cells"].median(), place - 0.36, place + 0.36, color="black", lw=1)
    axes.set(title="Cells an image (line: median)", xlabel="number of cells", xscale="log")
    _plain_log_ticks(axes)


def _draw_areas(axes, cells: pd.DataFrame, types: list[str]) -> None:
    edges = _area_edges()
    for place, cell_type in enumerate(types):
        areas = cells.loc[cells["cell_type"] == cell_type, "area"].to_numpy()
        number, _ = np.histogram(np.clip(areas, edges[0], edges[-1]), edges)
        if len(areas) == 0:
            continue
        height = place + 0.38 - 0.85 * number / number.max()
        axes.stairs(height, edges, baseline=place + 0.38, fill=True, color="#8C8C8C")
        shares = np.bincount(_size_class(areas), minlength=3) / len(areas)
        for at, share in zip((0.04, 0.5, 0.96), shares, strict=True):
            axes.text(
                at,
                place - 0.36,
                f"{share:.0%}",
                transform=axes.get_yaxis_transform(),
                ha={0.04: "left", 0.5: "center", 0.96: "right"}[at],
                va="center",
                fontsize=6,
            )
    axes.set(title="Cell areas (% small, medium, large)", xlabel="area (pixels)", xscale="log")
    for cut in (SMALL, MEDIUM):
        axes.axvline(cut, color="#D55E00", lw=0.8, ls="--")
        axes.text(
            cut,
            1.0,
            f" {cut}",
            transform=axes.get_xaxis_transform(),
            color="#D55E00",
            fontsize=6,
            va="top",
        )
    _plain_log_ticks(axes)


def _plain_log_ticks(axes) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _headline(images: pd.DataFrame, cells: pd.DataFrame, title: str) -> str:
    parts = []
    for split in SPLITS:
        number = (images["split"] == split).sum(), (cells["split"] == split).sum()
        parts.append(f"{split} {number[0]:,} images, {number[1]:,} cells")
    return f"{title}: " + "; ".join(parts)


def _split_of(path: str | os.PathLike) -> str:
    return Path(path).name.partition(".")[0]


def _area_edges() -> np.ndarray:
    """Bin edges from 1 to 100,000 pixels, twenty a decade."""
    return np.logspace(0, 5, 101)


def _size_class(areas: np.ndarray) -> np.ndarray:
    return np.searchsorted((SMALL, MEDIUM), areas, side="right")
