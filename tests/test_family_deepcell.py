"""The family `deepcell`: PanopticNet as the deepcell package builds it."""

import os
import signal
import subprocess
import sys
from itertools import combinations

import h5py
import numpy as np
import pandas as pd
import pytest

import small_training
from cellseg.errors import UserError
from cellseg.heads import HEADS


@pytest.fixture(scope="session")
def family():
    # Importing TensorFlow warns about its own deprecations, which are not ours to mend.
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cellseg.families import deepcell
    return deepcell


def _train(family, settings, seed, folder, weights=None):
    streams = small_training.streams(seed)
    return family.train(settings, *streams, folder, small_training.state(folder), weights)


@pytest.fixture(scope="module")
def trained(family, tmp_path_factory):
    """Folder and settings of a run of two epochs."""
    folder = tmp_path_factory.mktemp("run")
    settings = small_training.settings(epochs=2)
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
    learner = family.DeepcellLearner(settings, 32, tmp_path)
    learner.load_weights(folder / "weights.h5")
    images, _ = next(small_training.streams(0)[1].epoch(0))
    expected = learner.model.predict_on_batch(images)
    maps = family.Predictor(settings, folder, 32)(images)
    for (head, values), array in zip(maps.items(), expected, strict=True):
        assert values.shape == (2, 32, 32, HEADS[head].channels)
        np.testing.assert_allclose(values, array, atol=1e-6)


def test_without_location_larger_windows_work(family, tmp_path):
    settings = small_training.settings(epochs=1, location=False)
    _train(family, settings, 0, tmp_path)
    maps = family.Predictor(settings, tmp_path, 64)(np.zeros((1, 64, 64, 1), np.float32))
    assert maps["pixelwise"].shape == (1, 64, 64, 3)


def test_weights_of_another_model_are_refused(family, trained):
    folder, settings, _ = trained
    other = {**settings, "heads": {"inner-distance": {}}}
    with pytest.raises(UserError, match=r"weights\.h5"):
        family.Predictor(other, folder, 32)


def test_recalibrated_averages_are_those_of_the_batches(family, tmp_path):
    """Early in training the running averages are far from the batches'; afterwards they agree."""
    learner = family.DeepcellLearner(small_training.settings(epochs=1), 32, tmp_path)
    stream, _ = small_training.streams(0)
    images, _ = next(stream.epoch(0))
    with_batch = learner.model(images, training=True)
    before = np.abs(learner.model(images, training=False)[1] - with_batch[1]).max()
    momenta = [layer.momentum for layer in family._batch_norms(learner.model)]
    learner.recalibrate(stream, 1)  # the same single batch
    after = np.abs(learner.model(images, training=False)[1] - with_batch[1]).max()
    # Not equal: the coarsest level of these tiles has two pixels a batch, whose variance and its
    # unbiased estimate, which the average holds, differ by a factor of two.
    assert after < 0.4 * before
    assert [layer.momentum for layer in family._batch_norms(learner.model)] == momenta


def test_recalibration_adds_the_variance_between_batches(family, tmp_path):
    learner = family.DeepcellLearner(small_training.settings(epochs=1), 32, tmp_path)
    stream, _ = small_training.streams(0)
    means = []
    for images, _ in stream.epoch(0):
        learner.recalibrate(_Once(images), 1)
        means.append([layer.moving_mean.numpy() for layer in family._batch_norms(learner.model)])
    learner.recalibrate(stream, len(means))
    for number, layer in enumerate(family._batch_norms(learner.model)):
        expected = np.mean([mean[number] for mean in means], axis=0)
        np.testing.assert_allclose(layer.moving_mean.numpy(), expected, atol=1e-4)


class _Once:
    def __init__(self, images):
        self.images = images

    def epoch(self, number):
        yield self.images, {}


def test_same_seed_same_weights_in_one_process(family, trained, tmp_path):
    """With op determinism and a fixed number of CPU threads, training repeats bit by bit."""
    folder, settings, history = trained
    again = _train(family, settings, 0, tmp_path)
    np.testing.assert_array_equal(again["loss"], history["loss"])
    assert _largest_difference(folder / "weights.h5", tmp_path / "weights.h5") == 0


def test_another_seed_gives_other_weights(family, trained, tmp_path):
    other = small_training.settings(epochs=2, seed=1)
    _train(family, other, 1, tmp_path)
    assert _largest_difference(trained[0] / "weights.h5", tmp_path / "weights.h5") > 1e-3


