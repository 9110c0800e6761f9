"""Reading the CSV tables of runs and experiments."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

TEXT_COLUMNS = [
    *("dataset", "model", "heads", "subset", "data_split", "image", "cell_type"),
    *("small_objects", "backbone", "device", "cell_types", "tuning", "tuned_by", "validation"),
]


def read(path: str | Path, needed: Sequence[str] = ()) -> "pd.DataFrame":
    """One table; names stay text even where they look like numbers or "NA".

    Only empty fields and "nan" count as missing.

    Parameters
    ----------
    needed : columns that it must have, at least one row of them; none are asked for if empty

    Raises
    ------
    UserError
        The file is missing or no CSV table, lacks a column or, with `needed`, has no rows.
    """
    import pandas as pd

    try:
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(TEXT_COLUMNS, str),
            keep_default_na=False,
            na_values=["", "nan"],
        )
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; make the table it comes from first.") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a CSV table ({error}). Delete it and run again.") from error
    missing = [name for name in needed if name not in table]
    if missing or (needed and table.empty):
        what = f"lacks the columns {', '.join(missing)}" if missing else "has no rows"
        raise UserError(f"{path} {what}. Delete it and run again.")
    return table
