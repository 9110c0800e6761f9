"""The files in which Snakemake measures a job."""

import os
from pathlib import Path

from cellseg.io import tolerant


def read(path: str | os.PathLike) -> dict[str, float] | None:
    """What one job took; None where the file is missing, empty or broken off.

    Returns
    -------
    dict of the columns that have a number: ``s`` (seconds), ``max_rss`` (MiB), ``mean_load`` (per
    cent of one processor), …
    """
    rows = tolerant.table(Path(path))
    # Snakemake writes "-" or "NA" for a job too short to be measured.
    said = {name: tolerant.number(text) for name, text in rows[0].items()} if rows else {}
    row = {name: number for name, number in said.items() if number is not None}
    return row if "s" in row else None
