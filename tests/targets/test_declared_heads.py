"""A head of several channels that are no classes: what it declares is what it gets, everywhere.

The head is made here: directions towards the middle of the image, with a weight for each pixel.
"""

import warnings

import numpy as np
import pytest

import small_training
from cellseg.errors import UserError
from cellseg.inference import test_time_augmentation
from cellseg.study import head_checks
from cellseg.targets import heads
from cellseg.targets.heads import Head


def towards(labels):
    """Rows and columns to the middle, pixels, and 1 in cells as weights."""
    places = np.indices(labels.shape, dtype=np.float32)
    middle = (np.array(labels.shape, np.float32) - 1) / 2
    return np.concatenate([middle - np.moveaxis(places, 0, -1), labels[..., None] > 0], axis=-1)


def turn(values, quarters, mirrored):
    down, right = values[..., 0], -values[..., 1] if mirrored else values[..., 1]
    for _ in range(quarters % 4):
        down, right = -right, down
    return np.stack([down, right], axis=-1)


HEAD = Head(
    2, towards, "linear", "weighted-absolute-error", 0.01, loss_maps=1, turn=turn, lengths=True
)


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(heads.HEADS, "towards", HEAD)


def test_the_target_holds_the_map_and_what_the_loss_reads(registered):
    labels = np.zeros((6, 8), np.int32)
    labels[2:4, 2:5] = 1
    found = heads.compute(labels, {"towards": {}})["towards"]
    assert found.shape == (6, 8, 3)
    assert found[0, 0].tolist() == [2.5, 3.5, 0] and found[3, 4].tolist() == [-0.5, -0.5, 1]
    (_, targets), *_ = small_training.streams(0, {"towards": {}})[1].epoch(0)
    assert targets["towards"].shape[-1] == 3 and targets["towards"].dtype == np.float32


@pytest.mark.parametrize(("flips", "rotations"), [(True, False), (False, True), (True, True)])
def test_directions_are_turned_back(registered, flips, rotations):
    """A predictor that points to the middle of whatever it is given does so of the average."""

    def predict(tiles):
        one = towards(np.zeros(tiles.shape[1:3], np.int32))[..., :2]
        return {"towards": np.broadcast_to(one, (len(tiles), *one.shape))}

    tiles = np.zeros((2, 5, 7, 1), np.float32)
    averaged = test_time_augmentation.averaged(predict, flips, rotations)(tiles)["towards"]
    np.testing.assert_allclose(averaged, predict(tiles)["towards"], atol=1e-6)


def test_lengths_shrink_with_the_magnification(registered):
    def predict(image):
        return {"towards": towards(np.zeros(image.shape, np.int32))[..., :2]}

    image = np.zeros((24, 40), np.uint8)
    found = test_time_augmentation.over_scales(predict, [2])(image)["towards"]
    # The middles of pixels are twice as far apart, less half a pixel at either end.
    inside = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(found[inside], predict(image)["towards"][inside], atol=0.02)


@pytest.mark.parametrize("name", ["unet", "panopticnet"])
def test_families_learn_and_predict_it(registered, name, tmp_path):
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        from cellseg import models
        from cellseg.training.checkpoint import ResumeFolder

        settings = small_training.settings(10, family=name)
        family = models.load(settings["model"])
    settings["heads"] = {"towards": {}, "fgbg": {}}
    resume = ResumeFolder(tmp_path / "resume", "stamp")
    history = family.train(
        settings, *small_training.streams(0, settings["heads"]), tmp_path, resume
    )
    losses = history["val_towards_loss"].to_numpy()
    assert losses[-1] < losses[0]
    maps = family.Predictor(settings, tmp_path)(np.zeros((1, 32, 32, 1), np.float32))
    assert maps["towards"].shape == (1, 32, 32, 2) and maps["fgbg"].shape == (1, 32, 32, 2)


def test_each_activation_is_what_it_says():
    from cellseg.models.keras3.layers import activated

    x = np.array([[[[-2.0, 0.5]]]], np.float32)

    def values(activation):
        return np.asarray(activated(x, activation, 0.1, False))[0, 0, 0]

    np.testing.assert_allclose(values("linear"), [-2, 0.5])
    np.testing.assert_allclose(values("pixels"), [-20, 5])
    np.testing.assert_allclose(values("relu"), [0, 0.5])
    np.testing.assert_allclose(values("sigmoid"), 1 / (1 + np.exp([2, -0.5])), rtol=1e-6)
    np.testing.assert_allclose(values("softmax").sum(), 1, rtol=1e-6)


def test_values_of_a_grid_are_repeated():
    from cellseg.models.keras3.layers import activated

    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    found = np.asarray(activated(x, "linear", 0.0, False, 2))[0, ..., 0]
    np.testing.assert_array_equal(found, [[0, 0, 2, 2], [0, 0, 2, 2], [8, 8, 10, 10]])


def test_losses_by_hand():
    from cellseg.models.keras3 import backend, losses  # noqa: F401

    assert {head.loss for head in heads.HEADS.values()} <= set(losses.LOSSES)
    truth = np.array([[[[1, 0, 1], [5, 5, 0], [2, 2, 0.5]]]], np.float32)
    prediction = np.array([[[[0, 0], [9, 9], [2, 1]]]], np.float32)
    # Differences 1 and 0 of weight 1, 0 and 1 of weight a half: 1.5 of 3 weighted values.
    found = losses.of_head(HEAD, softmax_scale=7)(truth, prediction)
    np.testing.assert_allclose(found, 0.01 * 1.5 / 3, rtol=1e-5)
    truth, prediction = np.float32([[[[0.25]]]]), np.float32([[[[0.5]]]])
    np.testing.assert_allclose(losses.LOSSES["binary-cross-entropy"](truth, prediction), np.log(2))
    assert losses.of_head(heads.HEADS["fgbg"], 0)(truth, prediction) == 0  # a softmax


STUDY = {
    "models": {"theirs": {"family": "deepcell", "training": {}},
               "ours": {"family": "unet", "training": {}}},
    "training": {"warp": "labels", "tiling": "cut", "clipnorm": None, "global_clipnorm": None},
    "tilings": {"cut": {"mode": "cut"}, "squeezed": {"mode": "resize"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "training", "expected"),
    [
        ("theirs", {}, "here: models.theirs is of family deepcell, .* cannot predict towards"),
        ("ours", {"warp": "targets"}, "here: towards cannot be warped once computed"),
        ("ours", {"tiling": "squeezed"}, "tilings.squeezed of mode resize"),
        ("ours", {}, None),
    ],
)
def test_what_cannot_be_trained_is_refused(model, training, expected):
    study = {**STUDY, "training": {**STUDY["training"], **training}}
    head_checks.check("here", study, model, ["fgbg"])
    if expected is None:
        head_checks.check("here", study, model, ["towards", "fgbg"])
    else:
        with pytest.raises(UserError, match=expected):
            head_checks.check("here", study, model, ["towards", "fgbg"])
