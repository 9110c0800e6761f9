"""What the runs of a study were made with, and where they differ in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cellseg.io import made_files
from cellseg.io.wording import plural
from cellseg.study.runs import AXES, Run
from cellseg.training import start
from cellseg.training.start import CHAIN

RUN = ["dataset", *AXES]
VERSIONS = ("python", "numpy", "tensorflow", "keras", "tf_keras", "deepcell")
"""Of these there is a column also where no run names one; other packages come after them."""

TRAINING = ("steps", "tiles_seen", "seconds_of_epochs")
"""What a training came to."""

LICENCES = "started_from_licences"
"""Column with the terms of the images of what a run started from."""

NOT_USED = "-"
"""As the version of a package that a run did not import."""


def table(runs: Sequence[Run], paths: Sequence[str | Path]) -> pd.DataFrame:
    """Provenance of all runs, a row each.

    Parameters
    ----------
    runs : in the order of `paths`
    paths : their ``provenance.json``

    Returns
    -------
    DataFrame
        dataset, model, heads, subset, seed, finished (UTC), commit (empty outside of a checkout),
        uncommitted_changes, device, platform, threads, seconds (of the last attempt of the
        training), started_from (what its training started from, then what that started from; empty
        for nothing), started_from_licences (terms of the images of those), train_images,
        synthetic_images and pseudo_images (besides those: synthetic ones and those with
        pseudo-labels, 0 where a run records none), val_images and train_tiles
        (numbers), steps, tiles_seen and seconds_of_epochs (of all attempts, with validation; None
        where a run records none), parameters, and the version of
        each package in a column, :data:`NOT_USED` if a run did without it

    Raises
    ------
    UserError
        A file is missing or no JSON.
    """
    rows = [_row(run, made_files.read_json(path)) for run, path in zip(runs, paths, strict=True)]
    packages = [name for row in rows for name in row["versions"]]
    made = []
    for row in rows:
        versions = row.pop("versions")
        made.append(
            {**row, **{n: versions.get(n, NOT_USED) for n in dict.fromkeys([*VERSIONS, *packages])}}
        )
    return pd.DataFrame(made)


def _row(run: Run, read: dict) -> dict:
    names = (
        "finished",
        "commit",
        "uncommitted_changes",
        "device",
        "platform",
        "threads",
        "seconds",
    )
    return {
        **{axis: getattr(run, axis) for axis in RUN},
        **{name: read.get(name) for name in names},
        "train_images": len(read.get("train_images", [])),
        CHAIN: " < ".join(start.of_link(one).replace("`", "") for one in read.get(CHAIN, [])),
        LICENCES: " ".join(dict.fromkeys(start.licence(one) for one in read.get(CHAIN, []))),
        "synthetic_images": read.get("synthetic_images", 0),
        "pseudo_images": read.get(start.OF_PSEUDO, {}).get("images", 0),
        "val_images": len(read.get("val_images", [])),
        "train_tiles": read.get("train_tiles"),
        **{name: read.get(name) for name in TRAINING},
        "parameters": read.get("parameters"),
        "versions": read.get("versions", {}),
    }


@dataclass(frozen=True)
class Shared:
    """A value of one fact, and the runs that have it, in words."""

    value: str
    runs: str


def by_value(table: pd.DataFrame, fact: str) -> list[Shared]:
    """Values of one column, the one of most runs first, and which runs have each."""
    values = table[fact].astype(object).where(table[fact].notna(), "not recorded").map(str)
    return [
        Shared(value, _which(table, values == value))
        for value in values.value_counts(sort=True).index
    ]


def _which(table: pd.DataFrame, chosen: pd.Series) -> str:
    """Some runs in words: by their models where those have no other runs, else by name."""
    some = table[chosen]
    number = f"{len(some):,} of {len(table):,} runs" if len(table) > 1 else "the one run"
    if len(some) == len(table):
        return number.replace(f"{len(some):,} of", "all") if len(table) > 1 else number
    models = list(dict.fromkeys(some["model"]))
    if not set(models) & set(table.loc[~chosen, "model"]):
        return f"{number}: {plural(len(models), 'model')} {', '.join(models)}"
    names = [
        f"{row.model}/{row.heads}/{row.subset}/seed-{row.seed}" for row in some.head(3).itertuples()
    ]
    more = f" and {len(some) - 3:,} more" if len(some) > 3 else ""
    return f"{number}: {', '.join(names)}{more}"
