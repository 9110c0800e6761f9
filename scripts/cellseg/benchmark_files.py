"""The files in which Snakemake measures a job."""

import csv
import math
import os
from pathlib import Path


def read(path: str | os.PathLike) -> dict[str, float] | None:
    """What one job took; None where the file is missing, empty or broken off.

    Returns
    -------
    dict of the columns that have a number: ``s`` (seconds), ``max_rss`` (MiB), ``mean_load`` (per
    cent of one processor), …
    """
    try:
        with Path(path).open(newline="") as file:
            first = next(csv.DictReader(file, delimiter="\t"), {})
    except (OSError, UnicodeDecodeError):
        return None
    row = {name: number for name, text in first.items() if (number := _number(text)) is not None}
    return row if "s" in row else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None  # Snakemake writes "-" or "NA" for a job too short to be measured
    return number if math.isfinite(number) else None
