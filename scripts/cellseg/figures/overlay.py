"""True and predicted outlines on test images, with the maps they were made from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellseg.figures import marks, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUE_COLOUR, PREDICTED_COLOUR = style.ORANGE, style.SKY_BLUE
GAP, HEADING, SCALE_HEIGHT = 2.0, 5.5, 8.0  # mm
ZOOM = 3  # the second line shows a third of the width and height
DIM = 0.6  # images are shown darker, so that bright outlines stand out


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
    from matplotlib.patheffects import Normal, Stroke

    if not cases:
        raise ValueError("an overlay needs at least one image")
    names = [
        *("markers" for _ in range(any(case.markers for case in cases))),
        *("interior" for _ in range(any(case.interior for case in cases))),
    ]
    columns = len(names) + 2
    width = style.DOUBLE_COLUMN
    panel = (width - 2 * style.MARGIN - GAP * (columns - 1)) / columns
    headings = [style.wrap(case.heading, width - 2 * style.MARGIN) for case in cases]
    extra = [3.3 * text.count("\n") for text in headings]
    heights = [panel * case.image.shape[0] / case.image.shape[1] for case in cases]
    body = 4.0 + sum(2 * height + HEADING + 1 + GAP for height in heights) + sum(extra)
    body += SCALE_HEIGHT if names else 0
    figure = style.new(width, body)
    keys = [
        marks.line_key("true cells", color=TRUE_COLOUR, linewidth=2),
        marks.line_key("predicted cells", color=PREDICTED_COLOUR, linewidth=1.2),
        marks.line_key(
            "both",
            color=PREDICTED_COLOUR,
            linewidth=1.2,
            path_effects=[Stroke(linewidth=3, foreground=TRUE_COLOUR), Normal()],
        ),
    ]
    if boxes:
        keys.append(
            marks.line_key(
                "boxes of predicted cells (enlarged part)",
                color=style.YELLOW,
                linewidth=0.8,
                linestyle="--",
            )
        )
    bottom, top = style.frame(figure, title, note, keys)
    total = figure.get_size_inches()[1] / style.MILLIMETRE
    lefts = [style.MARGIN + column * (panel + GAP) for column in range(columns)]

    def place(column: int, y: float, height: float) -> "Axes":
        area = (lefts[column] / width, y / total, panel / width, height / total)
        return figure.add_axes(area)

    scale = {
        "markers": max(
            float(np.percentile(case.markers[1], 99.9)) for case in cases if case.markers
        )
        if "markers" in names
        else 1.0,
        "interior": 1.0,
    }
    scale["markers"] = max(scale["markers"], 1e-6)
    titles = ["image", *(_title(cases, name) for name in names), "outlines"]
    for left, text in zip(lefts, titles, strict=True):
        figure.text(
            left / width,
            (top - 2.5) / total,
            text,
            size=style.TEXT_SIZE,
            va="bottom",
            weight="bold",
        )
    y = top - 4.0
    shown = {}
    for case, heading, height, more in zip(cases, headings, heights, extra, strict=True):
        y -= HEADING + more
        figure.text(
            style.MARGIN / width,
            (y + 1.2) / total,
            heading,
            va="bottom",
            size=style.TEXT_SIZE,
            linespacing=style.LINE_SPACING,
        )
        lines = [
            (outlines(case.truth), TRUE_COLOUR, 1.0),
            (outlines(case.prediction), PREDICTED_COLOUR, 0.5),
        ]
        rectangles = [(bounding_boxes(case.prediction), style.YELLOW, 0.35)] if boxes else []
        whole = (0, case.image.shape[0], 0, case.image.shape[1])
        zoomed = densest(case.truth if case.truth.any() else case.prediction, ZOOM)
        for window in (whole, zoomed):
            y -= height
            _gray(place(0, y, height), case.image, window)
            for column, name in enumerate(names, 1):
                drawn = getattr(case, name)
                if drawn is not None:
                    shown[name] = _map(
                        place(column, y, height), drawn[1], window, name, scale[name]
                    )
            axes = place(columns - 1, y, height)
            _gray(axes, case.image, window, DIM)
            if window is whole:
                _lines(axes, lines, window, 0.75)
            else:  # among hundreds of cells boxes would hide everything
                _lines(axes, lines + rectangles, window, 1.5)
            if window is whole:
                for each in figure.axes[-columns:]:
                    _frame(each, zoomed)
            y -= 1 if window is whole else GAP
    for column, name in enumerate(names, 1):
        if name in shown:
            bar = figure.add_axes(
                (lefts[column] / width, (bottom + 5) / total, panel / width, 1.6 / total)
            )
            key = figure.colorbar(shown[name], cax=bar, orientation="horizontal")
            key.outline.set_linewidth(0.4)
            key.set_ticks([0, scale[name]], labels=["0", f"{scale[name]:.3g}"])
            key.ax.tick_params(labelsize=style.SMALL_SIZE, length=1.5, pad=1.5)
            # Inwards, or the ends of neighbouring scales would meet.
            for text, side in zip(key.ax.get_xticklabels(), ("left", "right"), strict=True):
                text.set_horizontalalignment(side)
    return figure


def densest(labels: np.ndarray, zoom: int) -> tuple[int, int, int, int]:
    """Window of 1/`zoom` of the height and width that holds most cells (by their centres).

    Returns
    -------
    tuple of int
        First row, end row, first column, end column.
    """
    from scipy.ndimage import find_objects

    height, width = labels.shape
    rows, columns = max(height // zoom, 1), max(width // zoom, 1)
    counts = np.zeros((height + 1, width + 1), int)
    for box in find_objects(labels):
        if box is not None:
            row, column = ((side.start + side.stop - 1) // 2 for side in box)
            counts[row + 1, column + 1] += 1
    counts = counts.cumsum(0).cumsum(1)
    inside = (
        counts[rows:, columns:]
        - counts[:-rows, columns:]
        - counts[rows:, :-columns]
        + counts[:-rows, :-columns]
    )
    row, column = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(row), int(row) + rows, int(column), int(column) + columns


def outlines(labels: np.ndarray) -> list[np.ndarray]:
    """Outline of each cell, also between touching cells.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32

    Returns
    -------
    list of ndarray of shape (N, 2), float
        Columns x and y, in pixels; pixel centres are whole numbers.
    """
    from scipy.ndimage import find_objects
    from skimage.measure import find_contours

    lines = []
    for label, box in enumerate(find_objects(labels), 1):
        if box is None:
            continue
        mask = np.pad(labels[box] == label, 1).astype(np.float32)
        for line in find_contours(mask, 0.5):
            # Points within a straight stretch add nothing but bytes.
            steps = np.diff(line, axis=0)
            turns = np.r_[True, (steps[1:] != steps[:-1]).any(1), True]
            lines.append(line[turns, ::-1] + (box[1].start - 1, box[0].start - 1))
    return lines


def bounding_boxes(labels: np.ndarray) -> list[np.ndarray]:
    """Closed rectangle around each cell, ndarrays of shape (5, 2) like :func:`outlines`."""
    from scipy.ndimage import find_objects

    rectangles = []
    for rows, columns in filter(None, find_objects(labels)):
        left, right = columns.start - 0.5, columns.stop - 0.5
        upper, lower = rows.start - 0.5, rows.stop - 0.5
        corners = [(left, upper), (right, upper), (right, lower), (left, lower), (left, upper)]
        rectangles.append(np.array(corners))
    return rectangles


def _title(cases: Sequence[Case], name: str) -> str:
    maps = sorted({getattr(case, name)[0] for case in cases if getattr(case, name)})
    return f"{name}: {', '.join(maps)}"


def _limits(axes: "Axes", window: tuple[int, int, int, int]) -> None:
    first_row, end_row, first_column, end_column = window
    axes.set_xlim(first_column - 0.5, end_column - 0.5)
    axes.set_ylim(end_row - 0.5, first_row - 0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_linewidth(0.4)


def _part(array: np.ndarray, window: tuple[int, int, int, int]) -> tuple[np.ndarray, dict]:
    """The window's pixels alone (files stay small) and where they are."""
    first_row, end_row, first_column, end_column = window
    extent = (first_column - 0.5, end_column - 0.5, end_row - 0.5, first_row - 0.5)
    return array[first_row:end_row, first_column:end_column], {
        "extent": extent,
        "interpolation": "nearest" if end_row < len(array) else "antialiased",
    }


