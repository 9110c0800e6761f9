"""A hook of MkDocs: every published score, from its table, in the reference page."""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TABLE = CHECKOUT / "workflow/published.csv"
PAGE = "reference/published.md"
PLACE = "<!-- every published score follows here in the built site -->"

sys.path.insert(0, str(CHECKOUT / "scripts"))

from cellseg.tables import paper_names, papers, published  # noqa: E402
from cellseg.tables.formatted import papers_page  # noqa: E402


def on_page_markdown(markdown: str, page, **_) -> str:
    """Write the tables into the page that has the place for them."""
    if page.file.src_uri != PAGE:
        return markdown
    if PLACE not in markdown:
        raise ValueError(f"docs/{PAGE} has no line {PLACE}")
    return markdown.replace(PLACE, tables(published.read(TABLE)))


def on_serve(server, **_):
    """Build again when the table changes."""
    server.watch(str(TABLE))
    return server


def tables(figures: list[published.Figure]) -> str:
    """A section of Markdown for each document, with a row a figure."""
    sections = []
    for source in paper_names.PAPERS.values():
        own = [figure for figure in figures if figure.source == source]
        notes = {note: number for number, note in enumerate(dict.fromkeys(f.note for f in own), 1)}
        rows = [
            (
                papers.name(figure),
                figure.cell_type,
                papers_page.heading(figure.metric)
                + (", small objects removed" if figure.small_objects == "removed" else ""),
                papers.value(figure),
                f"({notes[figure.note]})",
                "comparable" if figure.comparable else "; ".join(papers.reasons(figure)),
            )
            for figure in own
        ]
        head = ("system", "cell type", "score", "published", "printed in", "what differs")
        lines = [f"| {' | '.join(map(_cell, row))} |" for row in (head, *rows)]
        lines.insert(1, "|---" * len(head) + "|")
        printed = "\n".join(f"{number}. {_cell(note)}" for note, number in notes.items())
        sections.append(
            f"## {_cell(source)}\n\n" + "\n".join(lines) + f"\n\nPrinted in:\n\n{printed}\n"
        )
    return "\n".join(sections)


def _cell(text: str) -> str:
    """Words in which nothing is taken for Markdown."""
    for sign in "\\`*_<>|[]":
        text = text.replace(sign, f"\\{sign}")
    return text
