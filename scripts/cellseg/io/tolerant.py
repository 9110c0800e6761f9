"""Files and numbers read without an error where they are missing, broken off or being written."""

import csv
import json
from pathlib import Path


def number(value: object) -> float | None:
    """A number, also from text, or None: also for what is not finite."""
    try:
        read = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return read if abs(read) < float("inf") else None


def json_file(path: Path) -> object:
    """Content of a JSON file; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def table(path: Path) -> list[dict]:
    """Rows of a small csv or tsv, by the names of its columns; none where it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
    except (OSError, csv.Error):
        return []
