"""True and predicted outlines on test images, with the maps they were made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellseg.figures import detections, marks, pictures, style
from cellseg.figures.outlines import bounding_boxes, densest, outlines
from cellseg.figures.pictures import DIM, WIDEST
from cellseg.targets.instances import Detections

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"markers": "viridis", "interior": "cividis", "detections": detections.COLOURS}
GAP, COLUMN_TITLE, HEADING, LINE, SCALE_HEIGHT = 2.0, 4.0, 5.5, 3.3, 8.0  # mm
ZOOM = 3  # the second line shows a third of the width and height


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
        The maps that gave the markers and the mask of the cells, where there are any.
    detections : tuple of name and :class:`cellseg.targets.instances.Detections`, or None
        Those that the cells were painted from.
    """

    heading: str
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    markers: tuple[str, np.ndarray] | None = None
    interior: tuple[str, np.ndarray] | None = None
    detections: tuple[str, Detections] | None = None


@style.styled
def overlay(
    cases: Sequence[Case],
    title: str = "Prediction and truth",
    note: str = "",
    boxes: bool = False,
    pixel_size: float | None = None,
) -> "Figure":
    """Two lines an image: the whole, and the part with most cells enlarged.

    Columns: image, marker map and interior map, or detections, where there are any, outlines.

    Parameters
    ----------
    boxes : draw boxes: detections with their scores in a column of their own, or else the bounding
        boxes of predicted cells, in the enlarged part
    pixel_size : micrometres of a side of a pixel, for scale bars; None gives them in pixels
    """
    if not cases:
        raise ValueError("an overlay needs at least one image")
    # Name of a map to the value at the upper end of its colours.
    ends = {"interior": 1.0, "detections": 1.0}
    found = [case.markers[1] for case in cases if case.markers]
    highest = max([float(np.percentile(array, 99.9)) for array in found], default=0)
    ends["markers"] = _round_end(highest)
    shown = ("markers", "interior", *(["detections"] if boxes else []))
    names = [name for name in shown if any(getattr(case, name) for case in cases)]
    boxes = boxes and "detections" not in names

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
    page = pictures.Page(figure, lefts, panel)

    for column, text in enumerate(["image", *(_title(cases, n) for n in names), "outlines"]):
        page.text(column, top - 2.0, text, weight="bold", va="baseline")
    y = top - COLUMN_TITLE
    for case, heading, room, height in zip(cases, headings, above, heights, strict=True):
        y -= room
        page.text(0, y + 1.2, heading)
        _case(page, case, names, ends, y, height, boxes, pixel_size)
        y -= 2 * height + 1 + GAP
    for column, name in enumerate(names, 1):
        _colour_bar(page.axes(column, bottom + 5, 1.6), name, ends[name])
    return figure


def _round_end(highest: float) -> float:
    """Upper end of a map's colours: 1, or for a map beyond it 2, 5, 10, 20, …

    So runs of one head, whose target is the same, share their colours.
    """
    ends = (step * 10**power for power in range(6) for step in (1, 2, 5))
    return float(next((end for end in ends if highest <= 1.05 * end), highest))


def _keys(boxes: bool) -> list:
    name = "boxes of predicted cells (enlarged part)"
    box = marks.line_key(name, color=style.YELLOW, linewidth=0.8, linestyle="--")
    return [*pictures.keys(), *([box] if boxes else [])]


def _title(cases: Sequence[Case], name: str) -> str:
    maps = sorted({getattr(case, name)[0] for case in cases if getattr(case, name)})
    return f"{name}: {', '.join(maps)}"


def _case(
    page: pictures.Page,
    case: Case,
    names: Sequence[str],
    ends: Mapping[str, float],
    top: float,
    height: float,
    boxes: bool,
    pixel_size: float | None,
) -> None:
    """Both lines of one image; its upper edge is at `top`."""
    lines = pictures.of_cells(outlines(case.truth), outlines(case.prediction))
    # Among hundreds of cells boxes would hide everything: the enlarged part only.
    rectangles = [(bounding_boxes(case.prediction), style.YELLOW, 0.35)] if boxes else []
    whole = (0, case.image.shape[0], 0, case.image.shape[1])
    enlarged = densest(case.truth if case.truth.any() else case.prediction, ZOOM)
    for number, window in enumerate((whole, enlarged)):
        y = top - height - number * (height + 1)
        drawn = [page.axes(0, y, height)]
        pictures.gray(drawn[0], case.image, window)
        pictures.scale_bar(drawn[0], window, pixel_size)
        for column, name in enumerate(names, 1):
            array = getattr(case, name)
            if array is None:
                continue
            drawn.append(page.axes(column, y, height))
            if name == "detections":
                pictures.gray(drawn[-1], case.image, window, DIM)
                _detections(drawn[-1], array[1], window, page.panel, window is whole)
            else:
                pictures.show(drawn[-1], array[1], window, COLOURS[name], 0, ends[name])
        drawn.append(page.axes(len(names) + 1, y, height))
        pictures.gray(drawn[-1], case.image, window, DIM)
        if window is whole:
            pictures.draw_lines(drawn[-1], lines, window, WIDEST / 2)
            for axes in drawn:
                pictures.frame(axes, enlarged)
        else:
            pictures.draw_lines(drawn[-1], lines + rectangles, window, WIDEST)


def _detections(
    axes: "Axes", found: Detections, window: pictures.Window, panel: float, is_whole: bool
) -> None:
    most = detections.MOST_SCORES if is_whole else np.inf
    detections.draw(axes, found.boxes, found.scores, window, panel, WIDEST / 2, most)


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
