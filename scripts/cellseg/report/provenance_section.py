"""The section of the front page that says what the runs were made with, and where they differ."""

from pathlib import Path

import pandas as pd

from cellseg.io import run_files
from cellseg.io.wording import number_of
from cellseg.report import origins
from cellseg.report.markup import code, table, text

FACTS = {
    "commit": "commit of the workflow",
    "uncommitted_changes": "uncommitted changes",
    "device": "device",
    "platform": "system",
    "threads": "threads of a training",
    "python": "Python",
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "tf_keras": "tf_keras (legacy Keras)",
    "deepcell": "deepcell",
    "numpy": "NumPy",
}
"""Columns of the provenance as the page calls them; other packages by their own name."""

OTHERS = [*origins.RUN, "finished", "seconds"]
OTHERS += [
    origins.CHAIN,
    origins.LICENCES,
    "train_images",
    "synthetic_images",
    "pseudo_images",
    "val_images",
    "train_tiles",
    "parameters",
]
OTHERS += origins.TRAINING
"""Columns that differ between runs on purpose, or that differ in every run."""

VALUES = {"True": "yes", "False": "no"}


def write(provenance: pd.DataFrame, snakemake_version: str, folder: Path) -> str:
    """Facts with their values and the runs that have each.

    Parameters
    ----------
    provenance : from :func:`cellseg.report.origins.table`
    snakemake_version : of the Snakemake that made the page
    folder : of the data set's results, as the page names it
    """
    facts = [*FACTS, *(name for name in provenance if name not in (*FACTS, *OTHERS))]
    rows, differing = [], []
    for fact in facts:
        # Which packages a run needs is a matter of its model's family, no difference of machines.
        shared = [
            one for one in origins.by_value(provenance, fact) if one.value != origins.NOT_USED
        ]
        name = FACTS.get(fact, fact)
        if len(shared) > 1:
            differing.append(name)
        for place, one in enumerate(shared):
            value = VALUES.get(one.value, one.value)
            shown = code(value) if fact == "commit" else text(value)
            rows.append([text(name) if place == 0 else "", shown, text(one.runs)])
    rows.append(["Snakemake", text(snakemake_version), "this page"])
    days = sorted(str(when)[:16].replace("T", " ") for when in provenance["finished"].dropna())
    if days:
        rows.append(
            ["trainings finished, UTC", f"{days[0]} to {days[-1]}", "the first and the last"]
        )
    sentences = (
        f"**The runs differ in: {text(', '.join(differing))}.**"
        if differing
        else "All runs were made alike."
    )
    changed = sum(one is True for one in provenance["uncommitted_changes"].tolist())
    if changed:
        sentences += (
            f" **{number_of(changed, 'run')} came from a checkout with uncommitted changes**, so "
            "that the commit alone does not give the code."
        )
    return (
        f"{sentences} The record of each run is its {code(run_files.PROVENANCE)}; all of them in a "
        f"table: {code(folder / 'tables' / 'provenance.csv')}.\n\n"
        f"{table(['fact', 'value', 'runs'], rows, 'provenance')}{_chains(provenance)}"
    )


def _chains(provenance: pd.DataFrame) -> str:
    """A table of what runs started from, with the terms of those images; empty where none did."""
    rows = []
    for name, runs in provenance[provenance[origins.CHAIN] != ""].groupby(origins.CHAIN):
        terms = " ".join(dict.fromkeys(runs[origins.LICENCES]))
        rows.append([text(name), number_of(len(runs), "run"), text(terms)])
    if not rows:
        return ""
    head = ["started from, the last one first", "runs", "terms of its images, which apply too"]
    return (
        f"\n\nSome trainings started from trained networks.\n\n{table(head, rows, 'started-from')}"
    )
