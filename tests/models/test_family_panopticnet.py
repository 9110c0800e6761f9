"""The family `panopticnet`, where it goes beyond deepcell's."""

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import small_training
from cellseg.errors import UserError
from cellseg.images.normalization import normalize
from cellseg.models.panopticnet.declarations import BACKBONES


@pytest.fixture(scope="module")
def family():
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        from cellseg.models.panopticnet.family import FAMILY
    return FAMILY


def _settings(epochs=1, **options):
    return small_training.settings(epochs, family="panopticnet", **options)


def _train(family, settings, folder, weights=None):
    streams, state = small_training.streams(0), small_training.state(folder)
    return family.train(settings, *streams, folder, state, weights)


@pytest.fixture(scope="module")
def trained(family, tmp_path_factory):
    """Folder and settings of a network without location."""
    folder, settings = tmp_path_factory.mktemp("run"), _settings(location=False)
    _train(family, settings, folder)
    return folder, settings


@pytest.mark.parametrize("shape", [(33, 70), (20, 31), (96, 64)])
def test_images_of_any_size_come_back_in_their_size(family, trained, shape):
    folder, settings = trained
    images = np.random.default_rng(0).normal(size=(2, *shape, 1)).astype(np.float32)
    maps = family.Predictor(settings, folder)(images)
    assert maps["inner-distance"].shape == (2, *shape, 1)
    np.testing.assert_allclose(maps["pixelwise"].sum(-1), 1, atol=1e-5)


def test_filling_up_mirrors_the_image_at_its_far_edges(family, trained):
    folder, settings = trained
    images = np.random.default_rng(0).normal(size=(1, 40, 50, 1)).astype(np.float32)
    mirrored = np.pad(images, [(0, 0), (0, 24), (0, 14), (0, 0)], mode="symmetric")
    predictor = family.Predictor(settings, folder)
    found, expected = predictor(images), predictor(mirrored)
    for head, values in expected.items():
        np.testing.assert_array_equal(found[head], values[:, :40, :50])


def test_doubling_by_two_taps_is_the_backends_own(family):
    """What JAX uses, and the second moments of a doubled map."""
    import keras

    from cellseg.models.panopticnet import upsampling

    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype(np.float32)
    expected = keras.ops.image.resize(x, (10, 14), interpolation="bilinear").numpy()
    np.testing.assert_allclose(upsampling.double_by_taps(x), expected, atol=1e-6)
    products = (x * upsampling.doubled_products(x).numpy()).sum(axis=(1, 2))
    np.testing.assert_allclose(products, (expected**2).sum(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("normalization", ["whole-image", "percentile", "none"])
@pytest.mark.parametrize("backbone", [name for name in BACKBONES if name != "featurenet"])
def test_pretrained_backbones_see_what_they_were_trained_on(family, backbone, normalization):
    """A grey image becomes what Keras' own preprocessing makes of it, in colour and in scale."""
    import keras

    from cellseg.models.panopticnet.preprocessing import DEVIATION, MEAN, scaling

    model = {"backbone": backbone, "weights": "imagenet", "preprocessing": "imagenet"}
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 1)).astype(np.uint8)
    factor, offset = scaling(model, normalization)
    fed = normalize(image, normalization) * factor + offset
    if normalization == "whole-image":  # the image's own mean and deviation take ImageNet's place
        colours = 255 * (normalize(image, "whole-image") * DEVIATION + MEAN)
    elif normalization == "percentile":
        colours = 255 * np.repeat(normalize(image, "percentile"), 3, axis=-1)
    else:
        colours = np.repeat(image.astype(np.float32), 3, axis=-1)
    module = {
        **dict.fromkeys(("resnet50", "resnet101", "resnet152"), "resnet"),
        **dict.fromkeys(("densenet121", "densenet169", "densenet201"), "densenet"),
        **{"mobilenetv2": "mobilenet_v2", "mobilenet": "mobilenet"},
        **{"vgg16": "vgg16", "vgg19": "vgg19"},
    }
    if not backbone.startswith("efficientnet"):
        expected = getattr(keras.applications, module[backbone]).preprocess_input(colours.copy())
    else:  # EfficientNet carries it: division by 255, mean and variance of ImageNet
        expected = (colours / 255 - MEAN) / DEVIATION
    np.testing.assert_allclose(fed, expected, atol=2e-3)


def test_what_a_pretrained_backbone_sees_is_in_the_network(family):
    """Not only computed: the first layer of ResNet50 gets it."""
    from cellseg.models.panopticnet import network
    from cellseg.models.panopticnet.preprocessing import scaling

    settings = _settings(backbone="resnet50", weights="imagenet", preprocessing="imagenet")
    model = network.build(settings, (64, 64))
    image = np.random.default_rng(0).normal(size=(1, 64, 64, 1)).astype(np.float32)
    x = image
    for name in ("location", "conv_channels", "preprocessing"):
        x = model.get_layer(name)(x)
    factor, offset = scaling(settings["model"], "whole-image")
    np.testing.assert_allclose(x, image * factor + offset, atol=1e-3)
    names = [layer.name for layer in model.layers]
    assert names.index("preprocessing") == names.index("conv1_pad") - 1


def test_preprocessing_applies_to_pretrained_backbones_only(family):
    from cellseg.models.panopticnet.preprocessing import scaling

    model = {"backbone": "resnet50", "weights": None, "preprocessing": "imagenet"}
    assert scaling(model, "whole-image") is None
    published = {**model, "weights": "imagenet", "preprocessing": "as-published"}
    assert scaling(published, "whole-image") is None
    # featurenet declares that it takes values as they are, whatever weights it starts from.
    assert scaling({**model, "backbone": "featurenet", "weights": "my"}, "whole-image") is None


