"""Runs of instance detectors on images of one's own, and their export."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

import tiny_run
from cellseg import models
from cellseg.errors import UserError
from cellseg.export import run as export_run
from cellseg.images.normalization import normalize
from cellseg.inference import instance_run
from cellseg.inference.detections import Windows
from cellseg.io import atomic, run_format
from cellseg.segmentation.methods import painting
from cellseg.segmentation.segmenter import Segmenter
from cellseg.targets.instances import HEAD
from cellseg.training import provenance

MODEL = {"family": "centermask", "preset": "small", "detections": 30, "ensemble": None,
         "optimizer": "adam", "momentum": 0.9, "weights": None, "norm": None}  # fmt: skip
TRAINING = {"learning_rate": 1e-3, "weight_decay": 0, "l2": 0, "clipnorm": None,
            "global_clipnorm": None, "ema": None, "batch_norm_momentum": None,
            "mixed_precision": False, "normalization": "whole-image"}  # fmt: skip
SETTINGS = {"heads": {"instances": {}}, "model": MODEL, "seed": 0, "subset": {},
            "tiling": {"mode": "crop", "size": 64, "tile_overlap": 0},
            "training": TRAINING}  # fmt: skip
PAINTING = {"method": "painting", "score_threshold": 0.0, "mask_threshold": 0.4, "min_size": 0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Files of a run with weights as they are at the start."""
    folder = tmp_path_factory.mktemp("run")
    family = models.load(MODEL)
    family.learner(SETTINGS, 64, folder).save_weights(folder / "weights.h5")
    files = {name: folder / f"{name}.json" for name in ("settings", "provenance", "segmentation")}
    atomic.write_json(files["settings"], run_format.stamped(SETTINGS))
    more = {"train_images": ["one"], "val_images": ["two"], "parameters": 1}
    record = provenance.record(SETTINGS, family.versions(), family.device(), **more)
    atomic.write_json(files["provenance"], record)
    about = {"condition": {}, "tuning": None, "prediction": tiny_run.OPTIONS,
             "segmentation": PAINTING}  # fmt: skip
    atomic.write_json(files["segmentation"], run_format.stamped(about))
    pd.DataFrame({"image": []}).to_csv(folder / "metrics.csv", index=False)
    tables = {"metrics": folder / "metrics.csv", "coco": folder / "metrics.csv"}
    return {"weights": folder / "weights.h5", **files, **tables}


def test_images_of_any_size_are_painted_as_the_workflow_paints_them(run):
    image = tiny_run.picture(50, 70)
    labels, scores = Segmenter(run, models.load, 1)(image)
    detect = instance_run.image_detector(
        SETTINGS, models.load(MODEL), run["weights"].parent, tiny_run.OPTIONS
    )
    expected, of_each = painting.segment({HEAD: detect(image)}, PAINTING)
    assert labels.shape == (50, 70) and labels.max() > 0
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(scores, of_each)


@pytest.mark.parametrize(("window", "number"), [(None, 2), ("image", 1), (64, 3)])
def test_large_images_are_cut_by_default(run, monkeypatch, window, number):
    """Of 120 pixels, where 100 are large."""
    monkeypatch.setattr(instance_run, "AT_ONCE", 100)
    family, seen = models.load(MODEL), []

    class Counting:
        def boxes(self, image):
            seen.append(image.shape)
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)

        def masks(self, image, boxes):
            return np.zeros((0, 28, 28), np.float32), np.zeros(0, np.float32)

    monkeypatch.setattr(type(family), "Predictor", lambda *_: Counting())
    options = {**tiny_run.OPTIONS, "window": window, "window_overlap": 0.25}
    found = instance_run.image_detector(SETTINGS, family, run["weights"].parent, options)(
        tiny_run.picture(50, 120)
    )
    assert len(seen) == number and found.shape == (50, 120)


def test_it_is_not_exported_and_nothing_is_written(run, tmp_path):
    loaded = []
    with pytest.raises(UserError, match=r"family centermask, which is not exported.*apply"):
        export_run.export(run, [], "local", loaded.append, str(tmp_path / "export.zip"), 1)
    assert not loaded and not list(tmp_path.iterdir())


def test_windows_find_what_the_whole_image_holds(run):
    """The windows of one predictor give detections within the image, each once."""
    family = models.load(MODEL)
    predictor = family.Predictor(SETTINGS, run["weights"].parent)
    image = normalize(tiny_run.picture(60, 150)[None, ..., None], "whole-image")[0, ..., 0]
    boxes, scores = Windows(predictor, 80, 30).boxes(image)
    assert len(boxes) and len(np.unique(boxes, axis=0)) == len(boxes)
    assert (boxes >= 0).all() and (boxes <= [150, 60, 150, 60]).all()
    assert (np.diff(scores) <= 0).all()
