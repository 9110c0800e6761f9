"""The files in which Snakemake measures a job."""

import os
from pathlib import Path

from cellseg import lenient


def read(path: str | os.PathLike) -> dict[str, float] | None:
    """What one job took; None where the file is missing, empty or broken off.

    Returns
    -------
    dict of the columns that have a number: ``s`` (seconds), ``max_rss`` (MiB), ``mean_load`` (per
    cent of one processor), …
    """
    for row in lenient.table(Path(path))[:1]:
        # Snakemake writes "-" or "NA" for a job too short to be measured.
        told = {name: lenient.number(text) for name, text in row.items()}
        known = {name: number for name, number in told.items() if number is not None}
        if "s" in known:
            return known
    return None
