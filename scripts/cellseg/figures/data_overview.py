"""One picture of a data set: images, cells per image and cell areas by cell type."""

import numpy as np
import pandas as pd

from cellseg.data.splits import SPLITS
from cellseg.io.wording import number_of

SMALL, MEDIUM = 324, 961  # areas in pixels at which COCO scores of LIVECell are cut
SIZE_CLASSES = ("small", "medium", "large")
COLOURS = {"train": "#0072B2", "val": "#E69F00", "test": "#009E73"}  # Okabe and Ito


def area_edges() -> np.ndarray:
    """Bin edges from 1 to 100,000 pixels, twenty a decade."""
    return np.logspace(0, 5, 101)


def size_class(areas: np.ndarray) -> np.ndarray:
    """0 for small, 1 for medium, 2 for large areas (pixels), as COCO scores of LIVECell."""
    return np.searchsorted((SMALL, MEDIUM), areas, side="right")


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
        handles = [mpl.patches.Patch(color=COLOURS[split], label=split) for split in splits]
        figure.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False)
    return figure


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
            fontsize=6,
        )
    axes.set(title="Images", xlabel="number of images", ylabel="")
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
    axes.set(title="Cells per image", xlabel="number of cells (line: median)", ylabel="")
    axes.set(xscale="log", xlim=_decades(images.loc[images["n_cells"] > 0, "n_cells"]))
    _plain_log_ticks(axes)


def _draw_areas(axes, cells: pd.DataFrame, types: list[str]) -> None:
    edges = area_edges()
    columns = (1.11, 1.30, 1.44)  # right of the axes: share of each size class
    aside = {"transform": axes.get_yaxis_transform(), "fontsize": 6, "va": "center", "ha": "right"}
    for at, name in zip(columns, SIZE_CLASSES, strict=True):
        axes.text(at, -0.62, name, **aside)
    for place, cell_type in enumerate(types):
        areas = cells.loc[cells["cell_type"] == cell_type, "area"].to_numpy()
        if len(areas) == 0:
            continue
        number, _ = np.histogram(np.clip(areas, edges[0], edges[-1]), edges)
        base = place + 0.38
        axes.stairs(
            base - 0.8 * number / number.max(), edges, baseline=base, fill=True, color="#8C8C8C"
        )
        shares = np.bincount(size_class(areas), minlength=3) / len(areas)
        for at, share in zip(columns, shares, strict=True):
            axes.text(at, place, f"{share:.0%}", **aside)
    for cut in (SMALL, MEDIUM):
        axes.axvline(cut, color="#D55E00", lw=0.8, ls="--")
    axes.set(title="Cell areas", xlabel=f"area (pixels; cuts at {SMALL} and {MEDIUM})")
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


def _headline(images: pd.DataFrame, cells: pd.DataFrame, title: str) -> str:
    parts = []
    for split in SPLITS:
        number = [int((table["split"] == split).sum()) for table in (images, cells)]
        parts.append(f"{split} {number_of(number[0], 'image')} with {number[1]:,} cells")
    return f"{title}: " + "; ".join(parts)
