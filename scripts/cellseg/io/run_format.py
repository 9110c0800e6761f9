"""The version of a run's files of settings: `settings.json`, `segmentation.json` and others.

A file of another version has other keys, or the same ones with another meaning. It is refused where
it is read, before any of it is used.
"""

import os
from collections.abc import Mapping

from cellseg.errors import UserError
from cellseg.io import made_files

FORMAT = 2
"""Of the files that this version writes and reads. Raise it when a setting changes its name or its
meaning."""
KEY = "format"
FIRST = 1
"""Of files that do not say: it was not written down then."""


def stamped(content: Mapping) -> dict:
    """What to write: the content and its version."""
    return {KEY: FORMAT, **content}


def read(path: str | os.PathLike, *keys: str) -> dict:
    """The content of a file of settings, without its version.

    Parameters
    ----------
    path : JSON file of a run
    keys : that it must have

    Raises
    ------
    UserError
        It is of another version, or as :func:`cellseg.io.made_files.read_json`.
    """
    content = made_files.read_json(path)
    check(path, content)
    missing = [key for key in keys if key not in content]
    if missing:
        raise made_files.damaged(path, ValueError(f"it lacks '{missing[0]}'"))
    return {key: value for key, value in content.items() if key != KEY}


def check(path: str | os.PathLike, content: Mapping) -> None:
    """Refuse a file of settings of another version.

    Parameters
    ----------
    path : for the message
    content : of the file

    Raises
    ------
    UserError
        Names the file and what to do.
    """
    found = content.get(KEY, FIRST)
    if not isinstance(found, int) or isinstance(found, bool):
        raise made_files.damaged(path, ValueError(f"its format is {found!r}"))
    if found < FORMAT:
        raise UserError(
            f"{path} was made by an older version of livecell-bench (format {found}, this one "
            f"reads {FORMAT}), whose settings have other names. Train the run again, or use it "
            "with the release that made it."
        )
    if found > FORMAT:
        raise UserError(
            f"{path} was made by a newer version of livecell-bench (format {found}, this one "
            f"reads {FORMAT}). Use it with that release, or train the run again."
        )
