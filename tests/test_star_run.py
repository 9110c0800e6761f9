"""From tiles to cells with StarDist's representation: every stage of a run, on cells of seconds."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import tifffile

import small_training
import tiny_run
from cellseg.apply import run as apply_run
from cellseg.data import true_cells
from cellseg.data.label_folder import encode
from cellseg.export import run as export_run
from cellseg.inference import run as predict_run
from cellseg.io import atomic, run_format
from cellseg.scoring import run as scoring
from cellseg.segmentation import run as segmentation
from cellseg.study import segmentation_methods
from cellseg.training import provenance
from cellseg.tuning import run as tuning

HEADS = {"star-distances": {"grid": 2}, "object-probability": {}}
METHOD = segmentation_methods.METHODS["star-nms"]
CHANNELS = {"stored": METHOD.stored(HEADS), "precise": METHOD.precise(HEADS)}
CONDITION = {"dataset": "mine", "model": "net", "heads": "+".join(HEADS), "subset": "full",
             "seed": 0}  # fmt: skip


OPTIONS = {**tiny_run.OPTIONS, "window_overlap": 0}


def truth() -> np.ndarray:
    """Tiles like those of the training, next to one another."""
    tile = np.zeros((32, 32), np.int32)
    tile[3:14, 4:15], tile[18:30, 12:28] = 1, 2
    grid = np.arange(6).reshape(2, 3).repeat(32, 0).repeat(32, 1)
    tiled = np.tile(tile, (2, 3))
    return np.where(tiled > 0, tiled + 2 * grid, 0).astype(np.int32)


def picture() -> np.ndarray:
    random = np.random.default_rng(3)
    return (100 + 60 * (truth() > 0) + random.normal(0, 5, truth().shape)).astype(np.uint8)


@pytest.fixture(scope="module")
def family():
    with small_training.in_this_process("unet") as family:
        yield family


@pytest.fixture(scope="module")
def run(family, tmp_path_factory):
    """Files of a run that was trained for some seconds, and one image with its truth."""
    folder = tmp_path_factory.mktemp("stars")
    settings = small_training.settings(120, family="unet", width=8)
    settings["heads"] = HEADS
    settings["training"].update(learning_rate=0.004, clipnorm=None, batch_norm_momentum=0.9)
    _, stream = small_training.streams(0, HEADS)  # as they are: learnt by heart within seconds
    history = family.train(settings, stream, stream, folder, small_training.state(folder))
    for head in HEADS:
        losses = history[f"{head}_loss"].to_numpy()
        assert losses[-1] < 0.7 * losses[0], head
    record = provenance.record(
        settings, family.versions(), family.device(), train_images=["one"], val_images=["two"],
        parameters=1,
    )  # fmt: skip
    about = {"condition": CONDITION, "tuning": None, "prediction": OPTIONS,
             "segmentation": {"method": "star-nms", "probability_threshold": 0.4}}  # fmt: skip
    atomic.write_json(folder / "settings.json", run_format.stamped(settings))
    atomic.write_json(folder / "provenance.json", record)
    atomic.write_json(folder / "segmentation.json", run_format.stamped(about))
    (folder / "images").mkdir()
    path = folder / "images/one.tif"
    tifffile.imwrite(path, picture())
    pd.DataFrame(
        {"image": ["one"], "path": [str(path)], "cell_type": ["A172"], "n_cells": [12]}
    ).to_parquet(folder / "images.parquet")
    atomic.write_stack(folder / "truth.npz", [("one", truth())])
    drawn = true_cells.draw(list(encode(truth())), *truth().shape)
    atomic.write_stack(folder / "outlines.npz", true_cells.arrays("one", drawn))
    predict_run.predict(
        folder / "settings.json", [folder / "images.parquet"], None, 1, OPTIONS,
        CHANNELS, lambda model: family, folder, folder / "maps.zip", 1,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def scores(run):
    segmentation.segment_run(
        run / "maps.zip", run / "labels.npz", run / "cells.parquet",
        {"method": "star-nms", "probability_threshold": 0.4}, 1,
    )  # fmt: skip
    scoring.score_run(
        run / "truth.npz", run / "outlines.npz", run / "images.parquet", run / "labels.npz",
        run / "cells.parquet", run / "metrics.csv", run / "coco.csv", run / "sizes.csv",
        CONDITION, "test", 15, 1,
    )  # fmt: skip
    return pd.read_csv(run / "metrics.csv")


def test_a_trained_network_finds_the_cells(scores, run):
    assert scores["f1_50"].min() > 0.8
    assert pd.read_csv(run / "coco.csv")["ap50"].max() > 0.7
    assert (np.load(run / "labels.npz")["one"].max()) == 12


def test_thresholds_are_searched(run):
    tuning.tune(
        maps=run / "maps.zip", truths=[run / "truth.npz"],
        tuning={"probability_threshold": [0.2, 0.99], "nms_threshold": [0.3], "score": "msa"},
        segmentation={"method": "star-nms", "probability_threshold": 0.4, "nms_threshold": 0.4},
        chosen=run / "chosen.json", tried=run / "tried.csv", threads=1,
    )  # fmt: skip
    chosen = json.loads((run / "chosen.json").read_text())
    assert chosen["segmentation"]["probability_threshold"] < 0.99
    tried = pd.read_csv(run / "tried.csv")
    assert len(tried) == 3
    assert tried.groupby("probability_threshold")["n_pred"].max()[0.99] < 12


def test_it_is_exported(run, scores, family, tmp_path):
    names = ("settings", "provenance", "segmentation")
    paths = {name: str(run / f"{name}.json") for name in names}
    paths |= {"weights": str(run / "weights.h5"), "metrics": str(run / "metrics.csv"),
              "coco": str(run / "coco.csv")}  # fmt: skip
    export_run.export(paths, [str(run / "images.parquet")], "local", lambda model: family,
                      str(tmp_path / "export.zip"), 1)  # fmt: skip
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        example = archive.read("example.py").decode()
        card = archive.read("README.md").decode()
    compile(example, "example.py", "exec")
    assert "maps.npz" in example and "finds no cells" in card


def test_it_is_applied(run, family, tmp_path):
    names = ("overview.html", "cells.csv", "images.csv", "skipped.csv")
    asked = {"run": str(run), "tuning": None, "images": str(run / "images"),
             "output": str(tmp_path / "applied"), "pixel_size": None, "channel": None,
             "page": None}  # fmt: skip
    outputs = {name.split(".")[0]: str(tmp_path / "applied" / name) for name in names}
    apply_run.apply(asked, lambda model: family, outputs, 1)
    found = tifffile.imread(tmp_path / "applied/labels/one_labels.tif")
    for value in range(1, 13):
        true = truth() == value
        best = np.bincount(found[true]).argmax()
        assert (true & (found == best)).sum() / (true | (found == best)).sum() > 0.5
