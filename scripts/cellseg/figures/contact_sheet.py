"""True and predicted outlines on the best, median and worst image, a row a condition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellseg.figures import pictures, style
from cellseg.figures.outlines import fullest, outlines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Outlines of true and predicted cells"
GAP, LINE, PAGE, LOWEST = 2.0, 3.3, 210.0, 20.0  # mm
WIDEST = 1.0  # points, of true outlines
ZOOM = 3  # a third of the width of an image is shown
NARROWEST = 240  # pixels that are shown at least, of images that have so many


@dataclass(frozen=True)
class Column:
    """One image that all conditions are shown on.

    Attributes
    ----------
    heading : what is written above it
    image : ndarray of shape (H, W), uint8
    truth : ndarray of shape (H, W), int32
        Label image, 0 is background.
    """

    heading: str
    image: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True)
class Row:
    """One condition.

    Attributes
    ----------
    name : of the condition
    predictions : ndarrays of shape (H, W), int32, one a column
    captions : what is written above each of them
    """

    name: str
    predictions: Sequence[np.ndarray]
    captions: Sequence[str]


@style.styled
def contact_sheet(
    columns: Sequence[Column],
    rows: Sequence[Row],
    subtitle: str = "",
    note: str = "",
    pixel_size: float | None = None,
) -> "Figure":
    """Draw the part of each image that holds most true cells, the same in every row.

    Panels are as high as the page allows, down to a limit: of many rows each shows fewer lines of
    pixels, at the same scale.

    Parameters
    ----------
    pixel_size : micrometres of a side of a pixel, for scale bars; None gives them in pixels

    Raises
    ------
    ValueError
        There is no row or no column.
    """
    if not (columns and rows):
        raise ValueError("a contact sheet needs at least one image and one condition")
    panel = (style.DOUBLE_COLUMN - 2 * style.MARGIN - GAP * (len(columns) - 1)) / len(columns)
    inner = style.DOUBLE_COLUMN - 2 * style.MARGIN
    headings = [style.balanced(column.heading, panel, weight="bold") for column in columns]
    names = [style.wrap(row.name, inner) for row in rows]
    header = LINE * max(text.count("\n") + 1 for text in headings) + 1.5
    above = [LINE * (text.count("\n") + 2) + 1.0 for text in names]
    shape = max(column.image.shape[0] / column.image.shape[1] for column in columns)
    free = (PAGE - header - sum(above)) / len(rows) - GAP
    height = min(panel * shape, max(free, LOWEST))
    figure = style.new(style.DOUBLE_COLUMN, header + sum(above) + len(rows) * (height + GAP))
    _, top = style.frame(figure, TITLE, note, pictures.keys(), subtitle)
    page = pictures.Page(
        figure, [style.MARGIN + number * (panel + GAP) for number in range(len(columns))], panel
    )
    windows = [_window(column, height / panel) for column in columns]
    truths = [outlines(column.truth) for column in columns]
    y = top - header
    for number, text in enumerate(headings):
        page.text(number, y + 1.0, text, weight="bold")
    for row, name, room in zip(rows, names, above, strict=True):
        y -= room
        page.text(0, y + LINE + 0.6, name)
        for number, column in enumerate(columns):
            page.text(number, y + 0.6, row.captions[number], size=style.SMALL_SIZE)
            axes = page.axes(number, y - height, height)
            pictures.gray(axes, column.image, windows[number], pictures.DIM)
            lines = pictures.of_cells(truths[number], outlines(row.predictions[number]))
            pictures.draw_lines(axes, lines, windows[number], WIDEST)
            pictures.scale_bar(axes, windows[number], pixel_size)
        y -= height + GAP
    return figure


def _window(column: Column, shape: float) -> pictures.Window:
    """The part shown: a third of the width, and rows for the height to width ratio `shape`.

    Of small images more is shown, or few cells would be seen.
    """
    height, width = column.image.shape
    shown = min(width, max(width // ZOOM, NARROWEST))
    return fullest(column.truth, min(max(round(shown * shape), 1), height), shown)