def test_killed_training_goes_on_and_ends_like_an_undisturbed_one(tmp_path):
    """SIGKILL in the middle: no epoch is lost or repeated, and the weights are the same."""
    epochs = 5
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    process = _start(killed, epochs)
    for line in process.stdout:
        if line.startswith("epoch 2/"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (killed / "history.csv").exists()

    output = _start(killed, epochs).communicate()[0]
    assert "Resuming after epoch" in output
    assert "epoch 1/" not in output and "epoch 2/" not in output
    _start(whole, epochs).communicate()
    history = pd.read_csv(killed / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(history["loss"], pd.read_csv(whole / "history.csv")["loss"])
    assert _largest_difference(killed / "weights.h5", whole / "weights.h5") == 0


def _start(folder, epochs):
    command = [sys.executable, small_training.__file__, str(folder), str(epochs), "0"]
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


def _build(family, backbone, levels, heads=("inner-distance", "pixelwise"), size=64):
    settings = small_training.settings(
        epochs=1,
        backbone=backbone,
        backbone_levels=levels,
        pyramid_levels=["P" + c[1] for c in levels],
    )
    return family.build({**settings, "heads": {head: {} for head in heads}}, size)


@pytest.mark.parametrize(
    ("backbone", "parameters"),
    [
        ("resnet50", 25_557_008),
        ("densenet201", 20_447_440),
        ("efficientnetb7", 66_271_783),
        ("mobilenetv2", 3_009_744),
    ],
)
def test_backbones_are_deepcells(family, backbone, parameters):
    """The counts of deepcell 0.12.10 on TensorFlow 2.8, at levels C3 to C5."""
    assert _build(family, backbone, ["C3", "C4", "C5"]).count_params() == parameters


def test_every_combination_of_heads_builds(family):
    for number in range(1, len(HEADS) + 1):
        for names in combinations(HEADS, number):
            model = _build(family, "featurenet", ["C3", "C4", "C5"], names, size=32)
            outputs = model.output if isinstance(model.output, list) else [model.output]
            assert [output.shape[-1] for output in outputs] == [HEADS[n].channels for n in names]


@pytest.fixture(scope="module")
def mobilenet_weights(family, tmp_path_factory):
    """A weight file like those that Keras publishes, made here for lack of a network."""
    import tf_keras

    model = tf_keras.applications.MobileNetV2(
        input_shape=(64, 64, 3), include_top=False, weights=None
    )
    path = tmp_path_factory.mktemp("weights") / "mobilenetv2.h5"
    model.save_weights(str(path))
    return path, model


def test_pretrained_backbone_is_loaded_whole(family, mobilenet_weights):
    path, source = mobilenet_weights
    model = _build(family, "mobilenetv2", ["C3", "C4", "C5"])
    count = family.load_backbone(model, path)
    own = {layer.name: layer for layer in model.layers}
    with_weights = {layer.name for layer in source.layers if layer.weights}
    # What lies behind the coarsest pyramid level is no part of PanopticNet.
    assert with_weights - set(own) == {"Conv_1", "Conv_1_bn"}
    assert count == len(with_weights) - 2
    for layer in source.layers:
        if layer.name in own:
            pairs = zip(layer.get_weights(), own[layer.name].get_weights(), strict=True)
            for expected, found in pairs:
                np.testing.assert_array_equal(expected, found)


def test_a_file_that_is_no_weight_file_is_refused(family, tmp_path):
    path = tmp_path / "weights.h5"
    path.write_text("<html>not found</html>")
    model = _build(family, "featurenet", ["C3", "C4", "C5"])
    with pytest.raises(UserError, match="is not a Keras weight file"):
        family.load_backbone(model, path)


def test_weights_of_another_backbone_are_refused(family, mobilenet_weights):
    model = _build(family, "featurenet", ["C3", "C4", "C5"])
    with pytest.raises(UserError, match="does not fit the backbone"):
        family.load_backbone(model, mobilenet_weights[0])


def test_training_starts_from_the_pretrained_backbone(family, mobilenet_weights, tmp_path):
    settings = small_training.settings(epochs=1, backbone="mobilenetv2")
    settings["training"]["learning_rate"] = 1e-12
    _train(family, settings, 0, tmp_path, mobilenet_weights[0])
    with h5py.File(tmp_path / "weights.h5") as file:
        kernel = file["Conv1/Conv1/kernel:0"][()]
    expected = mobilenet_weights[1].get_layer("Conv1").get_weights()[0]
    np.testing.assert_allclose(kernel, expected, atol=1e-6)
