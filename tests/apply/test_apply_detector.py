"""Runs of instance detectors on images of one's own."""

import numpy as np
import pytest

pytest.importorskip("torch")

import tiny_run
import torch_run
from cellseg import models
from cellseg.apply import request
from cellseg.errors import UserError
from cellseg.images.normalization import normalize
from cellseg.inference import instance_run
from cellseg.inference.detections import Windows
from cellseg.io import atomic
from cellseg.segmentation.methods import painting
from cellseg.segmentation.segmenter import Segmenter
from cellseg.targets.instances import HEAD

SETTINGS = torch_run.settings("centermask")
MODEL, PAINTING = SETTINGS["model"], torch_run.PAINTING


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Files of a run with weights as they are at the start."""
    return torch_run.make("centermask", tmp_path_factory.mktemp("run"))


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


def test_windows_find_what_the_whole_image_holds(run):
    """The windows of one predictor give detections within the image, each once."""
    family = models.load(MODEL)
    predictor = family.Predictor(SETTINGS, run["weights"].parent)
    image = normalize(tiny_run.picture(60, 150)[None, ..., None], "whole-image")[0, ..., 0]
    boxes, scores = Windows(predictor, 80, 30).boxes(image)
    assert len(boxes) and len(np.unique(boxes, axis=0)) == len(boxes)
    assert (boxes >= 0).all() and (boxes <= [150, 60, 150, 60]).all()
    assert (np.diff(scores) <= 0).all()


def test_an_unfinished_run_of_all_folds_is_not_taken_for_a_fused_one(tmp_path):
    atomic.write_json(tmp_path / "provenance.json", {"members": {"fold-1": ["one"]}})
    with pytest.raises(UserError, match=r"is not a finished run, it lacks weights\.h5"):
        request.files_of_run({"run": str(tmp_path), "tuning": None})
