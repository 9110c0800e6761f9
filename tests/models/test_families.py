"""What every model family does: train, save, go on, predict."""

import os
import signal
import subprocess
import sys
import warnings

import h5py
import numpy as np
import pandas as pd
import pytest

import small_training
from cellseg import models
from cellseg.errors import UserError
from cellseg.targets.heads import HEADS

KILLED = "deepcell"
"""Killed every day. A training in Keras 3 is killed in test_reruns.py, and test_learners.py
compares the weights of one that was stopped."""
PACKAGES = {"cellpose-sam": "segment_anything"}
"""Of families that are not called like the package that they need."""


@pytest.fixture(scope="module", params=small_training.OF_ANY_HEADS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def family(name):
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        return models.load(_settings(name)["model"])


def _settings(name, epochs=1, **options):
    return small_training.settings(epochs, family=name, **options)


def _learner(family, settings, folder):
    learner = getattr(family, small_training.LEARNERS[settings["model"]["family"]])
    return learner(settings, 32, folder)


def _batch_norms(name, model):
    if name == "deepcell":
        from cellseg.models.deepcell.family import batch_norms
    else:
        from cellseg.models.keras3.layers import batch_norms
    return batch_norms(model)


def _train(family, settings, seed, folder, weights=None):
    streams = small_training.streams(seed)
    return family.train(settings, *streams, folder, small_training.state(folder), weights)


@pytest.fixture(scope="module")
def trained(name, family, tmp_path_factory):
    """Folder and settings of a run of two epochs."""
    folder = tmp_path_factory.mktemp("run")
    settings = _settings(name, epochs=2)
    history = _train(family, settings, 0, folder)
    return folder, settings, history


def test_training_writes_history_weights_and_tensorboard(trained):
    folder, _, history = trained
    assert history["epoch"].tolist() == [1, 2]
    assert np.isfinite(history.to_numpy()).all()
    np.testing.assert_allclose(
        history["loss"], history["inner-distance_loss"] + history["pixelwise_loss"], rtol=1e-5
    )
    assert (folder / "weights.h5").is_file()
    assert list((folder / "tensorboard").glob("events*"))


def test_a_saved_network_predicts_like_the_trained_one(family, trained, tmp_path):
    folder, settings, _ = trained
    learner = _learner(family, settings, tmp_path)
    learner.load_weights(folder / "weights.h5")
    images, _ = next(small_training.streams(0)[1].epoch(0))
    maps = family.Predictor(settings, folder)(images)
    for head, expected in _outputs(learner, images).items():
        assert maps[head].shape == (2, 32, 32, HEADS[head].channels)
        np.testing.assert_allclose(maps[head], expected, atol=1e-6)


def _outputs(learner, images, training=False):
    outputs = learner.model(images, training=training)
    if isinstance(outputs, list):  # legacy Keras, in the order of the heads
        outputs = dict(zip(learner.heads, outputs, strict=True))
    return {head: outputs[head].numpy() for head in learner.heads}


def test_without_location_larger_windows_work(name, family, tmp_path):
    settings = _settings(name, location=False)
    _learner(family, settings, tmp_path).save_weights(tmp_path / "weights.h5")
    maps = family.Predictor(settings, tmp_path)(np.zeros((1, 64, 64, 1), np.float32))
    assert maps["pixelwise"].shape == (1, 64, 64, 3)


def test_weights_of_another_model_are_refused(family, trained):
    folder, settings, _ = trained
    other = {**settings, "heads": {"inner-distance": {}}}
    with pytest.raises(UserError, match=r"weights\.h5"):
        family.Predictor(other, folder)(np.zeros((1, 32, 32, 1), np.float32))


def test_recalibrated_averages_are_those_of_the_batches(name, family, tmp_path):
    """Early in training the running averages are far from the batches'; afterwards they agree."""
    learner = _learner(family, _settings(name), tmp_path)
    stream, _ = small_training.streams(0)
    images, _ = next(stream.epoch(0))
    with_batch = _outputs(learner, images, training=True)["pixelwise"]
    before = np.abs(_outputs(learner, images)["pixelwise"] - with_batch).max()
    momenta = [layer.momentum for layer in _batch_norms(name, learner.model)]
    learner.recalibrate(stream, 1)  # the same single batch
    after = np.abs(_outputs(learner, images)["pixelwise"] - with_batch).max()
    # Not equal: the coarsest level of these tiles has two pixels a batch, whose variance and its
    # unbiased estimate, which the average holds, differ by a factor of two.
    assert after < 0.4 * before
    assert [layer.momentum for layer in _batch_norms(name, learner.model)] == momenta


def test_recalibration_adds_the_variance_between_batches(name, family, tmp_path):
    learner = _learner(family, _settings(name), tmp_path)
    stream, _ = small_training.streams(0)
    means, variances = [], []
    for images, _ in stream.epoch(0):
        learner.recalibrate(_Once(images), 1)
        layers = _batch_norms(name, learner.model)
        means.append([np.array(layer.moving_mean.numpy()) for layer in layers])
        variances.append([np.array(layer.moving_variance.numpy()) for layer in layers])
    learner.recalibrate(stream, len(means))
    for number, layer in enumerate(_batch_norms(name, learner.model)):
        of_layer = np.array([mean[number] for mean in means])
        within = np.mean([variance[number] for variance in variances], axis=0)
        np.testing.assert_allclose(layer.moving_mean.numpy(), of_layer.mean(axis=0), atol=1e-4)
        expected = within + of_layer.var(axis=0)
        np.testing.assert_allclose(layer.moving_variance.numpy(), expected, rtol=1e-3, atol=1e-5)


class _Once:
    def __init__(self, images):
        self.images = images

    def endless(self):
        yield self.images, {}


def test_same_seed_same_weights_in_one_process(family, trained, tmp_path):
    """With op determinism and a fixed number of CPU threads, training repeats bit by bit."""
    folder, settings, history = trained
    again = _train(family, settings, 0, tmp_path)
    np.testing.assert_array_equal(again["loss"], history["loss"])
    assert _largest_difference(folder / "weights.h5", tmp_path / "weights.h5") == 0


def test_another_seed_gives_other_weights(name, family, tmp_path):
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with small_training.without_tracing():
            _train(family, _settings(name, seed=seed), seed, folder)
    assert _largest_difference(*(tmp_path / f"{seed}/weights.h5" for seed in (0, 1))) > 1e-3


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == KILLED else pytest.mark.slow)
        for name in sorted(small_training.OWN_SETTINGS)
    ],
)
def test_killed_training_goes_on_and_ends_like_an_undisturbed_one(name, tmp_path):
    """SIGKILL in the middle: no epoch is lost or repeated, and the weights are the same."""
    if name in small_training.HEADS_OF:
        pytest.importorskip(PACKAGES.get(name, name))
    epochs = 5
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    process = _start(name, killed, epochs)
    for line in process.stdout:
        if line.startswith("epoch 2/"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (killed / "history.csv").exists()

    output = _start(name, killed, epochs).communicate()[0]
    assert "Resuming after epoch" in output
    assert "epoch 1/" not in output and "epoch 2/" not in output
    _start(name, whole, epochs).communicate()
    history = pd.read_csv(killed / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(history["loss"], pd.read_csv(whole / "history.csv")["loss"])
    assert _largest_difference(killed / "weights.h5", whole / "weights.h5") == 0


def _start(name, folder, epochs):
    command = [sys.executable, small_training.__file__, name, str(folder), str(epochs), "0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _largest_difference(first, second):
    differences = []
    with h5py.File(first) as a, h5py.File(second) as b:
        names = []
        a.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        assert names
        for name in names:
            differences.append(float(np.abs(a[name][()] - b[name][()]).max(initial=0)))
    return max(differences)
