"""A run that learns the cells another found in unlabelled images: planned, trained, replanned."""

import copy
import json

import cv2
import numpy as np
import pandas as pd
import pytest

from cellseg.io.atomic import open_stack
from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import simulate_frame
from workflow_runner import Workflow

HEADS = "flows+fgbg"
FIRST, SECOND = (f"results/mine/runs/unet/{HEADS}/{subset}/seed-0" for subset in ("full", "more"))
BOXES = "results/mine/runs/boxes/instances/more/seed-0"
FOUND = f"results/data/mine/pseudo-labels/more/unet/{HEADS}/seed-0"
PSEUDO = {"images": "unlabelled", "model": "unet", "heads": HEADS, "subset": "full",
          "threshold_search": "grid", "confidence": 0.5, "max_unsure": 0.5}  # fmt: skip
STUDY = {
    "dataset": "mine",
    "datasets": {
        "mine": {
            "kind": "simulated",
            "cell_types": ["A172"],
            "images": {"train": 1, "val": 1, "test": 1},
            "height": 128,
            "width": 128,
        }
    },
    "tilings": {"crop-64": {"mode": "crop", "size": 64}},
    "training": {
        "tiling": "crop-64",
        "epochs": 1,
        "batch_size": 4,
        "precise_batch_norm_batches": 1,
    },
    "models": {
        # The starter network finds cells without a training worth the name.
        "unet": {
            "family": "unet",
            "architecture": "unet-light",
            "width": 12,
            "start_from": {"file": "starter", "rate": 0.01},
        },
        "boxes": {"family": "centermask", "preset": "small", "detections": 40},
    },
    "segmentation_by_heads": {HEADS: {"method": "flow-tracking"}},
    "threshold_searches": {"grid": {"cell_threshold": [0.4, 0.5]}},
    "subsets": {"full": {}, "more": {"pseudo_labels": PSEUDO}},
    "accelerator": "cpu",
    "experiments": {
        "more": {
            "title": "Does it help?",
            "figures": [],
            "conditions": [{"model": "unet", "heads": HEADS, "subset": "more", "seed": 0}],
        }
    },
}


@pytest.fixture(scope="module")
def checkout_with_images(checkout, tmp_path_factory):
    """A checkout with two unlabelled images."""
    workflow = Workflow.copy(checkout, tmp_path_factory.mktemp("pseudo") / "checkout", STUDY)
    random = np.random.default_rng(5)
    (workflow.folder / "unlabelled").mkdir()
    for number in range(2):
        frame = simulate_frame(CELL_TYPES["A172"], 48, 128, 128, random)
        cv2.imwrite(str(workflow.folder / f"unlabelled/{number}.png"), frame.image)
    return workflow


def test_the_run_that_finds_the_cells_is_planned_first(checkout_with_images):
    plan = checkout_with_images.planned(f"{SECOND}/weights.h5")
    wanted = {"train": 2, "tune": 1, "pseudo_label": 1, "tile_pseudo_labels": 1}
    assert {rule: plan.get(rule) for rule in wanted} == wanted
    assert "predict" not in plan  # of the first run no test image is looked at


def test_a_folder_that_is_not_there_is_named_in_the_plan(checkout_with_images):
    missing = copy.deepcopy(STUDY)
    missing["subsets"]["more"]["pseudo_labels"]["images"] = "none"
    checkout_with_images.configure(missing)
    done = checkout_with_images.call("--dry-run", f"{SECOND}/weights.h5")
    checkout_with_images.configure(STUDY)
    assert done.returncode != 0
    assert "subsets.more.pseudo_labels.images: none is no folder" in done.stdout


@pytest.fixture(scope="module")
def finished(checkout_with_images):
    """With both runs, a detector among those that learn, and a test image among the unlabelled."""
    workflow = checkout_with_images
    assert workflow.call("results/data/mine/source.json").returncode == 0
    [known] = (workflow.folder / "results/data/mine/source").rglob("*test_images/A172/*.tif")
    (workflow.folder / "unlabelled/again.tif").write_bytes(known.read_bytes())
    done = workflow.call(f"{SECOND}/weights.h5", f"{BOXES}/weights.h5")
    assert done.returncode == 0, done.stdout
    return workflow


@pytest.mark.slow
def test_sure_cells_of_unlabelled_images_are_trained_on(finished):
    table = pd.read_csv(finished.folder / FOUND / "images.csv", keep_default_na=False)
    table = table.set_index("image")
    assert table.loc["again.tif", "why"] == "in the test split of the data set"
    assert table["used"].sum() >= 1 and table["sure_cells"].sum() > 5
    labels = open_stack(finished.folder / FOUND / "labels.npz")
    about = json.loads((finished.folder / FOUND / "about.json").read_text())
    assert about["cells"] == sum(labels[key].max() for key in labels)
    assert about["run"]["started_from"][0]["file"] == "starter"
    for run in (SECOND, BOXES):
        record = json.loads((finished.folder / run / "provenance.json").read_text())
        assert record["pseudo_labels"] == about and len(record["train_images"]) == 1
        assert len(record["val_images"]) == 1
        log = (finished.folder / run / "logs/train.log").read_text()
        assert f"of 1 images and {about['images']} with pseudo-labels" in log


@pytest.mark.slow
def test_what_the_cells_depend_on_trains_again(finished):
    target = f"{SECOND}/weights.h5"
    assert finished.planned(target) == {}
    for change, rules in (
        ({"confidence": 0.6}, {"pseudo_label": 1, "tile_pseudo_labels": 1, "train": 1}),
        ({"threshold_search": None}, {"pseudo_label": 1, "tile_pseudo_labels": 1, "train": 1}),
    ):
        changed = copy.deepcopy(STUDY)
        changed["subsets"]["more"]["pseudo_labels"].update(change)
        finished.configure(changed)
        assert finished.planned(target) == rules
        assert finished.planned(f"{FIRST}/weights.h5") == {}
    finished.configure(STUDY)
    image = finished.folder / "unlabelled/0.png"
    before = image.read_bytes()
    cv2.imwrite(str(image), np.full((128, 128), 90, np.uint8))
    assert finished.planned(target)["pseudo_label"] == 1
    image.write_bytes(before)
    assert finished.planned(target) == {}
