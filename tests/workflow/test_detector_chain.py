"""An instance detector from images to figures by Snakemake: every rule, and nothing twice."""

import copy
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import tifffile

from workflow_runner import Workflow

pytest.importorskip("torch")

STUDY = {
    "dataset": "tiny",
    "datasets": {
        "tiny": {
            "kind": "simulated",
            "cell_types": ["BV2"],
            "images": {"train": 1, "val": 1, "test": 1},
            "height": 96,
            "width": 96,
        }
    },
    "tilings": {"crop-64": {"mode": "crop", "size": 64, "tile_overlap": 0, "crops_per_image": 2}},
    "training": {"tiling": "crop-64", "epochs": 1, "batch_size": 2},
    "models": {"detector": {"family": "centermask", "preset": "small", "detections": 40}},
    "subsets": {"full": {}},
    "segmentation_by_heads": {"instances": {"method": "painting", "score_threshold": 0}},
    "overlays": {"images": 1},
    "experiments": {
        "first": {
            "title": "Which cells?",
            "conditions": [
                {"model": "detector", "heads": "instances", "subset": "full", "seed": 0}
            ],
            "figures": ["f1-by-cell-type", "contact-sheet"],
        }
    },
}
RUN = "results/tiny/runs/detector/instances/full/seed-0"


def test_a_detector_goes_through_all_rules_once(checkout, tmp_path):
    workflow = Workflow.copy(checkout, tmp_path / "checkout", STUDY)
    export = f"{RUN}/export.zip"
    planned = workflow.planned("all", export)
    assert planned["export"] == planned["predict_instances"] == planned["paint"] == 1
    assert not planned.keys() & {"predict", "segment"}
    done = workflow.call("all", export)
    assert done.returncode == 0, done.stdout
    run = workflow.folder / RUN
    with np.load(run / "labels.npz") as labels:
        [image] = labels.files
        found = labels[image]
    cells = pd.read_parquet(run / "cells.parquet")
    assert found.shape == (96, 96) and 0 < found.max() <= 40
    assert json.loads((run / "segmentation.json").read_text())["segmentation"] == {
        "mask_threshold": 0.5, "method": "painting", "min_size": 0, "score_threshold": 0,
    }  # fmt: skip
    assert len(cells) >= found.max()
    for name in ("instances.zip", "metrics.csv", "coco.csv"):
        assert (run / name).stat().st_size, name
    with zipfile.ZipFile(workflow.folder / export) as archive:
        assert {"weights.safetensors", "example.py", "README.md"} <= set(archive.namelist())
    assert workflow.planned("all", export) == {}


@pytest.mark.slow
def test_runs_of_two_seeds_are_fused_tuned_and_scored(checkout, tmp_path):
    study = copy.deepcopy(STUDY)
    study["models"]["both"] = {"family": "fusion",
                               "members": [{"model": "detector", "seed": [0, 1]}]}  # fmt: skip
    study["threshold_searches"] = {"scores": {"score_threshold": [0.01, 0.1]}}
    conditions = study["experiments"]["first"]["conditions"]
    study["experiments"]["first"] |= {
        "threshold_search": "scores",
        "conditions": [*conditions, {**conditions[0], "model": "both"}],
    }  # fmt: skip
    workflow = Workflow.copy(checkout, tmp_path / "checkout", study)
    planned = workflow.planned()
    assert planned["train"] == planned["predict_instances"] == 2
    assert planned["fuse"] == planned["fuse_validation"] == planned["overlay_of_fusion"] == 1
    done = workflow.call()
    assert done.returncode == 0, done.stdout
    run = workflow.folder / "results/tiny/runs/both/instances/full/seed-0"
    about = json.loads((run / "provenance.json").read_text())
    assert about["members"] == [
        f"results/tiny/runs/detector/instances/full/seed-{seed}/instances.zip" for seed in (0, 1)
    ]
    metrics = pd.read_csv(run / "tuning-scores/metrics.csv")
    assert set(metrics["model"]) == {"both"} and len(metrics) == 2
    assert (run / "tuning-scores/overlay.png").stat().st_size
    summary = pd.read_csv(workflow.folder / "results/tiny/tables/first/summary.csv")
    assert {"detector", "both"} <= set(summary["model"])
    assert workflow.planned() == {}
    export = f"{run.relative_to(workflow.folder)}/tuning-scores/export.zip"
    [image] = metrics["image"].unique()
    [path] = (workflow.folder / "results/data/tiny").rglob(f"{image}*.tif")
    for number, chosen in enumerate([f"run: {run}, tuning: scores", f"run: {export}"]):
        given = f"apply={{{chosen}, images: {path}, output: found-{number}}}"
        done = workflow.call(export, "apply", "--config", given)
        assert done.returncode == 0, done.stdout
        [labels] = (workflow.folder / f"found-{number}/labels").iterdir()
        with np.load(run / "tuning-scores/labels.npz") as made:
            np.testing.assert_array_equal(tifffile.imread(labels), made[image])