def _gray(axes: "Axes", image: np.ndarray, window: tuple, dim: float = 1.0) -> None:
    part, how = _part(image, window)
    # Phase contrast lives around mid grey: the same stretch for all windows of an image.
    low, high = np.percentile(image, (0.5, 99.5))
    high = max(high, low + 1)
    axes.imshow(part, cmap="gray", vmin=low, vmax=low + (high - low) / dim, aspect="auto", **how)
    _limits(axes, window)
    if dim == 1.0:
        _scale_bar(axes, window)


def _map(axes: "Axes", array: np.ndarray, window: tuple, name: str, highest: float):
    part, how = _part(np.asarray(array, np.float32), window)
    colours = "viridis" if name == "markers" else "cividis"
    shown = axes.imshow(part, cmap=colours, vmin=0, vmax=highest, aspect="auto", **how)
    _limits(axes, window)
    return shown


def _lines(axes: "Axes", lines: list[tuple], window: tuple, width: float) -> None:
    """Lines of each kind, its colour and its share of `width`; boxes are dashed."""
    from matplotlib.collections import LineCollection

    for kind, colour, share in lines:
        shown = [line for line in kind if _meets(line, window)]
        dashes = "--" if colour == style.YELLOW else "-"
        axes.add_collection(
            LineCollection(shown, colors=colour, linewidths=share * width, linestyles=dashes),
            autolim=False,
        )
    _limits(axes, window)


def _meets(line: np.ndarray, window: tuple[int, int, int, int]) -> bool:
    """Whether a line's bounding box meets the window."""
    (left, upper), (right, lower) = line.min(0), line.max(0)
    return lower >= window[0] and upper < window[1] and right >= window[2] and left < window[3]


def _frame(axes: "Axes", window: tuple[int, int, int, int]) -> None:
    from matplotlib.patches import Rectangle

    first_row, end_row, first_column, end_column = window
    corner = (first_column - 0.5, first_row - 0.5)
    size = (end_column - first_column, end_row - first_row)
    for colour, width in (("black", 1.2), ("white", 0.6)):
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=width))


def _scale_bar(axes: "Axes", window: tuple[int, int, int, int]) -> None:
    """Bar of a round number of pixels in the lower left corner."""
    first_row, end_row, first_column, end_column = window
    height, width = end_row - first_row, end_column - first_column
    round_numbers: Iterable[int] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
    length = max((n for n in round_numbers if n <= width / 4), default=1)
    x, y = first_column + 0.04 * width, end_row - 0.06 * height
    for colour, line in (("black", 2.4), ("white", 1.2)):
        axes.plot([x, x + length], [y, y], color=colour, linewidth=line, solid_capstyle="butt")
    text = axes.text(
        x, y - 0.035 * height, f"{length} px", color="white", va="bottom", size=style.SMALL_SIZE
    )
    from matplotlib.patheffects import withStroke

    text.set_path_effects([withStroke(linewidth=1.2, foreground="black")])
