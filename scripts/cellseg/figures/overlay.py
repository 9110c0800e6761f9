"""True and predicted outlines on test images, with the maps they were made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellseg.figures import marks, style
from cellseg.figures.outlines import bounding_boxes, densest, meets, outlines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUE_COLOUR, PREDICTED_COLOUR = style.ORANGE, style.SKY_BLUE
COLOURS = {"markers": "viridis", "interior": "cividis"}
GAP, COLUMN_TITLE, HEADING, LINE, SCALE_HEIGHT = 2.0, 4.0, 5.5, 3.3, 8.0  # mm
ZOOM = 3  # the second line shows a third of the width and height
DIM = 0.6  # images are shown darker, so that bright outlines stand out
WIDEST, NARROWEST = 1.5, 0.3  # points, of true outlines
WIDTH_OF_ONE = 12.0  # points; of n cells a panel each has 1 / sqrt(n) of it, up to the widest


@dataclass(frozen=True)
class Case:
    """One image to show.

    Attributes
    ----------
    heading : what is written above it
    image : ndarray of shape (H, W), uint8
    truth, prediction : ndarray of shape (H, W), int32
        Label images, 0 is background.
    markers, interior : tuple of name and ndarray of shape (H, W), or None
        The maps that gave the markers and the mask of the watershed, where there are any.
    """

    heading: str
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    markers: tuple[str, np.ndarray] | None = None
    interior: tuple[str, np.ndarray] | None = None


@dataclass(frozen=True)
class _Page:
    """Where columns stand on the page; lengths in mm, y from the lower edge."""

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


@style.styled
def overlay(
    cases: Sequence[Case],
    title: str = "Prediction and truth",
    note: str = "",
    boxes: bool = False,
) -> "Figure":
    """Two lines an image: the whole, and the part with most cells enlarged.

    Columns: image, marker map and interior map where there are any, outlines.

    Parameters
    ----------
    boxes : draw the bounding boxes of predicted cells too, in the enlarged part
    """
    if not cases:
        raise ValueError("an overlay needs at least one image")
    # Name of a map to the value at the upper end of its colours.
    ends = {"interior": 1.0}
    found = [case.markers[1] for case in cases if case.markers]
    ends["markers"] = max([float(np.percentile(array, 99.9)) for array in found], default=0) or 1.0
    names = [name for name in ("markers", "interior") if any(getattr(c, name) for c in cases)]

    columns = len(names) + 2
    inner = style.DOUBLE_COLUMN - 2 * style.MARGIN
    panel = (inner - GAP * (columns - 1)) / columns
    headings = [style.wrap(case.heading, inner) for case in cases]
    above = [HEADING + LINE * text.count("\n") for text in headings]
    heights = [panel * case.image.shape[0] / case.image.shape[1] for case in cases]
    body = COLUMN_TITLE + sum(above) + sum(2 * height + 1 + GAP for height in heights)
    figure = style.new(style.DOUBLE_COLUMN, body + (SCALE_HEIGHT if names else 0))
    bottom, top = style.frame(figure, title, note, _keys(boxes))
    lefts = [style.MARGIN + column * (panel + GAP) for column in range(columns)]
    page = _Page(figure, lefts, panel)

    for column, text in enumerate(["image", *(_title(cases, n) for n in names), "outlines"]):
        page.text(column, top - 2.0, text, weight="bold", va="baseline")
    y = top - COLUMN_TITLE
    for case, heading, room, height in zip(cases, headings, above, heights, strict=True):
        y -= room
        page.text(0, y + 1.2, heading)
        _case(page, case, names, ends, y, height, boxes)
        y -= 2 * height + 1 + GAP
    for column, name in enumerate(names, 1):
        _colour_bar(page.axes(column, bottom + 5, 1.6), name, ends[name])
    return figure


def _keys(boxes: bool) -> list:
    from matplotlib.patheffects import Normal, Stroke

    both = [Stroke(linewidth=3, foreground=TRUE_COLOUR), Normal()]
    name = "boxes of predicted cells (enlarged part)"
    keys = [
        marks.line_key("true cells", color=TRUE_COLOUR, linewidth=2),
        marks.line_key("predicted cells", color=PREDICTED_COLOUR, linewidth=1.2),
        marks.line_key("both", color=PREDICTED_COLOUR, linewidth=1.2, path_effects=both),
        marks.line_key(name, color=style.YELLOW, linewidth=0.8, linestyle="--"),
    ]
    return keys if boxes else keys[:-1]


def _title(cases: Sequence[Case], name: str) -> str:
    maps = sorted({getattr(case, name)[0] for case in cases if getattr(case, name)})
    return f"{name}: {', '.join(maps)}"


def _case(
    page: _Page,
    case: Case,
    names: Sequence[str],
    ends: Mapping[str, float],
    top: float,
    height: float,
    boxes: bool,
) -> None:
    """Both lines of one image; its upper edge is at `top`."""
    lines = [
        (outlines(case.truth), TRUE_COLOUR, 1.0),
        (outlines(case.prediction), PREDICTED_COLOUR, 0.5),
    ]
    # Among hundreds of cells boxes would hide everything: the enlarged part only.
    rectangles = [(bounding_boxes(case.prediction), style.YELLOW, 0.35)] if boxes else []
    whole = (0, case.image.shape[0], 0, case.image.shape[1])
    enlarged = densest(case.truth if case.truth.any() else case.prediction, ZOOM)
    for number, window in enumerate((whole, enlarged)):
        y = top - height - number * (height + 1)
        drawn = [page.axes(0, y, height)]
        _gray(drawn[0], case.image, window)
        _scale_bar(drawn[0], window)
        for column, name in enumerate(names, 1):
            array = getattr(case, name)
            if array is not None:
                drawn.append(page.axes(column, y, height))
                _show(drawn[-1], array[1], window, COLOURS[name], 0, ends[name])
        drawn.append(page.axes(len(names) + 1, y, height))
        _gray(drawn[-1], case.image, window, DIM)
        if window is whole:
            _lines(drawn[-1], lines, window, WIDEST / 2)
            for axes in drawn:
                _frame(axes, enlarged)
        else:
            _lines(drawn[-1], lines + rectangles, window, WIDEST)


def _colour_bar(axes: "Axes", name: str, end: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    colours = ScalarMappable(Normalize(0, end), COLOURS[name])
    key = axes.figure.colorbar(colours, cax=axes, orientation="horizontal")
    key.outline.set_linewidth(0.4)
    key.set_ticks([0, end], labels=["0", f"{end:.3g}"])
    axes.tick_params(labelsize=style.SMALL_SIZE, length=1.5, pad=1.5)
    # Inwards, or the ends of neighbouring scales would meet.
    for text, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
        text.set_horizontalalignment(side)


def _limits(axes: "Axes", window: tuple[int, int, int, int]) -> None:
    first_row, end_row, first_column, end_column = window
    axes.set_xlim(first_column - 0.5, end_column - 0.5)
    axes.set_ylim(end_row - 0.5, first_row - 0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_linewidth(0.4)


def _show(
    axes: "Axes", array: np.ndarray, window: tuple, colours: str, low: float, high: float
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
    _limits(axes, window)


def _gray(axes: "Axes", image: np.ndarray, window: tuple, dim: float = 1.0) -> None:
    """Show the image with the contrast of the whole of it, darkened by `dim`."""
    low, high = np.percentile(image, (0.5, 99.5))
    high = max(high, low + 1)
    _show(axes, image, window, "gray", low, low + (high - low) / dim)


def _lines(axes: "Axes", lines: list[tuple], window: tuple, widest: float) -> None:
    """Lines of each kind, its colour and its share of the width; boxes are dashed.

    Where cells are many and so small, lines are thin, or they would hide what they surround.
    """
    from matplotlib.collections import LineCollection

    within = [[line for line in kind if meets(line, window)] for kind, _, _ in lines]
    most = max(map(len, within))
    width = max(min(widest, WIDTH_OF_ONE / max(most, 1) ** 0.5), NARROWEST)
    for shown, (_, colour, share) in zip(within, lines, strict=True):
        dashes = "--" if colour == style.YELLOW else "-"
        axes.add_collection(
            LineCollection(shown, colors=colour, linewidths=share * width, linestyles=dashes),
            autolim=False,
        )
    _limits(axes, window)


def _frame(axes: "Axes", window: tuple[int, int, int, int]) -> None:
    from matplotlib.patches import Rectangle

    first_row, end_row, first_column, end_column = window
    corner = (first_column - 0.5, first_row - 0.5)
    size = (end_column - first_column, end_row - first_row)
    for colour, width in (("black", 1.2), ("white", 0.6)):
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=width))


def _scale_bar(axes: "Axes", window: tuple[int, int, int, int]) -> None:
    """Bar of a round number of pixels in the lower left corner."""
    from matplotlib.patheffects import withStroke

    first_row, end_row, first_column, end_column = window
    height, width = end_row - first_row, end_column - first_column
    round_numbers = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
    length = max((number for number in round_numbers if number <= width / 4), default=1)
    x, y = first_column + 0.04 * width, end_row - 0.06 * height
    for colour, line in (("black", 2.4), ("white", 1.2)):
        axes.plot([x, x + length], [y, y], color=colour, linewidth=line, solid_capstyle="butt")
    text = axes.text(x, y - 0.035 * height, f"{length} px", color="white", va="bottom")
    text.set_size(style.SMALL_SIZE)
    text.set_path_effects([withStroke(linewidth=1.2, foreground="black")])
