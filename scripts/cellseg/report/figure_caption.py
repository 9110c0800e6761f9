"""The words of a figure as a file next to it, for reports and papers."""

import os
from typing import TYPE_CHECKING

from cellseg.figures import style
from cellseg.io.atomic import replacing
from cellseg.report import markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write(figure: "Figure", path: str | os.PathLike) -> None:
    """Write title, subtitle and note, whether the figure shows them or not.

    Parameters
    ----------
    figure : drawn by a function of :mod:`cellseg.figures`
    path : of the caption, reStructuredText, which a report includes
    """
    caption = style.caption_of(figure)
    title = caption.title.rstrip(".")
    ending = "" if title.endswith(("?", "!")) else "."
    said = [f"**{markup.text(title)}{ending}**"] if title else []
    said += [markup.text(words) for words in (caption.subtitle, caption.note) if words]
    with replacing(path) as temporary:
        temporary.write_text("\n\n".join(said) + "\n", encoding="utf-8")
