"""Tables of text that the user gives as CSV, as programs and countries write them."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellseg.errors import UserError
from cellseg.io import zip_files

if TYPE_CHECKING:
    import pandas as pd

OTHERS = (";", "\t")
"""What separates columns where a comma is in numbers, and in tables copied from a spreadsheet."""


def read(
    path: str | os.PathLike, columns: Sequence[str], numbers: Sequence[str] = ()
) -> "pd.DataFrame":
    """Read a CSV table as text.

    A byte order mark, any line ends, spaces after separators and packed files are read. Columns may
    be separated by commas, or by the semicolons or tabs of the header.

    Parameters
    ----------
    columns : that the table must have
    numbers : those of them whose commas become points where semicolons separate columns

    Returns
    -------
    DataFrame of str : empty text where nothing is written

    Raises
    ------
    UserError
        It cannot be read, or lacks a column. Names the file and what to do.
    """
    import pandas as pd

    how = {"dtype": str, "keep_default_na": False, "skipinitialspace": True}
    try:
        [*header] = pd.read_csv(path, nrows=0, **how).columns
        found = [one for one in OTHERS if len(header) == 1 and one in header[0]]
        table = pd.read_csv(path, sep=found[0] if found else ",", **how)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error}). Save it as UTF-8.") from error
    except (*zip_files.BROKEN, ValueError) as error:  # also of a gzip archive
        why = str(error).strip()
        raise UserError(f"{path} is no CSV table ({why}). Copy or export it again.") from error
    table.columns = [str(name).strip() for name in table.columns]
    lacking = [name for name in columns if name not in table]
    if lacking:
        given = ", ".join(table.columns[:12])
        raise UserError(
            f"{path} lacks the column {', '.join(lacking)}. It needs {', '.join(columns)}, and has "
            f"{given}."
        )
    for name in numbers if found == [";"] else ():
        table[name] = table[name].str.replace(",", ".")
    return table
