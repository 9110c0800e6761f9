"""Tables as CSV files, which appear whole or not at all."""

import os
from typing import TYPE_CHECKING

from cellseg.io.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd


def write(path: str | os.PathLike, table: "pd.DataFrame", digits: int | None = None) -> None:
    """Write a table without its index; what is not known is empty.

    Parameters
    ----------
    digits : significant digits of floats; None for as many as it takes to read the same value

    Raises
    ------
    UserError
        The disk is full. The message names `path`.
    """
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format=digits and f"%.{digits}g")
