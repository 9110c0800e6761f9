"""Pieces of reStructuredText, which Snakemake's report takes for its front page."""

import re
from collections.abc import Sequence


def text(words: object) -> str:
    """Words in one line, in which nothing is taken for markup."""
    one_line = " ".join(str(words).split())
    escaped = re.sub(r"([\\`*_|])", r"\\\1", one_line)
    # At the start of a paragraph or cell also what would begin a list or a directive.
    escaped = re.sub(r"^([^\w\s\\])", r"\\\1", escaped)
    return re.sub(r"^(\w+)([.)]\s)", r"\1\\\2", escaped)


def code(words: object) -> str:
    """A name or path in the type of code, in one line."""
    return f"``{' '.join(str(words).replace('``', '` `').split())}``"


def heading(words: str, level: int = 1) -> str:
    """A heading; level 0 is the title of the page."""
    return f"{text(words)}\n{'=-~'[level] * max(4, len(text(words)))}\n"


def table(names: Sequence[str], rows: Sequence[Sequence[str]], kind: str) -> str:
    """A table; cells are markup already.

    Parameters
    ----------
    names : of the columns
    kind : class that the style sheet knows it by
    """
    lines = [".. csv-table::", "   :header-rows: 1", f"   :class: {kind}", "   :widths: auto", ""]
    for row in (names, *rows):
        quoted = ('"' + " ".join(cell.split()).replace('"', '""') + '"' for cell in row)
        lines.append(f"   {', '.join(quoted)}")
    return "\n".join([*lines, ""])


def bullets(items: Sequence[str]) -> str:
    """A list; items are markup already."""
    return "".join(f"- {item}\n" for item in items)
