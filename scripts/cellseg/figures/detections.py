"""Boxes and scores of detections on an image: boxes coloured by score, numbers where they fit."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cellseg.figures import pictures, style
from cellseg.figures.pictures import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = "plasma"
MOST_SCORES = 60
"""Boxes beyond which a panel of a whole image has no numbers."""
DIGIT = 0.55  # width of a character in heights of the font
POINT = 25.4 / 72  # mm


def draw(
    axes: "Axes",
    boxes: np.ndarray,
    scores: np.ndarray,
    window: Window,
    panel: float,
    widest: float,
    most_scores: float = np.inf,
) -> None:
    """Draw detections, the most confident on top.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4); left, upper, right and lower edge, pixels
    scores : ndarray of shape (n,), 0 to 1
    window : the part of the image that is shown
    panel : width of its panel, mm
    widest : of lines, points
    most_scores : with more boxes in the window, no number is written
    """
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection
    from matplotlib.patheffects import withStroke

    first_row, end_row, first_column, end_column = window
    left, upper, right, lower = boxes.T
    shown = (right > first_column) & (left < end_column) & (lower > first_row) & (upper < end_row)
    order = np.flatnonzero(shown)[np.argsort(scores[shown], kind="stable")]
    boxes, scores = boxes[order] - 0.5, scores[order]  # the first pixel's centre is 0
    colours = colormaps[COLOURS](scores)
    lines = [
        [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)] for x0, y0, x1, y1 in boxes.tolist()
    ]
    width = pictures.width_of_lines(len(lines), widest)
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=width), autolim=False)
    if len(order) <= most_scores:
        height = style.SMALL_SIZE * POINT * (end_column - first_column) / panel
        numbers = [f"{score:.2f}".lstrip("0") for score in scores]
        for place, x, y in _with_room(boxes, numbers, window, height):
            text = axes.text(x, y, numbers[place], color=colours[place], va="top", ha="left")
            text.set_size(style.SMALL_SIZE)
            text.set_path_effects([withStroke(linewidth=1.5, foreground="black")])
    pictures.limits(axes, window)


def _with_room(
    boxes: np.ndarray, numbers: list[str], window: Window, height: float
) -> Iterator[tuple[int, float, float]]:
    """Boxes whose numbers meet no number of a better box, and the places of these.

    A number is in the upper left corner of what is seen of its box, within the window.
    """
    first_row, end_row, first_column, end_column = window
    taken = np.empty((0, 4))
    for place in reversed(range(len(boxes))):
        x, y = max(boxes[place, 0], first_column), max(boxes[place, 1], first_row)
        area = np.array([x, y, x + DIGIT * height * len(numbers[place]), y + height])
        inside = area[2] <= end_column and area[3] <= end_row
        meets = (taken[:, :2] < area[2:]).all(1) & (taken[:, 2:] > area[:2]).all(1)
        if inside and not meets.any():
            taken = np.vstack((taken, area))
            yield place, x, y
