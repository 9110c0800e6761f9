"""The table of a search, a row a trial and rung, and its best trial as an entry of ``models``."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from cellseg.io import atomic
from cellseg.search.rungs import Row, best
from cellseg.study import search_space, searches
from cellseg.study.runs import in_order


def write(rows: Sequence[Row], path: Path) -> None:
    """Write all rows as CSV, one column a parameter, and which row is the best so far."""
    parameters = list(rows[0].values)
    before, after = searches.COLUMNS[:4], searches.COLUMNS[4:]
    top = best(rows)
    with atomic.replacing(path) as temporary:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*before, *parameters, *after], lineterminator="\n")
            writer.writeheader()
            for row in rows:
                fields = {name: getattr(row, name) for name in (*before, *after) if name != "best"}
                fields |= {name: search_space.shown(value) for name, value in row.values.items()}
                fields |= {"best": row is top, "runs": " ".join(row.runs)}
                fields |= {"score": "" if math.isnan(row.score) else repr(row.score)}
                writer.writerow(fields)


def write_best(row: Row, study: Mapping, path: Path) -> str:
    """Write the model of a row as a config file that can be merged over the study's own.

    Returns
    -------
    str : the name of the model in it
    """
    name = f"{study['hyperparameter_searches'][row.search]['model']}-{row.search}"
    entry = {"models": {name: in_order(study["models"][row.model])}}
    words = (
        f"# The best of search {row.search}: trial {row.trial}, epochs: {row.epochs}, "
        f"{row.measure} {row.score:.4g} on validation images.\n"
    )
    with atomic.replacing(path) as temporary:
        temporary.write_text(words + yaml.safe_dump(entry, sort_keys=False), encoding="utf-8")
    return name
