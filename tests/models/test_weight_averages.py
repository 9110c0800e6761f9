"""Averaged weights: what they are, when they are used, and that training does not notice them."""

import sys
import warnings

import numpy as np
import pytest

import small_training
from cellseg import models

EMA = 0.6  # of the ninth step on: before, the warm-up says less


@pytest.fixture(scope="module", params=["deepcell", "unet"])
def name(request):
    return request.param


@pytest.fixture
def family(name):
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        yield models.load(small_training.settings(1, family=name)["model"])
    tf.config.run_functions_eagerly(False)


def made(family, name, folder, ema=EMA, seed=1):
    settings = small_training.settings(1, family=name)
    settings["training"]["ema"] = ema
    keras = sys.modules["tf_keras" if name == "deepcell" else "keras"]
    keras.utils.set_random_seed(seed)
    return getattr(family, small_training.LEARNERS[name])(settings, 32, folder)


def trained(learner):
    """The values of the network's trainable variables."""
    return [np.array(variable.numpy()) for variable in learner.model.trainable_variables]


def batches():
    train, _ = small_training.streams(0)
    return [batch for epoch in range(5) for batch in train.epoch(epoch)]


def test_averages_are_those_by_hand_and_training_goes_on_from_the_last_weights(
    family, name, tmp_path
):
    steps = batches() if name == "unet" else batches()[:3]
    plain = made(family, name, tmp_path, ema=None)
    learner = made(family, name, tmp_path)
    expected = None
    for step, batch in enumerate(steps):
        losses, plain_losses = (one.train_batch(batch, 0.01) for one in (learner, plain))
        assert losses == plain_losses  # bit by bit, also after a validation in between
        last = trained(plain)
        momentum = min(step / (step + 10), EMA)
        expected = [
            value if average is None else average * momentum + value * (1 - momentum)
            for value, average in zip(last, expected or [None] * len(last), strict=True)
        ]
        if step in (1, 2, len(steps) - 1):
            learner.validate_batch(batch)
            differ = 0
            for found, average, value in zip(trained(learner), expected, last, strict=True):
                np.testing.assert_allclose(found, average, rtol=1e-5, atol=1e-6)
                differ += not np.allclose(found, value, rtol=1e-3)
            assert differ > len(last) / 2


def test_averages_are_saved_and_the_state_keeps_both(family, name, tmp_path):
    first, second = batches()[:2]
    learner = made(family, name, tmp_path)
    for batch in (first, second, first):
        learner.train_batch(batch, 0.01)
    last = trained(learner)
    learner.save_weights(tmp_path / "weights.h5")
    averages = trained(learner)
    assert not np.allclose(averages[0], last[0], rtol=1e-4)
    (tmp_path / "state").mkdir()
    learner.save_state(tmp_path / "state")
    other = made(family, name, tmp_path, seed=2)
    other.load_state(tmp_path / "state")
    for found, expected in zip(trained(other), last, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert other.validate_batch(second) == learner.validate_batch(second)
    for found, expected in zip(trained(other), averages, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert other.train_batch(second, 0.01) == learner.train_batch(second, 0.01)
    loaded = made(family, name, tmp_path, ema=None, seed=3)
    loaded.load_weights(tmp_path / "weights.h5")
    for found, expected in zip(trained(loaded), averages, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_weights_that_are_loaded_are_trained_on(family, name, tmp_path):
    batch = batches()[0]
    learner = made(family, name, tmp_path, seed=2)
    learner.train_batch(batch, 0.01)
    learner.save_weights(tmp_path / "weights.h5")
    loaded = trained(learner)
    learner.load_weights(tmp_path / "weights.h5")
    learner.train_batch(batch, 0.0)
    for found, expected in zip(trained(learner), loaded, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-7)


def test_the_best_weights_are_not_taken_away_again(family, name, tmp_path):
    """As after training: the weights of the best epoch are loaded, calibrated and saved."""
    batch = batches()[0]
    learner = made(family, name, tmp_path)
    learner.train_batch(batch, 0.01)
    learner.save_weights(tmp_path / "best.h5")
    best = trained(learner)
    for _ in range(3):
        learner.train_batch(batch, 0.01)
    learner.load_weights(tmp_path / "best.h5")
    learner.recalibrate(small_training.streams(0)[0], 1)
    learner.save_weights(tmp_path / "weights.h5")
    for found, expected in zip(trained(learner), best, strict=True):
        np.testing.assert_array_equal(found, expected)
