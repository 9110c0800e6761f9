"""Tables of an experiment as LaTeX, to be put into a paper with ``\\input``."""

from collections.abc import Sequence

from cellseg.io import templates
from cellseg.tables.formatted.content import Table

_SPECIAL = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "±": r"$\pm$",
        "≥": r"$\geq$",
        "≤": r"$\leq$",
        "·": r"$\cdot$",
        "µ": r"$\mu$",
        "²": r"$^2$",
        "…": r"\ldots{}",
        "\n": " ",
    }
)
CHARACTER, WIDEST, GAP = 1.5, 36.0, 2.2  # mm: a character, a column of names, between columns


def escape(text: str) -> str:
    r"""Text as LaTeX prints it; ``a_b`` becomes ``a\_b``."""
    return text.translate(_SPECIAL)


def document_part(tables: Sequence[Table]) -> str:
    """One ``table`` a table; wider ones shrink to the line."""
    sized = []
    for table in tables:
        widths = _widths(table)
        spanning = sum(widths) + GAP * (len(widths) - 1)
        sized.append((table, [f"{width:.0f}" for width in widths], f"{spanning:.0f}"))
    return templates.latex(__file__, escape).render(tables=sized)


def _widths(table: Table) -> list[float]:
    """Widths of the columns of names, in mm; longer names are broken."""
    columns = list(zip(table.names, *(row.names for row in table.rows), strict=True))
    if table.beneath:
        # Names that span all columns may take two lines.
        share = max(len(row.names[0]) for row in table.beneath) // (2 * len(columns))
        columns = [(*texts, "x" * share) for texts in columns]
    return [min(WIDEST, CHARACTER * (1 + max(map(len, texts)))) for texts in columns]
