"""The look of all figures: column widths, fonts, colours, titles, notes, and how they are saved.

Nature's column widths and text sizes, and the colour-blind safe palette of Okabe and Ito
(https://jfly.uni-koeln.de/color/). The font is Arial or Helvetica, as journals ask for, where one
is installed, else one of the same widths, else that of Matplotlib.
"""

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellseg.io.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

MILLIMETRE = 1 / 25.4  # inches
SINGLE_COLUMN, DOUBLE_COLUMN = 85.0, 180.0  # mm
MARGIN = 2.0  # mm
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 8.0, 7.0, 6.0  # points
LINE_SPACING = 1.3

BLACK, ORANGE, SKY_BLUE, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, LIGHT_GREY = "#595959", "#D9D9D9"
DARK = (BLUE, GREEN, VERMILLION, BLACK)
"""Colours on which text is white."""
SERIES_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY_BLUE, BLACK)
SERIES_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SERIES_LINES = ("-", "--", ":", "-.")
TRAINING_COLOUR, VALIDATION_COLOUR = BLUE, VERMILLION

FONTS = ("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans")
"""Best first. The third has the widths of the first; the last comes with Matplotlib."""

SETTINGS = {
    "font.size": TEXT_SIZE,
    "axes.titlesize": TEXT_SIZE,
    "axes.labelsize": TEXT_SIZE,
    "xtick.labelsize": TEXT_SIZE - 0.5,
    "ytick.labelsize": TEXT_SIZE - 0.5,
    "legend.fontsize": TEXT_SIZE - 0.5,
    "text.parse_math": False,  # names may hold a dollar sign
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "grid.linewidth": 0.4,
    "grid.color": LIGHT_GREY,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.dpi": 300,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # TrueType, which journals ask for and editors can change
    "pdf.compression": 9,
}


@dataclass(frozen=True)
class Caption:
    """What is written around the axes of a figure, for where the figure itself does not say it."""

    title: str
    subtitle: str
    note: str


_TEXT_DRAWN: ContextVar[bool] = ContextVar("text_drawn", default=True)


@contextmanager
def with_text(drawn: bool) -> Iterator[None]:
    """Draw figures inside this with or without title, subtitle and note.

    Either way :func:`caption_of` gives them. Legends, headings of panels and names of axes are
    parts of the figure and always drawn.
    """
    before = _TEXT_DRAWN.set(drawn)
    try:
        yield
    finally:
        _TEXT_DRAWN.reset(before)


def has_text() -> bool:
    """Whether figures are drawn with title, subtitle and note here, see :func:`with_text`."""
    return _TEXT_DRAWN.get()


def caption_of(figure: "Figure") -> Caption:
    """Title, subtitle and note of a figure that :func:`frame` or :func:`finish` has seen."""
    return figure.cellseg_caption


@functools.cache
def fonts() -> list[str]:
    """The best of :data:`FONTS` that is installed, and Matplotlib's for signs that it lacks."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    best = next((name for name in FONTS if name in installed), FONTS[-1])
    return list(dict.fromkeys([best, FONTS[-1]]))


@contextmanager
def look() -> Iterator[None]:
    """Draw and save inside this: Matplotlib's defaults plus ours, nothing of the user's own."""
    import matplotlib.style

    with matplotlib.style.context(["default", {**SETTINGS, "font.family": fonts()}]):
        yield


def styled(draw: Callable) -> Callable:
    """Run a figure function inside :func:`look`."""

    @functools.wraps(draw)
    def inside(*args, **kwargs):
        with look():
            return draw(*args, **kwargs)

    return inside


def new(width: float, body_height: float) -> "Figure":
    """Figure without pyplot, `width` x `body_height` mm; :func:`finish` adds room for text."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * MILLIMETRE, body_height * MILLIMETRE))
    FigureCanvasAgg(figure)
    return figure


