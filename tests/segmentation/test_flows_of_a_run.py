"""A small network that learns flows: trained, predicted, tracked, searched, applied, exported."""

import copy
import json
import warnings

import numpy as np
import pytest

import small_training
import tiny_run
from cellseg.inference import map_run
from cellseg.inference import run as predict_run
from cellseg.io import atomic, run_format
from cellseg.segmentation import run as segment_run
from cellseg.segmentation.segmenter import Segmenter
from cellseg.study.segmentation_methods import METHODS
from cellseg.training.checkpoint import ResumeFolder
from cellseg.tuning import run as tuning_run

HEADS = ("flows", "fgbg")
METHOD = METHODS["flow-tracking"]
CHANNELS = {"stored": METHOD.stored(HEADS), "precise": METHOD.precise(HEADS)}
TRACKING = {"method": "flow-tracking", "cell_threshold": 0.5, "flow_threshold": 0.0,
            "iterations": 30, "min_size": 4, "max_size_fraction": 0.4,
            "cellpose_size_error": False}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Family, and files of a run as the rules write them."""
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        from cellseg import models

        settings = small_training.settings(40, family="unet")
        family = copy.copy(models.load(settings["model"]))
        family.set_threads = lambda threads: None  # TensorFlow has begun already
    settings["heads"] = {head: {} for head in HEADS}
    settings["training"]["softmax_loss_scale"] = 1
    folder = tmp_path_factory.mktemp("run")
    run = tiny_run.make(family, "unet", folder)
    streams = small_training.streams(0, settings["heads"])
    history = family.train(settings, *streams, folder, ResumeFolder(folder / "resume", "stamp"))
    assert history["flows_loss"].iloc[-1] < 0.7 * history["flows_loss"].iloc[0]
    atomic.write_json(run["settings"], run_format.stamped(settings))
    record = json.loads(run["segmentation"].read_text())
    record["segmentation"] = TRACKING
    atomic.write_json(run["segmentation"], run_format.stamped(record))
    return family, run


def predicted(family, run, folder):
    maps = folder / "predictions.zip"
    predict_run.predict(run["settings"], [run["images"]], None, 1, tiny_run.OPTIONS, CHANNELS,
                        lambda model: family, run["weights"].parent, maps, 1)  # fmt: skip
    return maps


def test_cells_are_found_searched_and_applied(trained, tmp_path):
    family, run = trained
    maps = predicted(family, run, tmp_path)
    labels = tmp_path / "labels.npz"
    segment_run.segment_run(maps, labels, tmp_path / "cells.parquet", TRACKING, 1)
    found = np.load(labels)["one"]
    assert found.max() >= 1  # how many differs with the processor
    segmenter = Segmenter(run, lambda model: family, 1)
    applied, scores = segmenter(tiny_run.picture(50, 70))
    np.testing.assert_array_equal(applied, found)
    assert len(scores) == found.max() and (scores > 0.5).all()
    with np.load(labels) as stack:
        atomic.write_stack(tmp_path / "truth.npz", [(name, stack[name]) for name in stack.files])
    tuning_run.tune(
        maps=maps, truths=[tmp_path / "truth.npz"],
        tuning={"cell_threshold": [0.5, 0.9], "min_size": [0, 4], "score": "msa"},
        segmentation={**TRACKING, "cell_threshold": 0.99},
        chosen=tmp_path / "chosen.json", tried=tmp_path / "tried.csv", threads=1,
    )  # fmt: skip
    chosen = json.loads((tmp_path / "chosen.json").read_text())
    assert chosen["mean"] == 1 and chosen["segmentation"]["cell_threshold"] == 0.5


def test_an_exported_network_gives_the_same_flows(trained, tmp_path):
    from cellseg.export import saved_model

    family, run = trained
    settings = json.loads(run["settings"].read_text())
    folder = run["weights"].parent
    network = saved_model.build(family, settings, [folder], tiny_run.OPTIONS)
    image = tiny_run.picture(50, 70)
    expected = map_run.image_predictor(settings, family, folder, tiny_run.OPTIONS)(image)
    found = network.maps(image.astype(np.float32))
    for head in HEADS:
        assert found[head].shape == (50, 70, 2)
        np.testing.assert_allclose(found[head], expected[head], atol=1e-3)
