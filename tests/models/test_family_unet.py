"""The family `unet`: its architectures, any heads, any size of image."""

import warnings

import numpy as np
import pytest

import small_training
from cellseg.models.unet import sizes
from cellseg.targets import heads as heads_of
from cellseg.targets.heads import HEADS

SETS = [
    ("unet", ["fgbg"]),
    ("unet-expanded", ["inner-distance", "pixelwise"]),
    ("unet-deep", list(HEADS)),
]


@pytest.fixture(scope="module")
def family():
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        from cellseg.models.unet.family import FAMILY
    return FAMILY


@pytest.fixture
def eagerly(family):
    """Tracing takes longer than a few steps."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def _settings(architecture, heads, **model):
    settings = small_training.settings(
        1, family="unet", **{"architecture": architecture, "width": 2, **model}
    )
    return {**settings, "heads": {head: {} for head in heads}}


def _batch(heads, size=64):
    """A tile with a disk, and a tile without cells."""
    row, column = np.mgrid[:size, :size]
    labels = ((row - 20) ** 2 + (column - 30) ** 2 < 150).astype(np.int32)
    images = np.stack([labels + 0.1 * np.sin(row), 0.1 * np.cos(column)])[..., None]
    maps = [
        heads_of.compute(one, {head: {} for head in heads})
        for one in (labels, np.zeros_like(labels))
    ]
    targets = {name: np.stack([one[name] for one in maps]).astype(np.float32) for name in heads}
    return images.astype(np.float32), targets


def test_levels_are_the_posters():
    assert sizes.channels({"architecture": "unet", "width": 64}) == [
        64, 128, 256, 512, 1024
    ]  # fmt: skip
    assert sizes.channels({"architecture": "unet-expanded", "width": 64})[4:] == [
        1024, 1024
    ]  # fmt: skip
    assert sizes.channels({"architecture": "unet-deep", "width": 64})[4:] == [
        1024, 1024, 2048
    ]  # fmt: skip


def test_weights_are_as_many_as_in_other_implementations():
    """31,037,633: what PyTorch counts of a much used one, for colour images and one class."""
    found = sizes.parameters({"architecture": "unet", "width": 64}, 0)
    blocks = [64, 128, 256, 512, 1024, 512, 256, 128, 64]
    uncounted = sum(2 * 2 * channels for channels in blocks)  # running averages
    colours = 9 * 64 * 2
    assert found - uncounted + colours + (64 + 1) == 31_037_633


def test_weights_counted_by_hand():
    """Of one channel and levels 1, 2, 4, 8, 16: blocks down, blocks up, doublings, one head."""
    down = (9 + 9) + (18 + 36) + (72 + 144) + (288 + 576) + (1152 + 2304)
    up = (16 * 8 * 9 + 576) + (8 * 4 * 9 + 144) + (4 * 2 * 9 + 36) + (2 * 1 * 9 + 9)
    norms = 4 * 2 * ((1 + 2 + 4 + 8 + 16) + (8 + 4 + 2 + 1))
    doublings = 4 * (16 * 8 + 8 * 4 + 4 * 2 + 2 * 1) + (8 + 4 + 2 + 1)
    head = 1 * 2 + 2
    expected = down + up + norms + doublings + head
    assert sizes.parameters({"architecture": "unet", "width": 1}, 1) == expected


@pytest.mark.parametrize("architecture", sizes.ARCHITECTURES)
def test_the_network_is_as_counted(family, architecture):
    from cellseg.models.unet import network

    settings = _settings(architecture, ["fgbg"])
    assert family.parameters(settings) == sizes.parameters(settings["model"], 1)
    levels = sizes.channels(settings["model"])
    stride = sizes.stride(settings["model"])
    model = network.build(settings, (stride, 3 * stride))
    for number, channels in enumerate(levels, start=1):
        scale = 2 ** (number - 1)
        shape = (None, stride // scale, 3 * stride // scale, channels)
        assert model.get_layer(f"down_{number}_relu_2").output.shape == shape
    assert stride // scale == 1
    assert model.output["fgbg"].shape == (None, stride, 3 * stride, 2)


@pytest.mark.parametrize(("architecture", "heads"), SETS)
def test_every_weight_is_trained_and_the_loss_falls(family, eagerly, architecture, heads, tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    learner = family.learner(_settings(architecture, heads), 64, tmp_path)
    learner.optimizer.clipnorm = None
    batch = _batch(heads)
    first = learner.train_batch(batch, 1e-3)
    assert set(first) == {"loss", *(f"{head}_loss" for head in heads)}
    # After one step Adam's first moment is a tenth of the gradient.
    for variable, moment in zip(
        learner.model.trainable_variables, learner.optimizer._momentums, strict=True
    ):
        assert np.abs(moment.numpy()).max() > 0, variable.path
    for _ in range(5):
        last = learner.train_batch(batch, 1e-2)
    assert last["loss"] < 0.9 * first["loss"]
    maps = learner.model(batch[0], training=False)
    for head in heads:
        assert maps[head].shape == (2, 64, 64, HEADS[head].channels)
        if HEADS[head].activation == "softmax":
            np.testing.assert_allclose(np.sum(maps[head], axis=-1), 1, atol=1e-5)
        elif HEADS[head].activation == "relu":
            assert np.min(maps[head]) >= 0


@pytest.mark.parametrize("architecture", sizes.ARCHITECTURES)
def test_images_of_any_size_come_back_in_their_size(family, eagerly, architecture, tmp_path):
    settings = _settings(architecture, ["fgbg"])
    family.learner(settings, 64, tmp_path).save_weights(tmp_path / "weights.h5")
    predictor = family.Predictor(settings, tmp_path)
    images = np.random.default_rng(0).normal(size=(1, 65, 70, 1)).astype(np.float32)
    found = predictor(images)["fgbg"]
    assert found.shape == (1, 65, 70, 2)
    stride = sizes.stride({"architecture": architecture})
    missing = [(0, -given % stride) for given in (65, 70)]
    mirrored = np.pad(images, [(0, 0), *missing, (0, 0)], mode="symmetric")
    np.testing.assert_array_equal(found, predictor(mirrored)["fgbg"][:, :65, :70])


def test_half_floats_give_nearly_the_same_loss(family, eagerly, tmp_path):
    from cellseg.models.keras3.learner import compute_in

    losses = {}
    for precision in (False, "float16"):
        settings = _settings("unet", ["inner-distance", "fgbg"])
        settings["training"]["mixed_precision"] = precision
        compute_in(precision)
        try:
            learner = family.learner(settings, 64, tmp_path)
            if precision:
                learner.load_weights(tmp_path / "start.h5")
            else:
                learner.save_weights(tmp_path / "start.h5")
            losses[precision] = learner.train_batch(_batch(settings["heads"]), 1e-3)["loss"]
        finally:
            compute_in(False)
    assert losses["float16"] == pytest.approx(losses[False], rel=0.02)


@pytest.mark.parametrize("architecture", sizes.ARCHITECTURES)
def test_values_in_the_maps_are_as_many_as_the_memory_is_guessed_by(architecture):
    from cellseg.models.unet import network

    settings = _settings(architecture, ["fgbg"])
    model = network.build(settings, (64, 128))
    found = small_training.values_per_pixel(model, (64, 128))
    assert found == pytest.approx(sizes.values(settings["model"], 1), rel=0.1)
