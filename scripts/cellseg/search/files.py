"""Where the files of a hyperparameter search are, relative to the checkout."""

from collections.abc import Mapping

from cellseg.study.runs import Run

RESULTS = "results"
"""Folder of all results in the checkout."""


def run_path(run: Run) -> str:
    """Folder of a run, relative to the checkout, as Snakemake is asked for it."""
    return f"{RESULTS}/{run.folder}"


def folder_of(study: Mapping, name: str) -> str:
    """Folder of a search's table and figure, relative to the checkout."""
    dataset = study["hyperparameter_searches"][name].get("dataset", study["dataset"])
    return f"{RESULTS}/{dataset}/searches/{name}"


def record_of(study: Mapping, name: str) -> str:
    """JSON file of the runs of a search that diverged, with their settings."""
    return f"{folder_of(study, name)}/diverged.json"
