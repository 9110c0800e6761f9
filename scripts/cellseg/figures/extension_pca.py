"""Real and synthetic images on two principal components, and how far apart they are."""

from typing import TYPE_CHECKING

import numpy as np

from cellseg.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 3  # features that an axis names


@style.styled
def extension_pca(
    table: "pd.DataFrame",
    loadings: "pd.DataFrame",
    shares: np.ndarray,
    distances: "pd.DataFrame",
    title: str,
) -> "Figure":
    """Images on the first two components, next to distances and their null distribution.

    Parameters
    ----------
    table : image, cell_type, kind (``real`` or ``synthetic``), component_1 and component_2
    loadings : a row a feature, a column a component (1, 2)
    shares : ndarray of shape (2,), of the variance of the real images
    distances : of :func:`cellseg.synthesis.comparison.distances`
    title : of the figure
    """
    types = sorted(table["cell_type"].unique())
    figure = style.new(style.DOUBLE_COLUMN, 78)
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    keys = _scatter(left, table, types)
    for name, place in (("x", 0), ("y", 1)):
        text = f"component {place + 1}, {shares[place]:.0%} of the variance\n"
        text += _strongest(loadings.iloc[:, place])
        getattr(left, f"set_{name}label")(text)
    _distances(right, distances)
    counts = table["kind"].value_counts()
    note = (
        f"{counts['real']} real and {counts['synthetic']} synthetic images. Components of "
        f"{len(loadings)} standardised features of the real images; the axes name those that "
        f"count most. {explained(distances)} Density is meant to differ: synthetic images show "
        "cultures earlier and later."
    )
    return style.finish(figure, title, note, keys, gap=0.05)


def _scatter(axes: "Axes", table: "pd.DataFrame", types: list[str]) -> list:
    from matplotlib.lines import Line2D

    few = len(table) < 400
    keys = []
    for number, cell_type in enumerate(types):
        colour = style.SERIES_COLOURS[number % len(style.SERIES_COLOURS)]
        marker = style.SERIES_MARKERS[number % len(style.SERIES_MARKERS)]
        for kind in ("synthetic", "real"):
            rows = table[(table["cell_type"] == cell_type) & (table["kind"] == kind)]
            real = kind == "real"
            axes.scatter(
                rows["component_1"],
                rows["component_2"],
                (42 if real else 14) if few else (14 if real else 5),
                marker=marker,
                facecolor=colour if real else "none",
                edgecolor="white" if real else colour,
                linewidth=0.6,
                alpha=1 if few else 0.6,
                zorder=3 if real else 2,
                rasterized=not few,
            )
        keys.append(Line2D([], [], ls="", marker=marker, color=colour, label=cell_type))
    grey = {"ls": "", "marker": "o", "color": style.GREY}
    keys += [
        Line2D([], [], **grey, markersize=5, label="real"),
        Line2D([], [], **grey, markersize=3.5, fillstyle="none", label="synthetic"),
    ]
    axes.grid(True)
    return keys


def _strongest(loadings: "pd.Series") -> str:
    """The features that count most on an axis, with the direction of each."""
    order = loadings.abs().sort_values(ascending=False, kind="stable").index[:NAMED]
    signs = ["\N{MINUS SIGN}" if loadings[name] < 0 else "+" for name in order]
    return ", ".join(
        f"{sign} {name.replace('_', ' ')}" for sign, name in zip(signs, order, strict=True)
    )


def explained(distances: "pd.DataFrame") -> str:
    """What the energy distance and the bar behind it are."""
    first = distances[distances["cell_type"] == "all"].iloc[0]
    real, synthetic = first["real_images_compared"], first["synthetic_images_compared"]
    drawn = (real, synthetic) != (first["real_images"], first["synthetic_images"])
    text = "Energy distance between real and synthetic images"
    text += f" ({real} and {synthetic} of them, drawn at random)" if drawn else ""
    text += (
        ", unbiased: about 0 where they are alike. Each synthetic image is made of one real image, "
        "so pairs of an image with what is made of it, or of one source, are left out. "
    )
    if np.isnan(first["exchanged_95"]):
        return text + "So few images do not show how much of it is chance."
    return text + (
        "Bar and p: chance, where it is drawn which of a real image and those made of it is the "
        "real one (5th to 95th percentile; share of draws with as large a distance)."
    )


def _distances(axes: "Axes", distances: "pd.DataFrame") -> None:
    """Energy distances of all cell types by group of features, over those of exchanges."""
    rows = distances[distances["cell_type"] == "all"].reset_index(drop=True)
    for place, row in rows.iterrows():
        low, high = row["exchanged_5"], row["exchanged_95"]
        text = f"{row['energy_distance']:.3f}".replace("-", "\N{MINUS SIGN}")
        if not np.isnan(high):
            axes.barh(place, high - low, 0.5, left=low, color=style.LIGHT_GREY)
            text += f"\np = {row['exchanged_p']:.3f}"
        axes.plot(
            row["energy_distance"], place, "o", color=style.VERMILLION, markersize=5, zorder=3
        )
        axes.annotate(
            text,
            (row["energy_distance"], place),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL_SIZE,
        )
    axes.axvline(0, color=style.GREY, linewidth=0.6)
    axes.set_yticks(range(len(rows)), [f"{name} features" if name == "all" else name
                                       for name in rows["features"]])  # fmt: skip
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.use_sticky_edges = False  # a bar may be what reaches furthest
    axes.margins(x=0.12)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("energy distance, real to synthetic")
