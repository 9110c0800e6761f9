"""Names that the configuration does not define: refused, with the nearest one that it does."""

import difflib
from collections.abc import Iterable

from cellseg.errors import UserError


def check(where: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is not among the known ones.

    Raises
    ------
    UserError
        Names the place, the nearest known name and all others.
    """
    if name not in known:
        raise UserError(f"{where}: '{name}' is not defined. {nearest(name, list(known))}")


def check_path(where: str, path: str) -> None:
    """Refuse a path that Snakemake would take for a pattern.

    Raises
    ------
    UserError
        Names the place and the path.
    """
    if set("{}") & set(path):
        raise UserError(
            f"{where}: {path} has braces, which mean wildcards to Snakemake. Give the file or "
            "folder another name."
        )


def nearest(name: str, known: list[str]) -> str:
    """What to say of a name that is not known: the nearest one, where one is near, and all."""
    folded = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), list(folded), n=1)
    hint = f"Did you mean '{folded[close[0]]}'? " if close else ""
    return f"{hint}Possible: {', '.join(known)}."
