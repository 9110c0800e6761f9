"""One picture of a data set: images, cells per image and cell areas by cell type."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellseg.data.splits import SPLITS
from cellseg.figures import marks, style
from cellseg.io.wording import number_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALL, MEDIUM = 324, 961  # areas in pixels at which COCO scores of LIVECell are cut
SIZE_CLASSES = ("small", "medium", "large")
COLOURS = {"train": style.BLUE, "val": style.ORANGE, "test": style.GREEN}
ROW = 7.0  # mm a cell type


def area_edges() -> np.ndarray:
    """Bin edges from 1 to 100,000 pixels, twenty a decade."""
    return np.logspace(0, 5, 101)


def size_class(areas: np.ndarray) -> np.ndarray:
    """0 for small, 1 for medium, 2 for large areas (pixels), as COCO scores of LIVECell."""
    return np.searchsorted((SMALL, MEDIUM), areas, side="right")


@style.styled
def draw(images: pd.DataFrame, cells: pd.DataFrame, title: str) -> "Figure":
    """Draw images, cells an image and cell areas by cell type.

    Parameters
    ----------
    images, cells : with the columns split and cell_type; n_cells of an image, area of a cell (px)
    title : name of the data set
    """
    types = sorted(images["cell_type"].unique(), key=str.lower)
    figure = style.new(style.DOUBLE_COLUMN, 24 + ROW * max(len(types), 3))
    left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=(1, 1.1, 1.3))
    _draw_images(left, images, types)
    _draw_density(middle, images, types)
    _draw_areas(right, cells, types)
    left.set_yticks(range(len(types)), types)
    left.set_ylim(len(types) - 0.4, -0.7)
    for axes in (left, middle, right):
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    splits = [split for split in SPLITS if split in set(images["split"])]
    keys = [marks.patch_key(COLOURS[split], split) for split in splits]
    keys.append(marks.line_key("median", color=style.BLACK, linewidth=1))
    cuts = {"linestyle": "--", "linewidth": 0.8, "color": style.VERMILLION}
    limits = f"LIVECell's limits of small, medium and large cells ({SMALL} and {MEDIUM} px)"
    keys.append(marks.line_key(limits, **cuts))
    note = (
        "Images of each split; true cells of each image with any; areas of true cells, with the "
        "share of small, medium and large ones."
    )
    return style.finish(figure, title, note, keys, subtitle=_headline(images, cells))


def _draw_images(axes, images: pd.DataFrame, types: list[str]) -> None:
    import seaborn as sns

    ordered = images.assign(cell_type=pd.Categorical(images["cell_type"], types))
    sns.histplot(
        ordered, y="cell_type", hue="split", hue_order=SPLITS[::-1], palette=COLOURS,
        multiple="stack", shrink=0.6, alpha=1, linewidth=0, legend=False, ax=axes,
    )  # fmt: skip
    for place, number in enumerate(ordered["cell_type"].value_counts(sort=False)):
        axes.annotate(
            f"{number:,.0f}",
            (number, place),
            (2, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL_SIZE,
        )
    axes.set(xlabel="images", ylabel="")
    axes.margins(x=0.15)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _draw_density(axes, images: pd.DataFrame, types: list[str]) -> None:
    import seaborn as sns

    random = np.random.default_rng(0)  # spreads the points so that they do not hide each other
    some = images[images["n_cells"] > 0]
    place = pd.Categorical(some["cell_type"], types).codes
    few = len(images) < 500
    if len(some):  # seaborn warns of none
        sns.scatterplot(
            x=some["n_cells"], y=place + random.uniform(-0.25, 0.25, len(some)), hue=some["split"],
            palette=COLOURS, s=8 if few else 2, alpha=0.9 if few else 0.35, linewidth=0,
            rasterized=not few, legend=False, ax=axes,
        )  # fmt: skip
    median = some.groupby(place)["n_cells"].median()
    axes.vlines(median, median.index - 0.36, median.index + 0.36, color="black", lw=1)
    axes.set(xlabel="cells an image (log scale)", ylabel="")
    axes.set(xscale="log", xlim=_decades(images.loc[images["n_cells"] > 0, "n_cells"]))
    _plain_log_ticks(axes)


def _draw_areas(axes, cells: pd.DataFrame, types: list[str]) -> None:
    edges = area_edges()
    columns = (1.11, 1.30, 1.44)  # right of the axes: share of each size class
    aside = {
        "transform": axes.get_yaxis_transform(),
        "fontsize": style.SMALL_SIZE,
        "va": "center",
        "ha": "right",
    }
    for at, name in zip(columns, SIZE_CLASSES, strict=True):
        axes.text(at, -0.62, name, **aside)
    for place, cell_type in enumerate(types):
        areas = cells.loc[cells["cell_type"] == cell_type, "area"].to_numpy()
        if len(areas) == 0:
            continue
        number, _ = np.histogram(np.clip(areas, edges[0], edges[-1]), edges)
        base = place + 0.38
        axes.stairs(
            base - 0.8 * number / number.max(),
            edges,
            baseline=base,
            fill=True,
            color=style.GREY,
            alpha=0.6,
            linewidth=0,
        )
        shares = np.bincount(size_class(areas), minlength=3) / len(areas)
        for at, share in zip(columns, shares, strict=True):
            axes.text(at, place, f"{share:.0%}", **aside)
    for cut in (SMALL, MEDIUM):
        axes.axvline(cut, color=style.VERMILLION, linewidth=0.8, linestyle="--")
    axes.set(xlabel="area of a cell (px, log scale)")
    axes.set(xscale="log", xlim=_decades(cells["area"], beyond=0.0025))
    _plain_log_ticks(axes)


def _decades(values: pd.Series, beyond: float = 0) -> tuple[float, float]:
    """Limits of a logarithmic axis for all values, but for a share `beyond` them on each side."""
    if len(values) == 0:
        return 10, 10_000
    low, high = np.quantile(values, (beyond, 1 - beyond))
    return max(low, 1) / 1.3, max(high, 10) * 1.3


def _plain_log_ticks(axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_xlim()
    wide = high / low > 50
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _headline(images: pd.DataFrame, cells: pd.DataFrame) -> str:
    parts = []
    for split in SPLITS:
        number = [int((table["split"] == split).sum()) for table in (images, cells)]
        parts.append(f"{split} {number_of(number[0], 'image')} with {number[1]:,} cells")
    return "; ".join(parts) + "."
