"""Segment, correct, train on: the label images that `apply` writes are trained on."""

import numpy as np
import pandas as pd
import pytest
import tifffile

from workflow_runner import TINY, Workflow

HEADS = "inner-distance+pixelwise"


@pytest.mark.slow  # test_apply.py has the files, test_label_images.py their names
def test_corrected_label_images_of_apply_are_trained_on(checkout, tmp_path):
    runs = [{"model": "small", "heads": HEADS, "subset": "full", "seed": 0}]
    few = {"cell_types": ["BV2"], "images": {"train": 1, "val": 1, "test": 1}}
    study = {
        **TINY,
        "datasets": {"tiny": {**TINY["datasets"]["tiny"], **few}},
        "training": {**TINY["training"], "epochs": 1},
        "models": {"small": {"family": "unet", "width": 2}},
        "experiments": {"one": {"title": "One", "conditions": runs, "figures": []}},
    }
    workflow = Workflow.copy(checkout, tmp_path / "checkout", study)
    run = f"results/tiny/runs/small/{HEADS}/full/seed-0"
    done = workflow.call(f"{run}/segmentation.json")
    assert done.returncode == 0, done.stdout
    images = workflow.folder / "results/data/tiny/source/images"
    options = ("apply", "--config", f"apply={{run: {run}, images: {images}, output: found}}")
    done = workflow.call(*options)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "Open found/overview.html"

    # By hand, as in napari: cells drawn into the files, which keep their names.
    written = sorted((workflow.folder / "found/labels").rglob("*_labels.tif"))
    assert len(written) == len(list(images.rglob("*.tif"))) == 3
    for number, path in enumerate(written):
        labels = np.zeros_like(tifffile.imread(path))
        labels[20:60, 20:60], labels[70:90, 70:90] = 1, 2
        split = ("train", "val", "test")[number]
        target = workflow.folder / "corrected" / split / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(target, labels)
    folders = {split: f"corrected/{split}" for split in ("train", "val", "test")}
    own = {"kind": "local", "images": str(images), "labels": folders}
    workflow.configure({**study, "dataset": "mine", "datasets": {"mine": own}})
    done = workflow.call(f"{run.replace('tiny', 'mine')}/history.csv")
    assert done.returncode == 0, done.stdout
    table = pd.read_parquet(workflow.folder / "results/data/mine/annotations/train.images.parquet")
    assert table["n_cells"].tolist() == [2]
    assert f"{table['image'][0]}_labels.tif" == written[0].name