def text_width(text: str, size: float = TEXT_SIZE, weight: str = "normal") -> float:
    """Width of one line of text in mm."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    properties = FontProperties(family=fonts(), size=size, weight=weight)
    points = text_to_path.get_text_width_height_descent(text, properties, ismath=False)[0]
    return points / 72 / MILLIMETRE


def wrap(text: str, width: float, size: float = TEXT_SIZE, weight: str = "normal") -> str:
    """Break `text` into lines of at most `width` mm, at spaces and after ``+ - / _`` and ``~``.

    Line breaks are kept; a piece that is too long by itself is broken where it must be. Nothing is
    broken at a no-break space.
    """
    if "\n" in text:
        return "\n".join(wrap(line, width, size, weight) for line in text.split("\n"))
    lines = [""]
    for piece in re.findall(r"[^ +/_~-]*[+/_~-]+ *|[^ +/_~-]+ *| +", text):
        if text_width((lines[-1] + piece).rstrip(), size, weight) <= width:
            lines[-1] += piece
            continue
        if lines[-1]:
            lines.append("")
        for character in piece:
            if lines[-1] and text_width(lines[-1] + character.strip(), size, weight) > width:
                lines.append("")
            lines[-1] += character
    return "\n".join(line.rstrip() for line in lines)


def balanced(text: str, width: float, size: float = TEXT_SIZE, weight: str = "normal") -> str:
    """As :func:`wrap`, each line of `text` broken into lines about as long as each other."""
    if "\n" in text:
        return "\n".join(balanced(line, width, size, weight) for line in text.split("\n"))
    best = wrap(text, width, size, weight)
    lines = best.count("\n")
    while lines and width > 1:
        width -= 1
        tighter = wrap(text, width, size, weight)
        if tighter.count("\n") > lines:
            break
        best = tighter
    return best


def frame(
    figure: "Figure",
    title: str,
    note: str = "",
    legend: Sequence["Artist"] = (),
    subtitle: str = "",
) -> tuple[float, float]:
    """Make room above for titles and legend and below for a note, and write them.

    Inside :func:`with_text` of False there is no title, subtitle or note.

    Returns
    -------
    bottom, top : float
        Where the body lies, in mm from the lower edge.
    """
    width, body = figure.get_size_inches() / MILLIMETRE
    inner = width - 2 * MARGIN
    figure.cellseg_caption = Caption(title, subtitle, note.strip())
    if not has_text():
        title = subtitle = note = ""
    title = wrap(title, inner, TITLE_SIZE, "bold")
    note = wrap(note, inner, SMALL_SIZE)
    subtitle = wrap(subtitle, inner)
    second = MARGIN + _height(title, TITLE_SIZE) + (0.5 if title and subtitle else 0)
    header = second + _height(subtitle, TEXT_SIZE) + (1.5 if title or subtitle else 0)
    footer = MARGIN + _height(note, SMALL_SIZE) + (1.5 if note else 0)
    key, key_height = _legend(figure, legend, inner)
    total = body + header + key_height + footer
    figure.set_size_inches(width * MILLIMETRE, total * MILLIMETRE)
    place = {"x": MARGIN / width, "ha": "left", "linespacing": LINE_SPACING, "in_layout": False}
    above, below = 1 - MARGIN / total, MARGIN / total
    figure.text(y=above, va="top", s=title, size=TITLE_SIZE, weight="bold", **place)
    figure.text(y=1 - second / total, va="top", s=subtitle, size=TEXT_SIZE, **place)
    figure.text(y=below, va="bottom", s=note, size=SMALL_SIZE, color=GREY, **place)
    if key is not None:
        key.set_bbox_to_anchor((MARGIN / width, 1 - header / total), figure.transFigure)
    return footer, footer + body


def finish(
    figure: "Figure",
    title: str,
    note: str = "",
    legend: Sequence["Artist"] = (),
    gap: float = 0.02,
    subtitle: str = "",
) -> "Figure":
    """Add titles, legend and note outside the axes and lay the axes out between them.

    `gap` is the free space between columns of axes, as a fraction of their width.
    """
    bottom, top = frame(figure, title, note, legend, subtitle)
    width, total = figure.get_size_inches() / MILLIMETRE
    side = MARGIN / width
    rectangle = (side, bottom / total, 1 - 2 * side, (top - bottom) / total)
    figure.set_layout_engine("constrained", rect=rectangle, w_pad=0.02, h_pad=0.02, wspace=gap)
    return figure


def _height(text: str, size: float) -> float:
    lines = text.count("\n") + 1 if text else 0
    return lines * size * LINE_SPACING / 72 / MILLIMETRE


def _legend(figure: "Figure", handles: Sequence["Artist"], width: float) -> tuple:
    """Legend in as many columns as fit `width` mm, and the height it takes in mm."""
    if not handles:
        return None, 0.0
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(
            handles=handles,
            loc="upper left",
            ncols=columns,
            borderpad=0,
            borderaxespad=0,
            columnspacing=1.5,
            handlelength=1.8,
        )
        legend.set_in_layout(False)
        extent = legend.get_window_extent(figure.canvas.get_renderer())
        if extent.width / figure.dpi / MILLIMETRE <= width or columns == 1:
            return legend, extent.height / figure.dpi / MILLIMETRE + 2.0
        legend.remove()
    raise AssertionError("unreachable: one column is always taken")


def save(figure: "Figure", paths: Iterable[str | os.PathLike]) -> None:
    """Write the figure to each path (``.pdf`` or ``.png``), whole or not at all.

    The same figure gives the same bytes: no date and no version is written.
    """
    undated = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
    for path in paths:
        with look(), replacing(path) as temporary:
            kind = temporary.suffix.lstrip(".").lower()
            figure.savefig(temporary, metadata=undated.get(kind, {"Software": None}), dpi=300)
