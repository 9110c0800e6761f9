"""Tables of an experiment as LaTeX, to be put into a paper with ``\\input``."""

from collections.abc import Sequence

from cellseg.formatted.content import Row, Table, Value

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
NEEDS = "% Needs \\usepackage[T1]{fontenc}, \\usepackage{booktabs} and \\usepackage{graphicx}.\n"


def escape(text: str) -> str:
    r"""Text as LaTeX prints it; ``a_b`` becomes ``a\_b``."""
    return text.translate(_SPECIAL)


def document_part(tables: Sequence[Table]) -> str:
    """One ``table`` a table; wider ones shrink to the line."""
    return NEEDS + "\n".join(map(_float, tables))


def _float(table: Table) -> str:
    names, scores = len(table.names), len(table.scores)
    heads = [*table.names, *(score.name for score in table.scores), "seeds"]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption[{{{escape(table.title)}}}]{{\textbf{{{escape(table.title)}.}} "
        rf"{escape(' '.join(table.notes))}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{'l' * names}{'r' * scores}r}}",
        r"\toprule",
        " & ".join(map(escape, heads)) + r" \\",
        r"\midrule",
        *(_row(row, 1) for row in table.rows),
        *([r"\midrule"] if table.beneath else []),
        *(_row(row, names) for row in table.beneath),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(row: Row, columns: int) -> str:
    names = [escape(text) for text in row.names]
    if columns > 1:
        names = [rf"\multicolumn{{{columns}}}{{l}}{{{text}}}" for text in names]
    return " & ".join([*names, *map(_value, row.values), escape(row.seeds)]) + r" \\"


def _value(value: Value) -> str:
    mean = rf"\textbf{{{value.number}}}" if value.marked else escape(value.number)
    return mean + (rf" $\pm$ {value.interval}" if value.interval else "")
