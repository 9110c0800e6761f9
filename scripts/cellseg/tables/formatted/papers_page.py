"""The published figures of one document next to ours, as an HTML page."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellseg.io import templates
from cellseg.tables import glossary, papers

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = (
    *("system", "cell type", "score", "published", "printed in"),
    *("ours", "our condition", "what differs"),
)


def page(source: str, lines: Sequence[papers.Line], study: str) -> str:
    """The page of a document.

    Parameters
    ----------
    source : the document
    lines : from :func:`cellseg.tables.papers.lines`
    study : what our numbers are of, in a sentence
    """
    return templates.html(__file__).render(
        title=f"{source}, next to ours",
        headings=HEADINGS,
        rows=rows(lines),
        notes=notes(lines, study),
    )


def rows(lines: Sequence[papers.Line]) -> list[tuple[str, ...]]:
    """A row a line, by :data:`HEADINGS`; what is repeated from the row above is left out."""
    where = _printed_in(lines)
    made, before = [], ""
    for line in lines:
        system = papers.name(line.figure)
        shown, before = "" if system == before else system, system
        made.append(
            (
                shown,
                line.figure.cell_type,
                heading(line.figure.metric),
                papers.value(line.figure),
                f"({where[line.figure.note]})",
                ours(line),
                line.ours.condition if line.ours else "",
                line.differs or ("nothing known" if line.ours else ""),
            )
        )
    return made


def _printed_in(lines: Sequence[papers.Line]) -> dict[str, int]:
    """From each place of the document to its number on the page."""
    places = dict.fromkeys(line.figure.note for line in lines)
    return {place: number for number, place in enumerate(places, 1)}


def table(lines: Sequence[papers.Line]) -> "pd.DataFrame":
    """All that the page shows as numbers, a row a line."""
    import pandas as pd

    return pd.DataFrame(
        {
            **vars(line.figure),
            **{
                f"our_{name}": getattr(line.ours, name, None)
                for name in ("condition", "mean", "low", "high", "seeds")
            },
            "same_network": line.same_network,
            "differs": line.differs,
        }
        for line in lines
    )


def heading(metric: str) -> str:
    """What a metric is called in the report; one that is not ours by its own name."""
    score = glossary.KNOWN.get(metric)
    return score.heading if score else metric


def ours(line: papers.Line) -> str:
    """Our mean in the unit of the published figure, with half of the interval; empty for none."""
    if line.ours is None:
        return ""
    scale, digits = {"percent": (100, 2), "ms": (1, 0)}.get(line.figure.unit, (1, 4))
    unit = papers.UNITS.get(line.figure.unit, "")
    half = (line.ours.high - line.ours.low) / 2
    text = f"{scale * line.ours.mean:.{digits}f}"
    text += f" ± {scale * half:.{digits}f}" if math.isfinite(half) else ""
    return f"{text}{unit}"


def notes(lines: Sequence[papers.Line], study: str) -> list[str]:
    """What the columns are, and where each figure was printed."""
    matched = sum(line.ours is not None for line in lines)
    return [
        f"{len(lines)} published figures, {matched} with a matching condition of ours. {study} "
        "Published: as printed. Ours: mean over seeds, ± half of its 95 % t interval from three "
        "seeds up. A condition matches if it was trained on the same cell types and has the score; "
        "next to a network that is not among ours it is the best of our conditions.",
        "Printed in: " + " ".join(f"({n}) {text}." for text, n in _printed_in(lines).items()),
    ]
