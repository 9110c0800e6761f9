"""Reading what the workflow wrote: files of a run or data set, which may be damaged or foreign."""

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellseg.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def read_json(path: str | os.PathLike, *keys: str) -> dict:
    """A JSON object.

    Parameters
    ----------
    keys : that it must have

    Raises
    ------
    UserError
        It cannot be read, is no object, or lacks a key.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
        missing = [key for key in keys if key not in content]
        if missing:
            raise ValueError(f"it lacks '{missing[0]}'")
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    return content


def read_parquet(path: str | os.PathLike, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """A table.

    Parameters
    ----------
    columns : to read; None reads all

    Raises
    ------
    UserError
        It cannot be read or lacks a column.
    """
    import pandas as pd

    try:
        # As a file: pandas takes some names for addresses.
        with open(path, "rb") as file:
            return pd.read_parquet(file, columns=None if columns is None else list(columns))
    except (OSError, ValueError, KeyError) as error:
        raise damaged(path, error) from error


def damaged(path: str | os.PathLike, error: Exception) -> UserError:
    """What is said of a file of results that cannot be used."""
    why = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return UserError(
        f"{path} is missing, damaged or of another version ({why}). Delete it and run again: the "
        "workflow makes it. If it came from another machine, copy it again."
    )
