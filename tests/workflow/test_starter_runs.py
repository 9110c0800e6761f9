"""The starter network from the command line: applied without a run, and trained on from."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import simulate_frame
from workflow_runner import Workflow

RUN = "results/mine/runs/{model}/flows+fgbg/full/seed-0"
LIGHT = {"family": "unet", "architecture": "unet-light", "width": 12}
STUDY = {
    "dataset": "mine",
    "datasets": {
        "mine": {"kind": "simulated", "images": {"train": 1, "val": 1, "test": 1}, "height": 128,
                 "width": 128, "cell_types": ["BV2"]},
    },
    "tilings": {"cut-64": {"size": 64, "tile_overlap": 0}},
    "training": {"tiling": "cut-64", "steps": 2, "batch_size": 2, "learning_rate": 1e-4,
                 "precise_batch_norm_batches": 1},
    "models": {"scratch": LIGHT, "tuned": {**LIGHT, "start_from": {"file": "starter"}}},
    "subsets": {"full": {}},
    "accelerator": "cpu",
    "experiments": {
        "both": {
            "title": "Does it help?",
            "figures": [],
            "conditions": [{"model": ["scratch", "tuned"], "heads": "flows+fgbg",
                            "subset": "full", "seed": 0}],
        }
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def workflow(checkout, tmp_path_factory):
    return Workflow.copy(checkout, tmp_path_factory.mktemp("starter") / "checkout", STUDY)


def test_apply_without_a_run_on_a_folder(workflow, tmp_path):
    frame = simulate_frame(CELL_TYPES["BV2"], 30, 160, 180, np.random.default_rng(1))
    (tmp_path / "plate").mkdir()
    tifffile.imwrite(tmp_path / "plate/a.tif", frame.image)
    done = workflow.call("apply", "--config", f"apply={{images: {tmp_path}/plate}}", study=False)
    assert done.returncode == 0, done.stdout
    results = workflow.folder / "results/applied/plate"
    assert "never on a real one" in (results / "apply.log").read_text()
    assert "never on a real one" in (results / "overview.html").read_text()
    assert pd.read_csv(results / "images.csv")["cells"].item() > 3


def test_a_training_starts_from_it(workflow):
    tuned, scratch = (RUN.format(model=model) for model in ("tuned", "scratch"))
    done = workflow.call(f"{tuned}/weights.h5", f"{scratch}/weights.h5")
    assert done.returncode == 0, done.stdout
    [link] = json.loads((workflow.folder / tuned / "provenance.json").read_text())["started_from"]
    assert (link["file"], link["kind"], link["take"]) == ("starter", "simulated", "all")
    losses = [pd.read_csv(workflow.folder / run / "history.csv")["val_loss"].iloc[-1]
              for run in (tuned, scratch)]  # fmt: skip
    assert losses[0] < 0.5 * losses[1]
    assert workflow.planned(f"{tuned}/weights.h5") == {}
    # Moved, it is not trained again.
    moved = Workflow(workflow.folder.rename(workflow.folder.with_name("moved")), STUDY)
    try:
        assert moved.planned(f"{tuned}/weights.h5") == {}
    finally:
        moved.folder.rename(workflow.folder)


def test_heads_that_it_lacks_are_named(workflow):
    other = copy.deepcopy(STUDY)
    other["experiments"]["both"]["conditions"][0].update(model="tuned", heads="pixelwise")
    workflow.configure(other)
    try:
        target = RUN.format(model="tuned").replace("flows+fgbg", "pixelwise")
        done = workflow.call(f"{target}/weights.h5")
    finally:
        workflow.configure(STUDY)
    assert done.returncode != 0 and "`take: all-but-heads`" in done.stdout
