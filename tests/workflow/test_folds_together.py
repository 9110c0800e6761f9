"""Test images scored by the networks of all folds together, through the workflow."""

import json

import h5py
import pandas as pd
import pytest

from cellseg.io import exports
from workflow_runner import Workflow

STUDY = {
    "dataset": "mine",
    "datasets": {
        "mine": {"kind": "simulated", "cell_types": ["BV2"], "height": 96, "width": 96,
                 "images": {"train": 3, "val": 1, "test": 2}},
    },
    "tilings": {"cut-64": {"size": 64, "tile_overlap": 0}},
    "training": {"tiling": "cut-64", "epochs": 1, "batch_size": 4,
                 "precise_batch_norm_batches": 1},
    "models": {"unet": {"family": "unet", "width": 4}},
    "subsets": {
        "two": {"folds": {"count": 2, "images": "training", "validation": "held-out",
                          "scored": "split", "ensemble": True}},
    },
    "accelerator": "cpu",
    "threshold_searches": {"some": {"maxima_threshold": [0.02, 0.05]}},
    "experiments": {
        "together": {
            "title": "Are two better than one?",
            "figures": [],
            "threshold_search": "some",
            "conditions": [{"model": "unet", "heads": "fgbg", "subset": "two", "seed": 0}],
        }
    },
}  # fmt: skip
RUN = "results/mine/runs/unet/fgbg/two-all-folds/seed-0"
TABLE = "results/mine/tables/together/summary.csv"


@pytest.mark.slow
def test_all_folds_together_are_one_more_row(checkout, tmp_path):
    workflow = Workflow.copy(checkout, tmp_path / "checkout", STUDY)
    done = workflow.call(TABLE)
    assert done.returncode == 0, done.stdout
    table = pd.read_csv(workflow.folder / TABLE)
    names = ["two-fold-1", "two-fold-2", "two-all-folds"]
    assert list(table["subset"].unique()) == names and set(table["data_split"]) == {"test"}
    with h5py.File(workflow.folder / RUN / "weights.h5") as file:
        assert sorted(file) == ["fold-1", "fold-2"]
    record = json.loads((workflow.folder / RUN / "provenance.json").read_text())
    assert sorted(record["train_images"]) == sorted(record["val_images"])
    assert sum(map(len, record["members"].values())) == len(record["val_images"]) == 4
    chosen = json.loads((workflow.folder / RUN / "tuning-some/chosen.json").read_text())
    assert chosen
    assert workflow.planned(TABLE) == {}
    export = f"{RUN}/tuning-some/export.zip"
    done = workflow.call(export)
    assert done.returncode == 0, done.stdout
    assert exports.weights_in(workflow.folder / export) == ["weights.h5"]
