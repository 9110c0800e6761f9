"""A run that starts from one of another data set: trained through the workflow, and replanned."""

import copy
import json

import numpy as np
import pandas as pd
import pytest

from cellseg.models import keras_files
from workflow_runner import Workflow

HEADS = "pixelwise"
RUN = "results/{dataset}/runs/{model}/" + HEADS + "/full/seed-0"
SOURCE = RUN.format(dataset="others", model="first")
FINE = RUN.format(dataset="mine", model="fine")
PLAIN = RUN.format(dataset="mine", model="plain")

IMAGES = {"kind": "simulated", "images": {"train": 1, "val": 1, "test": 1}, "height": 96,
          "width": 96}  # fmt: skip
UNET = {"family": "unet", "width": 4}
STUDY = {
    "dataset": "mine",
    "datasets": {
        "mine": {**IMAGES, "cell_types": ["BV2"]},
        "others": {**IMAGES, "cell_types": ["A172"]},
    },
    "tilings": {"cut-64": {"size": 64, "tile_overlap": 0}},
    "training": {
        "tiling": "cut-64",
        "epochs": 1,
        "batch_size": 4,
        "precise_batch_norm_batches": 1,
    },
    "models": {
        "first": UNET,
        "plain": UNET,
        "fine": {
            **UNET,
            "start_from": {"model": "first", "dataset": "others", "freeze": ["down_1_*"]},
        },
    },
    "subsets": {"full": {}},
    "accelerator": "cpu",
    "experiments": {
        "transfer": {
            "title": "Does it help?",
            "figures": [],
            "conditions": [
                {"model": ["fine", "plain"], "heads": HEADS, "subset": "full", "seed": 0}
            ],
        }
    },
}


@pytest.fixture(scope="module")
def finished(checkout, tmp_path_factory):
    """A checkout in which a run and the one that it starts from were trained."""
    workflow = Workflow.copy(checkout, tmp_path_factory.mktemp("starts") / "checkout", STUDY)
    done = workflow.call(f"{FINE}/weights.h5")
    assert done.returncode == 0, done.stdout
    return workflow


@pytest.mark.slow
def test_the_run_to_start_from_is_trained_first(finished):
    first, fine = (keras_files.read(finished.folder / run / "weights.h5") for run in (SOURCE, FINE))
    assert first.keys() == fine.keys()
    alike = {key for key in first if np.array_equal(first[key], fine[key])}
    assert alike == {key for key in first if key[0].startswith("down_1_")}
    record = json.loads((finished.folder / FINE / "provenance.json").read_text())
    [link] = record["started_from"]
    assert (link["dataset"], link["model"], link["kind"]) == ("others", "first", "simulated")
    assert (link["take"], link["freeze"], link["train_images"]) == ("all", ["down_1_*"], 1)
    assert not (finished.folder / "results/others/tables").exists()  # trained, not scored


@pytest.mark.slow
def test_it_is_trained_again_when_the_other_is(finished):
    target = f"{FINE}/weights.h5"
    assert finished.planned(target) == {}
    plain = finished.planned(f"{PLAIN}/weights.h5")
    assert plain["train"] == 1 and finished.planned(f"{SOURCE}/weights.h5") == {}
    for model, trainings in {"first": 2, "fine": 1, "plain": 0}.items():
        changed = copy.deepcopy(STUDY)
        changed["models"][model]["training"] = {"learning_rate": 0.002}
        finished.configure(changed)
        assert finished.planned(target).get("train", 0) == trainings, model
    changed = copy.deepcopy(STUDY)
    changed["models"]["fine"]["start_from"] = {"file": f"{SOURCE}/export.zip"}
    finished.configure(changed)
    plan = finished.planned(target)
    assert (plan["export"], plan["train"]) == (1, 1)
    finished.configure(STUDY)
    assert finished.planned(target) == {}


STARS, FLOWS, BOXES = "star-distances+object-probability", "flows+fgbg", "instances"
CHAINS = {
    "stars": ({"family": "stardist", "depth": 2, "width": 4}, STARS, {"freeze": "backbone"}),
    "flowing": ({"family": "cellpose", "width": 4}, FLOWS, {"take": "all-but-heads", "rate": 0.1}),
    "boxes": ({"family": "maskrcnn", "preset": "small"}, BOXES, {"freeze": "backbone"}),
    "cascade": ({"family": "cascade", "preset": "small"}, BOXES,
                {"take": "all-but-heads", "freeze": ["features.*"]}),
}  # fmt: skip
"""By model that starts: its kind, heads, and how it starts."""


def _chains() -> dict:
    """Each model starts from one of another data set; the cascade from what started itself."""
    models = {
        "first-stars": CHAINS["stars"][0],
        "first-flowing": CHAINS["flowing"][0],
        "first-boxes": CHAINS["boxes"][0],
    }
    for name, (kind, _, how) in CHAINS.items():
        source = "boxes" if name == "cascade" else f"first-{name}"
        dataset = {} if name == "cascade" else {"dataset": "others"}
        models[name] = {**kind, "start_from": {"model": source, **dataset, **how}}
    conditions = [
        {"model": name, "heads": heads, "subset": "full", "seed": 0}
        for name, (_, heads, _) in CHAINS.items()
    ]
    return {
        **STUDY,
        "tilings": {"crop-64": {"mode": "crop", "size": 64, "tile_overlap": 0}},
        "training": {**STUDY["training"], "tiling": "crop-64", "clipnorm": None},
        "heads": {"star-distances": {"grid": 2}},
        "segmentation_by_heads": {
            STARS: {"method": "star-nms", "grid": 2},
            FLOWS: {"method": "flow-tracking"},
        },
        "models": models,
        "experiments": {"transfer": {"title": "?", "figures": [], "conditions": conditions}},
    }


@pytest.mark.slow
def test_other_families_start_from_runs_too(checkout, tmp_path):
    """From the configuration to weights, provenance and the table of it."""
    pytest.importorskip("torch")
    from cellseg.models.pytorch import state_files

    workflow = Workflow.copy(checkout, tmp_path / "checkout", _chains())
    done = workflow.call("results/mine/tables/provenance.csv")
    assert done.returncode == 0, done.stdout
    runs = {name: RUN.format(dataset="mine", model=name).replace(HEADS, heads)
            for name, (_, heads, _) in CHAINS.items()}  # fmt: skip
    records = {name: json.loads((workflow.folder / run / "provenance.json").read_text())
               for name, run in runs.items()}  # fmt: skip
    for name, record in records.items():
        link = record["started_from"][0]
        assert link["family"] == ("maskrcnn" if name == "cascade" else CHAINS[name][0]["family"])
    assert [one["model"] for one in records["cascade"]["started_from"]] == ["boxes", "first-boxes"]
    boxes, cascade = (
        state_files.read(workflow.folder / runs[name] / "weights.h5")
        for name in ("boxes", "cascade")
    )
    shared = [name for name in cascade if name.startswith("features.")]
    assert len(shared) > 50
    for name in shared:
        assert np.array_equal(boxes[name], cascade[name]), name
    table = pd.read_csv(workflow.folder / "results/mine/tables/provenance.csv")
    started = table.set_index("model")["started_from"]
    assert "first-boxes" in started["cascade"] and " < " in started["cascade"]
