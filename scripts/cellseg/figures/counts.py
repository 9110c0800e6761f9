"""True against predicted numbers of cells, image by image."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.figures import marks, style
from cellseg.tables import conditions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Predicted against true number of cells an image"
LARGEST = 58.0  # mm of a side of a panel
MANY = 20  # from so many panels on, six are side by side
CROWDED, LAYERS = 100, 10  # images of a panel, and turns in which more of them are drawn
LOG_SPAN = 10  # numbers that span more than this are drawn on log scales


@style.styled
def counts(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """A point an image, one panel a condition, with the identity, bias and error.

    Parameters
    ----------
    tables : the tables ``images`` and ``runs`` of an experiment
    question : what the experiment asks, written below the title
    """
    images = conditions.select(tables["images"], cell_type=None)
    needed = [*conditions.AXES, "seed", "image", "cell_type", "n_true", "n_pred"]
    conditions.need(images, "images", needed)
    panels = conditions.unique(images, conditions.AXES)
    named = conditions.varying(images)
    kinds = sorted(images["cell_type"].dropna().unique(), key=str.lower)
    looks = {kind: _look(number) for number, kind in enumerate(kinds)}
    columns = min(len(panels), 4 if len(panels) <= MANY else 6)
    rows = -(-len(panels) // columns)
    width = style.SINGLE_COLUMN if len(panels) == 1 else style.DOUBLE_COLUMN
    inner = (width - 2 * style.MARGIN - 10) / columns - 3
    titles = [
        style.wrap(_title(images, dict(zip(conditions.AXES, panel, strict=True)), named), inner)
        for panel in panels
    ]
    side = min(inner, LARGEST)
    # A line of panels is as high as its longest heading asks for.
    above = [
        3.2 * max(text.count("\n") + 1 if text else 0 for text in titles[start : start + columns])
        for start in range(0, len(panels), columns)
    ]
    figure = style.new(width, rows * (side + 4) + sum(above) + 11)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        own = conditions.rows_of(images, **dict(zip(conditions.AXES, panels[number], strict=True)))
        _panel(axes, own, looks)
        axes.set_box_aspect(1)
        axes.set_title(titles[number], loc="left")
        if number % columns == 0:
            axes.set_ylabel("predicted cells")
        if number + columns >= len(panels):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("true cells")
            # Where the grid ends earlier, the labels lie in the place of the missing panel.
            axes.xaxis.set_in_layout(number // columns == rows - 1)
    log = _scales(grid[0, 0], images)
    number, several = conditions.seeds(images)
    drawn = conditions.interval(images)
    mean = f"mean over {number} ± half of the {drawn}" if drawn else conditions.no_interval(images)
    note = (
        conditions.constants(images)
        + f"Small objects {conditions.PRIMARY}. Each point is an image"
        + (", its prediction the mean over seeds. " if several else ". ")
        + "Dashed: as many predicted as true cells. Bias: mean over images of predicted less true "
        "cells. Error: mean over images of the absolute difference, in per cent of the true cells "
        "(images with any). "
        + (f"Both for each seed, then {mean}. " if several else "")
        + ("n: seeds. " if conditions.seeds_differ(images) else "")
        + ("Log scales." if log else "")
    )
    keys = [
        marks.line_key(kind, linestyle="", markersize=4, **look) for kind, look in looks.items()
    ]
    subtitle = conditions.subtitle(question, tables, images)
    style.finish(figure, TITLE, note, keys, subtitle=subtitle)
    for _ in range(4):  # with panels kept square, the layout needs a few rounds to settle
        figure.draw_without_rendering()
    return figure


def _title(images: "pd.DataFrame", here: Mapping[str, str], named: list[str]) -> str:
    """Heading of a panel, with its number of seeds where panels differ in it."""
    name = conditions.label(here, named, "\n")
    if not conditions.seeds_differ(images):
        return name
    return conditions.with_seeds(name, conditions.rows_of(images, **here))


def _look(number: int) -> dict[str, object]:
    """Colour and marker of a cell type, hollow where the colours have all been used."""
    colours, markers = style.SERIES_COLOURS, style.SERIES_MARKERS
    colour = colours[number % len(colours)]
    turn = number // len(colours)
    return {
        "color": colour,
        "marker": markers[(number + turn) % len(markers)],
        "markerfacecolor": "none" if turn % 2 else colour,
        "markeredgewidth": 0.5,
    }


def _panel(axes: "Axes", images: "pd.DataFrame", looks: Mapping[str, dict]) -> None:
    """Points, identity and numbers of one condition."""
    axes.axline((1, 1), (2, 2), color=style.GREY, linewidth=0.8, linestyle="--", zorder=1)
    mean = images.groupby(["image", "cell_type"], sort=True, as_index=False)[
        ["n_true", "n_pred"]
    ].mean()
    size = marks.point_size(len(mean))
    of_kinds = [(conditions.rows_of(mean, cell_type=kind), look) for kind, look in looks.items()]
    # Of many images in turn, or the last cell type would hide the others.
    layers = LAYERS if len(mean) > CROWDED else 1
    for layer in range(layers):
        for rows, look in of_kinds:
            part = rows.iloc[layer::layers]
            axes.plot(
                part["n_true"], part["n_pred"], linestyle="", markersize=size, alpha=0.75,
                zorder=2, rasterized=len(mean) > 2000, **look,
            )  # fmt: skip
    difference = images["n_pred"] - images["n_true"]
    relative = 100 * difference.abs() / images["n_true"].where(images["n_true"] > 0)
    of_seeds = images.assign(bias=difference, error=relative).groupby("seed")[["bias", "error"]]
    of_seeds = of_seeds.mean()
    text = f"bias {_written(of_seeds['bias'], '+')}\nerror {_written(of_seeds['error'])} %"
    axes.text(
        0.04, 0.97, text, transform=axes.transAxes, va="top", size=style.SMALL_SIZE,
        linespacing=style.LINE_SPACING,
    )  # fmt: skip


def _written(values: "pd.Series", sign: str = "") -> str:
    """Mean over seeds and half of its interval, with the digits that mean something."""
    mean, low, high = conditions.over_seeds(values)
    if not math.isfinite(mean):
        return "n/a"
    digits = 1 if abs(mean) < 100 else 0
    half = f" ± {(high - low) / 2:,.{digits}f}" if math.isfinite(high - low) else ""
    return f"{mean:{sign},.{digits}f}".replace("-", "\N{MINUS SIGN}") + half


def _scales(axes: "Axes", images: "pd.DataFrame") -> bool:
    """Give both axes the same scale; True if it is logarithmic."""
    numbers = images.groupby([*conditions.AXES, "image"])[["n_true", "n_pred"]].mean()
    highest = float(numbers.max().max())
    positive = numbers[numbers > 0].min().min()
    log = positive == positive and highest > LOG_SPAN * positive
    # Room above for the numbers in the corner.
    if not log:
        limits = (-0.03 * max(highest, 1), 1.15 * max(highest, 1))
    elif (numbers == 0).any().any():
        limits = (-0.15, 3 * highest)
    else:
        limits = (positive / 1.4, 3 * highest)
    for axis, set_scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        if log and limits[0] < 0:
            set_scale("symlog", linthresh=1, linscale=0.4)
        elif log:
            set_scale("log")
        if log:
            from matplotlib.ticker import NullLocator

            axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:,.0f}")
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    return bool(log)
