"""Marks shared by figures: bars with intervals and seeds, keys of a legend, a range for scores."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellseg.figures import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SEED_SIZE = 3.5  # area of a seed's point, square points


def bar(
    axes: "Axes",
    position: float,
    width: float,
    statistics: tuple[float, float, float],
    values: Sequence[float],
    colour: str,
    horizontal: bool = False,
) -> None:
    """Draw a mean as a bar, its interval as a whisker and single seeds as points.

    Parameters
    ----------
    statistics : mean, low and high end of the interval; ends may be nan
    values : one a seed, in the order of seeds
    """
    mean = statistics[0]
    if not math.isfinite(mean):
        where = (0, position) if horizontal else (position, 0)
        align = {"ha": "left", "va": "center"} if horizontal else {"ha": "center", "va": "bottom"}
        axes.text(*where, "n/a", size=style.SMALL_SIZE, color=style.GREY, **align)
        return
    draw = axes.barh if horizontal else axes.bar
    draw(position, mean, width, color=colour, linewidth=0)
    # Above the points, which would hide a narrow interval.
    whisker(axes, position, statistics, style.BLACK, horizontal)
    if len(values) < 2:
        return
    step = 0.75 * width / (len(values) - 1)
    places = [position + (i - (len(values) - 1) / 2) * step for i in range(len(values))]
    x, y = (values, places) if horizontal else (places, values)
    axes.scatter(x, y, SEED_SIZE, color="white", edgecolor=style.BLACK, linewidth=0.35, zorder=3)


def whisker(
    axes: "Axes",
    position: float,
    statistics: tuple[float, float, float],
    colour: str,
    horizontal: bool = False,
) -> None:
    """Draw the interval of a mean, nothing where it is not known."""
    mean, low, high = statistics
    if not (math.isfinite(low) and math.isfinite(high)):
        return
    error = [[mean - low], [high - mean]]
    look = {"fmt": "none", "ecolor": colour, "elinewidth": 0.8, "capsize": 2, "capthick": 0.8}
    if horizontal:
        axes.errorbar(mean, position, xerr=error, zorder=4, **look)
    else:
        axes.errorbar(position, mean, yerr=error, zorder=4, **look)


def point_size(number: int) -> float:
    """Diameter in points of the symbols of so many images: smaller where they are many."""
    return min(3.0, max(1.2, 3.0 * (150 / max(number, 1)) ** 0.5))


def score_range(values: Sequence[float]) -> float:
    """Upper end of an axis from 0 for scores within 0 and 1: a round value above the highest."""
    finite = [value for value in values if math.isfinite(value)]
    highest = min(max(finite, default=1.0), 1.0)
    steps = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    # The one at 1.02 keeps the points of a perfect score whole.
    return next((step for step in steps if highest * 1.05 <= step), 1.02)


def group_axis(axes: "Axes", groups: int) -> None:
    """Horizontal axis for groups of bars at 0, 1, …; a few groups do not become giants."""
    spare = max(0.1, (4 - groups) / 2)
    axes.set_xlim(-0.5 - spare, groups - 0.5 + spare)
    axes.set_xticks(range(groups))


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
