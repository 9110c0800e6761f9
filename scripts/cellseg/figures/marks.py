"""Marks shared by figures: bars with intervals and seeds, keys of a legend, a range for scores."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cellseg.figures import style
from cellseg.tables import conditions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SEED_SIZE = 3.5  # area of a seed's point, square points
NUMBERS = "Numbers at the foot of bars: seeds. "
"""What :func:`numbers` writes, for a note."""
WHISKER = {"elinewidth": 0.8, "capsize": 2, "capthick": 0.8}  # points


def bars(
    axes: "Axes",
    table: "pd.DataFrame",
    width: float,
    colours: Mapping[str, str],
    horizontal: bool = False,
    highest: float = 1.0,
) -> None:
    """Draw means over seeds as bars, their intervals as whiskers and single seeds as points.

    Whiskers are cut at 0 and at `highest`.

    Parameters
    ----------
    table : a row a seed of a bar: ``at`` (place of the bar), ``value``, ``series`` and ``seed``
    width : of a bar, in units of ``at``
    colours : of each series
    highest : that a value can be
    """
    import numpy as np
    import seaborn as sns

    known = table.dropna(subset="value").sort_values(["at", "seed"])
    gaps = np.diff(known["at"].unique())
    unit = gaps.min() if len(gaps) else 1.0  # in which seaborn measures widths
    x, y, orient = ("value", "at", "y") if horizontal else ("at", "value", "x")
    # Whiskers above the points, which would hide a narrow interval.
    sns.barplot(
        known, x=x, y=y, hue="series", palette=dict(colours), orient=orient, native_scale=True,
        dodge=False, width=width / unit, saturation=1, linewidth=0,
        errorbar=conditions.ends_within(0, highest), capsize=0.25 * width / unit,
        err_kws={"color": style.BLACK, "linewidth": 0.8, "zorder": 4},
        legend=False, ax=axes,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    of_bar = known.groupby("at")["seed"]
    count = of_bar.transform("size")
    offset = (of_bar.cumcount() - (count - 1) / 2) * 0.75 * width / (count - 1).clip(lower=1)
    points = known.assign(at=known["at"] + offset)[count > 1]
    seeds(axes, points[x], points[y], zorder=3)


def unseen(axes: "Axes", table: "pd.DataFrame") -> None:
    """Write the means that no bar of :func:`bars` shows: undefined ones, and those of 0."""
    look = {"size": style.SMALL_SIZE, "color": style.GREY, "ha": "center", "va": "bottom"}
    for at, mean in table.groupby("at")["value"].mean().items():
        if mean != mean:
            axes.text(at, 0, "n/a", **look)
        elif f"{mean:.3f}" == "0.000":
            axes.text(at, 0, " 0.000", rotation=90, **look)


def numbers(axes: "Axes", table: "pd.DataFrame", colours: Mapping[str, str]) -> None:
    """Write at the foot of each bar of :func:`bars` how many seeds it is the mean of."""
    for (at, series), rows in table.dropna(subset="value").groupby(["at", "series"]):
        # On a patch of its colour, so that a whisker does not cross the number.
        patch = {"facecolor": colours[series], "edgecolor": "none", "pad": 0.4}
        axes.annotate(
            f"{rows['seed'].nunique()}", (at, 0), (0, 1.5), bbox=patch, textcoords="offset points",
            ha="center", va="bottom", size=style.SMALL_SIZE, zorder=6,
            color="white" if colours[series] in style.DARK else style.BLACK,
        )  # fmt: skip


def seeds(axes: "Axes", x: Sequence[float], y: Sequence[float], **look) -> None:
    """Draw single seeds as points."""
    look = {"color": "white", "edgecolor": style.BLACK, "linewidth": 0.35, "zorder": 5} | look
    axes.scatter(x, y, SEED_SIZE, **look)


def point_size(number: int) -> float:
    """Diameter in points of the symbols of so many images: smaller where they are many."""
    return min(3.0, max(1.2, 3.0 * (150 / max(number, 1)) ** 0.5))


def score_range(values: Sequence[float]) -> float:
    """Upper end of an axis from 0 for scores within 0 and 1.

    The axis has the whole range, so that figures compare by eye, such as one with tuned thresholds
    and one without. Only where all scores are tiny it ends at a quarter or a twentieth.
    """
    finite = [value for value in values if math.isfinite(value)]
    highest = max(finite, default=1.0)
    # The end at 1.02 keeps the points of a perfect score whole.
    return next((end for end in (0.05, 0.25) if 2 * highest <= end), 1.02)


def group_axis(axes: "Axes", groups: int) -> None:
    """Horizontal axis for groups of bars at 0, 1, …; a few groups do not become giants."""
    spare = 0.1 + 0.2 * max(3 - groups, 0)
    axes.set_xlim(-0.5 - spare, groups - 0.5 + spare)
    axes.set_xticks(range(groups))


def score_axes(grid: Sequence["Axes"], name: str) -> None:
    """Give all panels the same vertical axis of a score."""
    upper = score_range([axes.dataLim.y1 for axes in grid])
    for axes in grid:
        score_axis(axes, upper, name if axes.get_subplotspec().is_first_col() else "")


def score_axis(axes: "Axes", upper: float, name: str) -> None:
    """Vertical axis for a score, from 0 to `upper`, with a light grid."""
    from matplotlib.ticker import MaxNLocator

    axes.set_ylim(0, upper)
    axes.set_ylabel(name)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="y")


def patch_key(colour: str, label: str) -> "Artist":
    """Filled square for a legend."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, label=label)


def line_key(label: str, **look) -> "Artist":
    """Line or marker for a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **look)
