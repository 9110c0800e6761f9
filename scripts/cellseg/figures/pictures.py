"""Images with outlines on a page that is laid out in mm: what overlays and contact sheets share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellseg.figures import marks, style
from cellseg.figures.outlines import meets

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUE_COLOUR, PREDICTED_COLOUR = style.ORANGE, style.SKY_BLUE
DIM = 0.6  # images are drawn darker, so that bright outlines are visible
WIDEST, NARROWEST = 1.5, 0.3  # points, of true outlines
WIDTH_OF_ONE = 12.0  # points; of n cells a panel each has 1 / sqrt(n) of it, up to the widest

Window = tuple[int, int, int, int]  # first row, end row, first column, end column


@dataclass(frozen=True)
class Page:
    """Places of columns on the page; lengths in mm, y from the lower edge."""

    figure: "Figure"
    lefts: list[float]
    panel: float

    def axes(self, column: int, y: float, height: float) -> "Axes":
        width, total = self.figure.get_size_inches() / style.MILLIMETRE
        area = (self.lefts[column] / width, y / total, self.panel / width, height / total)
        return self.figure.add_axes(area)

    def text(self, column: int, y: float, text: str, **look) -> None:
        width, total = self.figure.get_size_inches() / style.MILLIMETRE
        look = {"va": "bottom", "size": style.TEXT_SIZE, "linespacing": style.LINE_SPACING} | look
        self.figure.text(self.lefts[column] / width, y / total, text, **look)


def limits(axes: "Axes", window: Window) -> None:
    first_row, end_row, first_column, end_column = window
    axes.set_xlim(first_column - 0.5, end_column - 0.5)
    axes.set_ylim(end_row - 0.5, first_row - 0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_linewidth(0.4)


def show(
    axes: "Axes", array: np.ndarray, window: Window, colours: str, low: float, high: float
) -> None:
    """Show the window's pixels alone, so that files stay small."""
    first_row, end_row, first_column, end_column = window
    part = array[first_row:end_row, first_column:end_column]
    axes.imshow(
        part,
        cmap=colours,
        vmin=low,
        vmax=high,
        aspect="auto",
        extent=(first_column - 0.5, end_column - 0.5, end_row - 0.5, first_row - 0.5),
        interpolation="antialiased" if part.shape == array.shape else "nearest",
    )
    limits(axes, window)


def gray(axes: "Axes", image: np.ndarray, window: Window, dim: float = 1.0) -> None:
    """Show the image with the contrast of the whole of it, darkened by `dim`."""
    low, high = np.percentile(image, (0.5, 99.5))
    high = max(high, low + 1)
    show(axes, image, window, "gray", low, low + (high - low) / dim)


def keys() -> list:
    """Keys of a legend for the outlines."""
    from matplotlib.patheffects import Normal, Stroke

    both = [Stroke(linewidth=3, foreground=TRUE_COLOUR), Normal()]
    return [
        marks.line_key("true cells", color=TRUE_COLOUR, linewidth=2),
        marks.line_key("predicted cells", color=PREDICTED_COLOUR, linewidth=1.2),
        marks.line_key("both", color=PREDICTED_COLOUR, linewidth=1.2, path_effects=both),
    ]


def of_cells(truth: list[np.ndarray], prediction: list[np.ndarray]) -> list[tuple]:
    """Outlines of true and predicted cells with their colours, for :func:`draw_lines`."""
    return [(truth, TRUE_COLOUR, 1.0), (prediction, PREDICTED_COLOUR, 0.5)]


def width_of_lines(most: int, widest: float) -> float:
    """Points, with so many cells in a panel: lines would hide small cells."""
    return max(min(widest, WIDTH_OF_ONE / max(most, 1) ** 0.5), NARROWEST)


def draw_lines(axes: "Axes", lines: list[tuple], window: Window, widest: float) -> None:
    """Lines of each kind, its colour and its share of the width; boxes are dashed."""
    from matplotlib.collections import LineCollection

    within = [[line for line in kind if meets(line, window)] for kind, _, _ in lines]
    width = width_of_lines(max(map(len, within)), widest)
    for shown, (_, colour, share) in zip(within, lines, strict=True):
        dashes = "--" if colour == style.YELLOW else "-"
        axes.add_collection(
            LineCollection(shown, colors=colour, linewidths=share * width, linestyles=dashes),
            autolim=False,
        )
    limits(axes, window)


def frame(axes: "Axes", window: Window) -> None:
    from matplotlib.patches import Rectangle

    first_row, end_row, first_column, end_column = window
    corner = (first_column - 0.5, first_row - 0.5)
    size = (end_column - first_column, end_row - first_row)
    for colour, width in (("black", 1.2), ("white", 0.6)):
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=width))


def scale_bar(axes: "Axes", window: Window, pixel_size: float | None = None) -> None:
    """Bar of a round length in the lower left corner.

    Parameters
    ----------
    pixel_size : micrometres of a side of a pixel; None gives a length in pixels
    """
    from matplotlib.patheffects import withStroke

    first_row, end_row, first_column, end_column = window
    height, width = end_row - first_row, end_column - first_column
    round_numbers = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
    unit, name = (pixel_size, "µm") if pixel_size else (1.0, "px")
    number = max((one for one in round_numbers if one <= width * unit / 4), default=1)
    length = number / unit
    x, y = first_column + 0.04 * width, end_row - 0.06 * height
    for colour, line in (("black", 2.4), ("white", 1.2)):
        axes.plot([x, x + length], [y, y], color=colour, linewidth=line, solid_capstyle="butt")
    text = axes.text(x, y - 0.035 * height, f"{number} {name}", color="white", va="bottom")
    text.set_size(style.SMALL_SIZE)
    text.set_path_effects([withStroke(linewidth=1.2, foreground="black")])
