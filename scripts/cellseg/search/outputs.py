"""The table of a search, a row a trial and rung, and its best trial as an entry of ``models``."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from cellseg.io import atomic, csv_file
from cellseg.search.rungs import Row, best
from cellseg.study import search_space, searches
from cellseg.study.runs import in_order


def write(rows: Sequence[Row], path: Path) -> None:
    """Write all rows as CSV, one column a parameter, and which row is the best so far."""
    import pandas as pd

    parameters = list(rows[0].values)
    before, after = searches.COLUMNS[:4], searches.COLUMNS[4:]
    top = best(rows)
    lines = []
    for row in rows:
        fields = {name: getattr(row, name) for name in (*before, *after) if name != "best"}
        fields |= {name: search_space.shown(value) for name, value in row.values.items()}
        fields |= {"best": row is top, "runs": " ".join(row.runs)}
        fields |= {"score": "" if math.isnan(row.score) else repr(row.score)}
        lines.append(fields)
    columns = [*before, *parameters, *after]
    # Objects, so that a column of mixed values is written as it is.
    csv_file.write(path, pd.DataFrame(lines, columns=columns, dtype=object))


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
