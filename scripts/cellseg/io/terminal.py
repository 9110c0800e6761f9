"""Tables, paths, sentences and times as text for a terminal, at most 100 columns wide."""

import textwrap

from tabulate import tabulate

WIDTH = 100
UNKNOWN = "-"


def duration(seconds: float | None) -> str:
    """Time in the two largest units that matter: ``3 d 4 h``, ``5 h 12 min``, ``40 s``."""
    if seconds is None:
        return UNKNOWN
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(minutes / 60)
    return f"{hours // 24} d {hours % 24} h"


def aligned(rows: list[list[str]], left: int = 1) -> list[str]:
    """Columns as wide as their widest cell, the first `left` of them flush left.

    A name, in the first column, that does not fit next to the others gets a separate line.
    """
    others = [max(len(row[column]) for row in rows) for column in range(1, len(rows[0]))]
    room = WIDTH - sum(others) - 2 * len(others)
    lines = tabulate(
        [["" if len(row[0]) > room else row[0], *row[1:]] for row in rows],
        tablefmt="plain",
        disable_numparse=True,
        colalign=["left"] * left + ["right"] * (len(rows[0]) - left),
    )
    above = (path_lines(row[0], indent="") if len(row[0]) > room else [] for row in rows)
    return [
        line
        for names, numbers in zip(above, lines.split("\n"), strict=True)
        for line in (*names, numbers)
    ]


def wrapped(text: str, indent: str = "", first: str = "") -> list[str]:
    """Lines of a text; `first` begins the first, `indent` the others."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
    )


def path_lines(path: str, indent: str = "  ") -> list[str]:
    """A path on one line, or broken after a slash where it is too long."""
    lines = [indent]
    for part in path.replace("/", "/\n").split("\n"):
        if len(lines[-1]) + len(part) > WIDTH and lines[-1].strip():
            lines.append(indent)
        lines[-1] += part
    return lines


def cut(line: str) -> str:
    """A line, its end replaced by … where it is too long."""
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
