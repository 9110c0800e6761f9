"""What reaches a network in training, in every family: losses, options, pretrained weights."""

import os
import signal
import warnings

import h5py
import numpy as np
import pandas as pd
import pytest

import small_training
from cellseg.errors import UserError
from cellseg.targets.heads import HEADS

THREE = ("inner-distance", "fgbg", "pixelwise")


@pytest.fixture(scope="module", params=small_training.OF_ANY_HEADS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def family(name):
    return small_training.load(name)


@pytest.fixture
def eagerly(family):
    with small_training.without_tracing():
        yield


def _settings(name, heads=("inner-distance", "pixelwise"), model=None, **options):
    settings = small_training.settings(1, family=name, **(model or {}))
    settings["training"] |= options
    return {**settings, "heads": {head: {} for head in heads}}


def _learner(family, settings, folder, size=32):
    kind = getattr(family, small_training.LEARNERS[settings["model"]["family"]])
    return kind(settings, size, folder)


def _batch(heads, size=32, count=3):
    """Images, and maps that are as random and as uneven as can be."""
    random = np.random.default_rng(0)
    maps = {}
    for head in heads:
        channels = HEADS[head].channels
        shape = (count, size, size)
        if HEADS[head].activation != "softmax":
            number = HEADS[head].target_channels
            maps[head] = random.uniform(0, 1, (*shape, number)).astype(np.float32)
        else:  # the last class is rare
            odds = np.array([0.7, 0.3] if channels == 2 else [0.7, 0.25, 0.05])
            maps[head] = np.eye(channels, dtype=np.float32)[random.choice(channels, shape, p=odds)]
    images = random.normal(size=(count, size, size, 1)).astype(np.float32)
    return images, maps


def _maps(learner, images, training=False):
    outputs = learner.model(images, training=training)
    if not isinstance(outputs, dict):  # legacy Keras, in the order of the heads
        outputs = outputs if isinstance(outputs, list) else [outputs]
        outputs = dict(zip(learner.heads, outputs, strict=True))
    return {head: outputs[head].numpy().astype(np.float64) for head in learner.heads}


def _expected(maps, targets, scale):
    """Losses by hand: squared error of distances, else cross-entropy, rare classes weigh more."""
    losses = {}
    for head, found in maps.items():
        truth = targets[head].astype(np.float64)
        if truth.shape[-1] == 1:
            losses[head] = np.mean((truth - found) ** 2)
            continue
        classes = truth.shape[-1]
        weights = truth.sum() / (truth.sum(axis=(0, 1, 2)) + 1) / classes
        of_pixels = -np.sum(truth * np.log(np.clip(found, 1e-7, 1 - 1e-7)) * weights, axis=-1)
        losses[head] = scale * of_pixels.mean()
    return losses


@pytest.mark.parametrize("heads", [THREE[::-1], ("pixelwise",)])
def test_each_head_has_its_loss_whatever_their_order(name, family, eagerly, heads, tmp_path):
    learner = _learner(family, _settings(name, heads, softmax_loss_scale=0.3), tmp_path)
    images, targets = _batch(THREE)
    expected = _expected(_maps(learner, images), targets, 0.3)
    targets = {head: targets[head] for head in sorted(heads)}  # found by name, not by place
    found = learner.validate_batch((images, targets))
    assert set(found) == {"loss", *(f"{head}_loss" for head in heads)}
    for head in heads:
        assert found[f"{head}_loss"] == pytest.approx(expected[head], rel=1e-4), head
    assert found["loss"] == pytest.approx(sum(expected.values()), rel=1e-4)
    # In training with the statistics of the batch; before the step that it makes.
    expected = _expected(_maps(learner, images, training=True), targets, 0.3)
    if name == "unet" or "inner-distance" not in heads:
        found = learner.train_batch((images, targets), 0.0)
        for head in heads:
            assert found[f"{head}_loss"] == pytest.approx(expected[head], rel=0.02), head


def _values(variables):
    return [np.array(variable.numpy()) for variable in variables]


def _gradients(learner):
    """Norm of each variable's gradient as Adam got it: ten times its first moment."""
    return 10 * np.array([np.linalg.norm(each.numpy()) for each in learner.optimizer._momentums])


def _batch_norms(name, model):
    if name == "deepcell":
        from cellseg.models.deepcell.family import batch_norms
    else:
        from cellseg.models.keras3.layers import batch_norms
    return batch_norms(model)


@pytest.fixture(scope="module")
def stepped(name, family, tmp_path_factory):
    """Three learners after a step of rate zero from the same weights, and the limit of two."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("stepped")
    batch = _batch(small_training.HEADS)

    def learner(**options):
        made = _learner(family, _settings(name, **options), folder)
        if (folder / "start.h5").exists():
            made.load_weights(folder / "start.h5")
        else:
            made.save_weights(folder / "start.h5")
        made.before = _values(made.model.trainable_variables)
        made.train_batch(batch, 0.0)
        return made

    tf.config.run_functions_eagerly(True)  # tracing takes longer than a few steps
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = learner(clipnorm=None, batch_norm_momentum=0.6)
            norms = _gradients(plain)
            limit = float(np.median(norms[norms > 0]))
            by_variable = learner(clipnorm=limit, batch_norm_momentum=0.1)
            together = learner(clipnorm=None, global_clipnorm=limit)
    finally:
        tf.config.run_functions_eagerly(False)
    return plain, by_variable, together, limit


def test_gradients_are_clipped_as_the_settings_say(stepped):
    plain, by_variable, together, limit = stepped
    norms = _gradients(plain)
    clipped = np.minimum(norms, limit)
    assert clipped.sum() < 0.9 * norms.sum()
    np.testing.assert_allclose(_gradients(by_variable), clipped, rtol=0.02, atol=1e-5)
    share = limit / np.linalg.norm(norms)
    assert share < 0.9
    np.testing.assert_allclose(_gradients(together), norms * share, rtol=0.02, atol=1e-5)


def test_batch_norms_follow_with_the_momentum_of_the_settings(name, stepped):
    plain, by_variable, together, _ = stepped
    found = []
    for learner, momentum in ((plain, 0.6), (by_variable, 0.1)):
        layers = _batch_norms(name, learner.model)
        assert len(layers) > 10 and {layer.momentum for layer in layers} == {momentum}
        # Those of all heads, too: each has running averages.
        weights = learner.model.non_trainable_weights
        assert sum("moving_" in weight.name for weight in weights) == 2 * len(layers)
        found.append(
            [(layer.moving_mean.numpy() / (1 - momentum),
              (layer.moving_variance.numpy() - momentum) / (1 - momentum)) for layer in layers[:2]]
        )  # fmt: skip
    for first, second in zip(*found, strict=True):
        for one, two in zip(first, second, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-2, atol=1e-4)
        assert np.abs(first[0]).max() > 1e-3
    # null leaves the layers' own.
    assert 0.9 <= _batch_norms(name, together.model)[0].momentum <= 0.999


def test_the_rate_of_a_step_is_the_one_given(stepped, eagerly):
    """Adam's steps on one batch change each weight by the rate."""
    learner = stepped[0]
    weights = learner.model.trainable_variables
    before = _values(weights)
    for one, two in zip(learner.before, before, strict=True):  # after a step of rate zero
        np.testing.assert_array_equal(one, two)
    learner.train_batch(_batch(learner.heads), 1e-4)
    changes = [np.abs(b - a).max() for a, b in zip(before, _values(weights), strict=True)]
    assert max(changes) == pytest.approx(1e-4, rel=0.02)


def test_a_state_holds_all_that_the_next_step_needs(stepped, eagerly, tmp_path):
    """Weights, running averages and moments: with other ones the step would be another."""
    learner = stepped[1]
    batch = _batch(learner.heads)
    learner.save_state(tmp_path)
    learner.train_batch(batch, 1e-2)
    expected = _values(learner.model.variables)
    learner.train_batch((-batch[0], batch[1]), 1e-1)
    learner.load_state(tmp_path)
    learner.train_batch(batch, 1e-2)
    for variable, value in zip(learner.model.variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=1e-5)


@pytest.fixture
def caught(name, family, monkeypatch):
    """What a family's `train` hands to the loop, which is left out."""
    calls = []

    def fit(learner, train, validation, options, resume):
        calls.append((learner, train, validation, options, resume))
        return pd.DataFrame()

    if name == "deepcell":
        monkeypatch.setattr(family, "fit", fit)
    else:
        from cellseg.models.keras3 import learner

        monkeypatch.setattr(learner, "fit", fit)
    return calls


def _train(family, settings, folder, weights=None):
    streams = small_training.streams(0, settings["heads"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        family.train(settings, *streams, folder, small_training.state(folder), weights)


def test_settings_reach_the_network_and_the_loop(family, name, caught, tmp_path, monkeypatch):
    """Floats, XLA or else the same result each time, first weights by the seed."""
    import tensorflow as tf

    repeatable, compiled = [], []
    monkeypatch.setattr(
        tf.config.experimental, "enable_op_determinism", lambda: repeatable.append(True)
    )
    function = tf.function

    def traced(*arguments, jit_compile=None, **options):
        compiled.append(jit_compile)
        return function(*arguments, **options)

    cases = [(False, False, 1), ("float16", True, 1), ("bfloat16", True, 2)]
    kernels = []
    for precision, xla, seed in reversed(cases):  # whole floats last, as others expect them
        for noted in (caught, repeatable, compiled):
            noted.clear()
        settings = _settings(name, mixed_precision=precision, xla=xla)
        with monkeypatch.context() as patched:
            if name != "deepcell":
                patched.setattr(tf, "function", traced)
            _train(family, {**settings, "seed": seed}, tmp_path)
        [(learner, train, validation, options, resume)] = caught
        assert train.augmentation is not None and validation.augmentation is None
        assert options == settings["training"] and resume.folder == tmp_path / "resume"
        kinds = {layer.compute_dtype for layer in learner.model.layers if "conv" in layer.name}
        assert (precision or "float32") in kinds and (precision or kinds == {"float32"})
        scales = type(learner.optimizer).__name__.startswith("LossScaleOptimizer")
        assert scales == (precision == "float16")
        assert bool(repeatable) != xla
        assert (learner.model._jit_compile if name == "deepcell" else compiled[0]) == xla
        kernels.append(learner.model.trainable_variables[0].numpy())
    of_two, of_one, again = kernels
    np.testing.assert_array_equal(of_one, again)
    assert not np.array_equal(of_one, of_two)


LENGTHS = [({"epochs": 2}, 3, 4), ({"epochs": None, "steps": 5, "steps_per_epoch": 3}, 4, 5)]
"""Each pass over the tiles has two steps: also where an epoch ends within a pass."""
STOPPED = [(*LENGTHS[0], None), (*LENGTHS[1], None), (*LENGTHS[0], 0.9)]


@pytest.mark.parametrize(
    ("length", "stops_after", "steps", "ema"), STOPPED, ids=["epochs", "steps", "averaged"]
)
@pytest.mark.parametrize("name", ["unet"], indirect=True)
def test_weights_of_a_stopped_training_are_those_of_an_undisturbed_one(
    family, name, length, stops_after, steps, ema, eagerly, tmp_path, monkeypatch
):
    """Bit by bit, where a signal came within an epoch. A kill is tested in every family."""
    from cellseg.models.keras3.learner import KerasLearner

    options = {"precise_batch_norm_batches": 2, "checkpoint": "best", "ema": ema}
    settings = _settings(name, **length, **options)
    step, rates = KerasLearner.train_batch, []

    def signalled(self, batch, rate):
        losses = step(self, batch, rate)
        rates.append(rate)
        if len(rates) == stops_after:
            os.kill(os.getpid(), signal.SIGTERM)
        return losses

    for folder in ("whole", "stopped"):
        (tmp_path / folder).mkdir()
    _train(family, settings, tmp_path / "whole")
    monkeypatch.setattr(KerasLearner, "train_batch", signalled)
    with pytest.raises(UserError, match="SIGTERM came in epoch 2 of 2, after step 1 of 2"):
        _train(family, settings, tmp_path / "stopped")
    _train(family, settings, tmp_path / "stopped")
    assert len(rates) == steps
    with (
        h5py.File(tmp_path / "whole/weights.h5") as whole,
        h5py.File(tmp_path / "stopped/weights.h5") as stopped,
    ):
        names = []
        whole.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        assert len(names) > 20
        for each in names:
            np.testing.assert_array_equal(whole[each][()], stopped[each][()], err_msg=each)


@pytest.mark.parametrize("name", ["unet"], indirect=True)
def test_the_leak_of_a_unets_head_reaches_it(family, eagerly, tmp_path):
    """A distance that is negative everywhere learns with a leak, and not without."""
    for negative_slope in (0, 0.01):
        learner = _learner(
            family, _settings("unet", model={"negative_slope": negative_slope}), tmp_path
        )
        bias = learner.model.get_layer("head_inner-distance").bias
        bias.assign([-1e3])
        learner.train_batch(_batch(learner.heads), 1e-2)
        assert (bias.numpy()[0] > -1e3) == (negative_slope > 0)


KINDS = {  # the first layer with weights, and the last that the pyramid uses
    "MobileNet": ("mobilenet", "conv1", "conv_pw_13"),
    "MobileNetV2": ("mobilenetv2", "Conv1", "block_16_project"),
    "VGG16": ("vgg16", "block1_conv1", "block5_conv3"),
    "ResNet50": ("resnet50", "conv1_conv", "conv5_block3_3_conv"),
    "DenseNet121": ("densenet121", "conv1/conv", "conv5_block16_2_conv"),
    "EfficientNetB0": ("efficientnetb0", "stem_conv", "top_conv"),
}


@pytest.fixture(scope="module")
def published(request, tmp_path_factory):
    """A file like those that Keras publishes, made here for lack of a network."""
    small_training.load("deepcell")
    import tf_keras

    tf_keras.backend.clear_session()
    make = getattr(tf_keras.applications, request.param)
    model = make(input_shape=(64, 64, 3), include_top=False, weights=None)
    for layer in model.layers:  # scales and offsets of one and zero could be anyone's
        if layer.weights:
            layer.set_weights([weight + 0.125 for weight in layer.get_weights()])
    path = tmp_path_factory.mktemp("weights") / f"{request.param}.h5"
    model.save_weights(str(path))
    return path, *KINDS[request.param], {layer.name: layer.get_weights() for layer in model.layers}


# All of them in deepcell's family, too, would build for half a minute; it loads them all alike.
PAIRS = [
    *((kind, "panopticnet") for kind in KINDS),
    *((kind, "deepcell") for kind in ("MobileNet", "VGG16", "EfficientNetB0")),
]


@pytest.mark.parametrize(("published", "name"), PAIRS, indirect=True)
def test_a_training_begins_with_the_weights_of_the_file(name, family, caught, published, tmp_path):
    """All layers of the backbone, of every kind that there is; EfficientNet's own normalisation
    stays the identity, because images are normalised already."""
    path, backbone, first, last, expected = published
    model = {"backbone": backbone, "weights": "imagenet"}
    if name == "panopticnet":
        model["preprocessing"] = "imagenet"
    _train(family, _settings(name, model=model), tmp_path, path)
    network = caught[0][0].model
    own = {layer.name: layer for layer in network.layers}
    if name == "panopticnet":
        first = first.replace("/", "_")
        expected = {layer.replace("conv1/", "conv1_"): value for layer, value in expected.items()}
        np.testing.assert_array_equal(
            own["conv_channels"].get_weights()[0][0, 0], [[1, 1, 1], [0, 0, 0], [0, 0, 0]]
        )
    compared = set()
    for layer in own.keys() & expected.keys():
        if layer == "normalization":
            mean, variance = (np.array(weight) for weight in own[layer].get_weights()[:2])
            assert (mean == 0).all() and (variance == 1).all()
            continue
        for a, b in zip(own[layer].get_weights(), expected[layer], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=layer)
            compared.add(layer)
    assert first in compared and last in compared
    left_out = {layer for layer, weights in expected.items() if weights} - compared
    assert len(left_out - {"normalization"}) <= 2


@pytest.mark.parametrize("name", ["deepcell", "panopticnet"], indirect=True)
def test_weights_of_a_smaller_backbone_are_refused(name, family, caught, tmp_path):
    """Keras would load the layers that both have. A pyramid that ends early uses fewer layers."""
    import tf_keras

    tf_keras.backend.clear_session()
    model = tf_keras.applications.VGG16(input_shape=(32, 32, 3), include_top=False, weights=None)
    path = tmp_path / "vgg16.h5"
    model.save_weights(str(path))
    why = r"vgg16\.h5 does not fit the backbone vgg19: it has no layer block3_conv4"
    with pytest.raises(UserError, match=why):
        _train(family, _settings(name, model={"backbone": "vgg19"}), tmp_path, path)
    assert caught == []
    levels = {"backbone_levels": ["C1", "C2"]}
    _train(family, _settings(name, model={"backbone": "vgg16", **levels}), tmp_path, path)
    kernel = caught[0][0].model.get_layer("block2_conv2").get_weights()[0]
    np.testing.assert_array_equal(kernel, model.get_layer("block2_conv2").get_weights()[0])
