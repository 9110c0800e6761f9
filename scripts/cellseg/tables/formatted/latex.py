"""Tables of an experiment as LaTeX, to be put into a paper with ``\\input``."""

from collections.abc import Sequence

from cellseg.tables.formatted.content import Row, Table, Value

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
HEAD = r"""% Needs \usepackage[T1]{fontenc} and \usepackage{array,booktabs,graphicx}.
\providecommand{\withinterval}[2]{%
  \begin{tabular}[t]{@{}r@{}}#1\\[-.5ex]{\scriptsize$\pm$ #2}\end{tabular}}
"""
CHARACTER, WIDEST, GAP = 1.5, 36.0, 2.2  # mm: a character, a column of names, between columns


def escape(text: str) -> str:
    r"""Text as LaTeX prints it; ``a_b`` becomes ``a\_b``."""
    return text.translate(_SPECIAL)


def document_part(tables: Sequence[Table]) -> str:
    """One ``table`` a table; wider ones shrink to the line."""
    return HEAD + "\n".join(map(_float, tables))


def _float(table: Table) -> str:
    widths = _widths(table)
    columns = "".join(rf">{{\raggedright\arraybackslash}}p{{{width:.0f}mm}}" for width in widths)
    heads = [*table.names, *(score.name for score in table.scores), "seeds"]
    title, first, *others = map(escape, (table.title, *table.notes))
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption[{{{title}}}]{{\textbf{{{title}.}} {first}}}",
        r"\smallskip",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{columns}{'r' * (len(table.scores) + 1)}}}",
        r"\toprule",
        " & ".join(map(escape, heads)) + r" \\",
        r"\midrule",
        *(_row(row) for row in table.rows),
        *([r"\midrule"] if table.beneath else []),
        *(_row(row, widths) for row in table.beneath),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\par\smallskip\begin{minipage}{\linewidth}\footnotesize",
        "\n\n".join(others),
        r"\end{minipage}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _widths(table: Table) -> list[float]:
    """Widths of the columns of names, in mm; longer names are broken."""
    columns = list(zip(table.names, *(row.names for row in table.rows), strict=True))
    if table.beneath:
        # Names that span all columns may take two lines.
        share = max(len(row.names[0]) for row in table.beneath) // (2 * len(columns))
        columns = [(*texts, "x" * share) for texts in columns]
    return [min(WIDEST, CHARACTER * (1 + max(map(len, texts)))) for texts in columns]


def _row(row: Row, spanned: Sequence[float] = ()) -> str:
    """One line; its only name spans the columns of the given widths, if any."""
    names = [escape(text) for text in row.names]
    if len(spanned) > 1:
        width = sum(spanned) + GAP * (len(spanned) - 1)
        form = rf">{{\raggedright\arraybackslash}}p{{{width:.0f}mm}}"
        names = [rf"\multicolumn{{{len(spanned)}}}{{{form}}}{{{names[0]}}}"]
    return " & ".join([*names, *map(_value, row.values), escape(row.seeds)]) + r" \\"


def _value(value: Value) -> str:
    mean = rf"\textbf{{{value.number}}}" if value.marked else escape(value.number)
    return rf"\withinterval{{{mean}}}{{{value.interval}}}" if value.interval else mean
