"""What a configuration may not ask of instance detectors."""

import copy

import pytest
import yaml

from cellseg.errors import UserError
from cellseg.study import validation

STUDY = {
    "dataset": "cells",
    "datasets": {"cells": {"kind": "simulated"}},
    "tilings": {"crop-256": {"mode": "crop", "size": 256}},
    "training": {"tiling": "crop-256"},
    "models": {
        "detector": {"family": "centermask", "preset": "small"},
        "unet": {"family": "unet"},
    },
    "subsets": {"full": {}, "more": {"synthetic_per_image": 2}},
    "experiments": {
        "first": {
            "title": "A title",
            "conditions": [
                {"model": "detector", "heads": "instances", "subset": "full", "seed": 0}
            ],
            "figures": [],
        }
    },
}


@pytest.fixture(scope="module")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


def resolved(schema, search=False, **changes):
    study = copy.deepcopy(STUDY)
    if search:
        study["hyperparameter_searches"] = {
            "rates": {"title": "Which rate?", "model": "detector", "heads": "instances",
                      "subset": "full", "trials": 2, "rungs": [1],
                      "space": {"training.learning_rate": [0.01, 0.001]}, **changes}
        }  # fmt: skip
    else:
        study["experiments"]["first"]["conditions"][0].update(changes)
    return validation.resolve(study, schema)


@pytest.mark.parametrize("search", [False, True])
def test_a_detector_is_painted_unless_the_study_says_more(schema, search):
    by_heads = resolved(schema, search)["segmentation_by_heads"]
    assert by_heads["instances"]["method"] == "painting"
    assert by_heads["instances"]["score_threshold"] == 0.5


@pytest.mark.parametrize("search", [False, True])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subset": "more"}, "subset: subsets.more has synthetic images .* no outlines"),
        ({"model": "unet"}, "heads: models.unet is of family unet, which predicts maps"),
        ({"heads": "fgbg"}, "models.detector is of family centermask, which finds cells without"),
        ({"heads": "fgbg+instances"}, "'instances' goes alone"),
    ],
)
def test_what_does_not_go_together_is_refused_when_the_study_is_read(
    schema, search, changes, message
):
    with pytest.raises(UserError, match=message):
        resolved(schema, search, **changes)


def test_heads_are_refused_before_their_segmentation(schema):
    """Without a detector in the study, too, nothing paints."""
    study = copy.deepcopy(STUDY)
    del study["models"]["detector"]
    study["experiments"]["first"]["conditions"][0]["model"] = "unet"
    with pytest.raises(UserError, match=r"models\.unet is of family unet, which predicts maps"):
        validation.resolve(study, schema)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"tiling": "cut"}, r"models.detector.training.tiling: .* `mode: crop`"),
        ({"xla": True}, "models.detector.training.xla: .* Set it to false"),
        ({"warp": "targets"}, "models.detector.training.warp: .* Use `warp: labels`"),
        ({"softmax_loss_scale": 1}, "training.softmax_loss_scale: .* has no such loss"),
    ],
)
def test_a_training_that_a_detector_cannot_have_is_refused(schema, training, message):
    study = copy.deepcopy(STUDY)
    study["tilings"]["cut"] = {"mode": "cut", "size": 256}
    study["models"]["detector"]["training"] = training
    with pytest.raises(UserError, match=message):
        validation.resolve(study, schema)


def test_settings_of_heads_are_refused_of_any_detector(schema):
    """Of one in no experiment, too; those of the study are for its other models."""
    study = copy.deepcopy(STUDY)
    study["heads"] = {"pixelwise": {"dilation_radius": 2}}
    study["training"]["softmax_loss_scale"] = 1
    assert validation.resolve(study, schema)["models"]["detector"]["heads"] == {}
    study["models"]["spare"] = {"family": "maskrcnn", "heads": {"pixelwise": {}}}
    with pytest.raises(UserError, match=r"models\.spare\.heads: .* pixelwise .* Remove `heads`"):
        validation.resolve(study, schema)
