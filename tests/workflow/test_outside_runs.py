"""Predictions of other programs, scored and drawn by the workflow like runs."""

import copy
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellseg.data.label_folder import encode
from workflow_runner import TINY, Workflow

LABELS = "results/data/tiny/labels/test.npz"
RUN = "results/tiny/runs/{}/external/full/seed-0"
TABLES = "results/tiny/tables/others"
FIGURES = "results/tiny/figures/others"


@pytest.fixture(scope="module")
def workflow(checkout, tmp_path_factory):
    """A study of two predictions and nothing to train; the predictions are the moved true cells."""
    study = copy.deepcopy(TINY)
    study["models"] = {
        **TINY["models"],
        "painted": {"family": "labels", "path": "predictions/painted"},
        "listed": {"family": "labels", "path": "predictions/{seed}.json"},
    }
    study["experiments"] = {
        "others": {
            "title": "Which program?",
            "conditions": [
                {"model": ["painted", "listed"], "heads": "external", "subset": "full", "seed": 0}
            ],
            "figures": ["backbones", "errors", "f1-by-cell-type", "contact-sheet"],
        }
    }
    own = Workflow.copy(checkout, tmp_path_factory.mktemp("outside") / "checkout", study)
    refused = own.call("--dry-run")
    assert refused.returncode != 0
    assert "models.listed.path: predictions/0.json does not exist" in refused.stdout
    done = own.call(LABELS)
    assert done.returncode == 0, done.stdout
    folder = own.folder / "predictions/painted"
    folder.mkdir(parents=True)
    results = []
    with np.load(own.folder / LABELS) as true:
        for image in true.files:
            moved = np.ascontiguousarray(np.roll(true[image], 1, 0))
            tifffile.imwrite(folder / f"{image}_masks.tif", moved.astype(np.uint16))
            for number, rle in enumerate(encode(moved)):
                rle = {"size": rle["size"], "counts": rle["counts"].decode()}
                results.append({"image_id": image, "segmentation": rle, "score": 1 / (1 + number)})
    (folder.parent / "0.json").write_text(json.dumps(results))
    tables = [f"{TABLES}/summary.{kind}" for kind in ("csv", "html")]
    done = own.call(*tables, "figures", RUN.format("painted") + "/overlay.png")
    assert done.returncode == 0, done.stdout
    return own


def test_predictions_are_scored_tabled_and_drawn(workflow):
    runs = pd.read_csv(workflow.folder / TABLES / "runs.csv")
    runs = runs[(runs["cell_type"] == "all") & (runs["small_objects"] == "kept")]
    runs = runs.set_index("model")
    assert (runs["f1_50"] > 0.9).all() and runs["f1_50"].nunique() == 1
    assert (runs["method"] == "from-outside").all()
    # Without scores there is no order of cells, which average precision needs; recall does not.
    assert np.isnan(runs.loc["painted", ["ap", "ap50", "ap75"]].astype(float)).all()
    assert runs.loc["listed", "ap50"] > 0.8
    assert runs.loc["painted", "ar2000"] == runs.loc["listed", "ar2000"] > 0.3
    text = (workflow.folder / TABLES / "summary.html").read_text()
    assert "the score that the other program gave" in text
    for name in ("backbones", "errors", "f1-by-cell-type", "contact-sheet"):
        assert (workflow.folder / FIGURES / f"{name}.png").stat().st_size > 5000
    assert (workflow.folder / RUN.format("painted") / "overlay.png").stat().st_size > 5000
    made = json.loads((workflow.folder / RUN.format("listed") / "provenance.json").read_text())
    assert made["path"] == "predictions/0.json"


def test_only_changed_predictions_are_scored_again(workflow):
    target = f"{TABLES}/summary.csv"
    assert workflow.planned(target) == {}
    [path, *_] = sorted((workflow.folder / "predictions/painted").iterdir())
    path.touch()
    assert workflow.planned(target) == {}
    before = path.read_bytes()
    tifffile.imwrite(path, np.zeros_like(tifffile.imread(path)))
    planned = workflow.planned(target)
    assert planned == {"take_labels": 1, "score_from_outside": 1, "collect": 1}
    path.write_bytes(before)
    assert workflow.planned(target) == {}


def test_results_are_redrawn_without_the_predictions(workflow):
    away = workflow.folder / "away"
    (workflow.folder / "predictions").rename(away)
    try:
        planned = workflow.planned("figures")
        assert "take_labels" not in planned and "train" not in planned
    finally:
        away.rename(workflow.folder / "predictions")


@pytest.mark.parametrize(
    "asked",
    ["results/tiny/runs/painted/pixelwise/full/seed-0/weights.h5",
     "results/tiny/runs/featurenet/external/full/seed-0/metrics.csv"],
)  # fmt: skip
def test_what_no_rule_makes_is_refused_in_the_plan(workflow, asked):
    done = workflow.call("--dry-run", asked)
    assert done.returncode != 0 and "no rule makes this file" in done.stdout


def test_progress_and_plan_know_them(workflow):
    command = [sys.executable, "scripts/progress.py", "--configfile", "study.yaml"]
    command += ["--replace-workflow-config"]  # as the other calls
    done = subprocess.run(command, cwd=workflow.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [row] = [line for line in done.stdout.splitlines() if line.startswith("others")]
    assert row.split()[1:3] == ["2", "2"]  # runs and done