def test_a_head_that_is_negative_everywhere_learns_again(family, tmp_path):
    """With a leak; without one, as published, it stays as it is."""
    import tensorflow as tf

    batch = next(small_training.streams(0)[0].epoch(0))
    tf.config.run_functions_eagerly(True)
    try:
        for negative_slope in (0, 0.01):
            learner = family.learner(_settings(negative_slope=negative_slope), 32, tmp_path)
            last = learner.model.get_layer("heads").last[0]
            last.bias.assign([-10.0])
            learner.train_batch(batch, 1e-3)
            assert (last.bias.numpy()[0] > -10) == (negative_slope > 0)
            assert learner.model(batch[0], training=False)["inner-distance"].numpy().max() == 0
    finally:
        tf.config.run_functions_eagerly(False)


def test_efficientnets_hidden_division_is_a_switch(family):
    from cellseg.models.panopticnet import network

    for rescaling, factor in (("none", 1), ("as-published", 1 / 255)):
        settings = _settings(backbone="efficientnetb0", rescaling=rescaling)
        layers = network.build(settings, (32, 32)).layers
        layer = next(layer for layer in layers if layer.name.startswith("rescaling"))
        np.testing.assert_allclose(layer(np.ones((1, 2, 2, 3), np.float32)), factor, rtol=1e-6)


def test_a_file_that_is_no_weight_file_is_refused(family, tmp_path):
    path = tmp_path / "page.h5"
    path.write_text("<html>not found</html>")
    with pytest.raises(UserError, match="is not a Keras weight file"):
        _train(family, _settings(), tmp_path, path)


def _losses(family, folder, **training):
    """Losses of three steps from the same weights on the same batch."""
    import keras

    from cellseg.models.keras3.learner import compute_in

    settings = _settings()
    settings["training"] |= training
    keras.utils.set_random_seed(0)
    compute_in(settings["training"]["mixed_precision"])
    learner = family.learner(settings, 64, folder)
    if (folder / "start.h5").exists():
        learner.load_weights(folder / "start.h5")
    else:
        learner.save_weights(folder / "start.h5")
    random = np.random.default_rng(0)
    images = random.normal(size=(2, 64, 64, 1)).astype(np.float32)
    classes = random.integers(0, 3, (2, 64, 64))
    targets = {
        "inner-distance": random.uniform(size=(2, 64, 64, 1)).astype(np.float32),
        "pixelwise": np.eye(3, dtype=np.float32)[classes],
    }
    before = learner.model.get_layer("P3").get_weights()[0]
    losses = [learner.train_batch((images, targets), 1e-3)["loss"] for _ in range(3)]
    adam = getattr(learner.optimizer, "inner_optimizer", learner.optimizer)
    assert int(adam.iterations) == 3  # none left out for an infinite gradient
    assert np.abs(learner.model.get_layer("P3").get_weights()[0] - before).max() > 1e-4
    compute_in(False)
    return losses


def test_half_floats_train_to_nearly_the_same_loss(family, tmp_path):
    whole = _losses(family, tmp_path)
    for precision in ("float16", "bfloat16"):
        half = _losses(family, tmp_path, mixed_precision=precision)
        assert half != whole
        assert half[0] == pytest.approx(whole[0], rel=2e-3)
        np.testing.assert_allclose(half, whole, rtol=0.15)


def test_xla_trains_to_the_same_loss(family, tmp_path):
    """In a process of its own: others have asked for determinism, which XLA lacks for pooling."""
    code = (
        "import sys, pathlib, test_family_panopticnet as test\n"
        "from cellseg.models.panopticnet.family import FAMILY\n"
        "print(test._losses(FAMILY, pathlib.Path(sys.argv[1]), xla=True))"
    )
    expected = _losses(family, tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), expected, rtol=1e-3)


def test_dropout_goes_on_where_a_killed_training_stood(family, tmp_path):
    """The state of its random generator is saved with the weights."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)  # tracing takes longer than two steps
    try:
        settings = _settings(backbone="efficientnetb0")
        batch = next(small_training.streams(0)[0].epoch(0))
        first, second = (family.learner(settings, 32, tmp_path / name) for name in ("a", "b"))
        first.train_batch(batch, 1e-3)
        first.save_state(tmp_path)
        second.load_state(tmp_path)
        losses = [learner.train_batch(batch, 1e-3)["loss"] for learner in (first, second)]
    finally:
        tf.config.run_functions_eagerly(False)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(
    ("backbone", "finest"),
    [("featurenet", 1), ("featurenet", 2), ("featurenet", 4), ("mobilenetv2", 3), ("vgg16", 3)],
)
def test_values_in_the_maps_are_as_many_as_the_memory_is_guessed_by(family, backbone, finest):
    from cellseg.models.panopticnet import network, sizes

    levels = [f"C{number}" for number in range(finest, 6)]
    settings = _settings(backbone=backbone, backbone_levels=levels)
    model = network.build(settings, (256, 256))
    of_heads = sum(output.shape[-1] for output in model.outputs)  # one layer, looked into elsewhere
    expected = sizes.VALUES[backbone] + sizes.LEVEL_VALUES[finest]
    found = small_training.values_per_pixel(model, (256, 256))
    assert found - of_heads == pytest.approx(expected, rel=0.03)
