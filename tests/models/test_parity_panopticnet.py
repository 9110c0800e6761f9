"""The Keras 3 network next to the one that the deepcell package builds."""

import re
from itertools import combinations

import numpy as np
import pytest

import small_training
from cellseg.models.panopticnet import sizes
from cellseg.targets.channels import OF_DEEPCELL
from cellseg.targets.heads import HEADS

pytestmark = pytest.mark.parity

DAILY = ["resnet50", "densenet121", "efficientnetb0", "mobilenetv2", "featurenet"]
LARGE = ["densenet201", "efficientnetb7"]
"""Larger networks of the same kinds, which the report used. Their weights are counted every day;
predictions and steps are compared by the slow tests."""
BACKBONES = [*DAILY, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]
STEPPED = ("resnet50", "mobilenetv2", "featurenet")
"""Backbones whose steps are compared every day."""
LEVELS = ["345", "12345"]
# Batch norm takes off whatever bias comes before it, that of an earlier batch norm without an
# activation included: the gradient of such a bias is zero but for rounding.
BEFORE_BATCH_NORM = re.compile(
    r"conv\d_.*conv|conv2d(_\d+)?|conv_\d_semantic_(upsample_)?\d|.*_project_BN|.*project_bn"
)
COMBINATIONS = [
    list(names) for number in range(1, 5) for names in combinations(OF_DEEPCELL, number)
]


@pytest.fixture(scope="module")
def families():
    import warnings

    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        from cellseg.models.deepcell import family as deepcell
        from cellseg.models.panopticnet.family import FAMILY
    return deepcell, FAMILY


def _settings(family, backbone, levels, heads=OF_DEEPCELL, **more):
    settings = small_training.settings(
        1,
        family=family,
        backbone=backbone,
        backbone_levels=[f"C{level}" for level in levels],
        **more,
    )
    return {**settings, "heads": {head: {} for head in heads}}


def _randomized(model):
    """Give every weight of a legacy model a value that no initialiser gives."""
    random = np.random.default_rng(0)

    def value(weight, array):
        if array.dtype.kind == "i":
            return array
        if any(name in weight.name for name in ("gamma", "variance")):
            return random.uniform(0.7, 1.3, array.shape)
        return array + random.normal(0, 0.02, array.shape)

    model.set_weights(
        [value(w, a) for w, a in zip(model.weights, model.get_weights(), strict=True)]
    )


def _pair(families, backbone, levels, heads, folder, size=64, **more):
    """The same weights in a network of each family, by way of a deepcell file."""
    from cellseg.models.keras3 import weight_files
    from cellseg.models.panopticnet import network

    deepcell, _ = families
    theirs = deepcell.build(_settings("deepcell", backbone, levels, heads, **more), size)
    _randomized(theirs)
    theirs.save_weights(str(folder / "deepcell.h5"))
    ours = network.build(_settings("panopticnet", backbone, levels, heads, **more), (size, size))
    weight_files.load(ours, folder / "deepcell.h5")
    return theirs, ours


def _assert_equal(theirs, ours):
    """The same number of weights, and predictions to 1e-4 of the largest."""
    assert ours.count_params() == theirs.count_params()
    images = np.random.default_rng(1).normal(size=(2, *ours.input_shape[1:])).astype(np.float32)
    expected = theirs(images, training=False)
    expected = expected if isinstance(expected, list) else [expected]
    found = ours(images, training=False)
    for theirs_of_head, head in zip(expected, found, strict=True):
        largest = np.abs(theirs_of_head).max()
        np.testing.assert_allclose(found[head], theirs_of_head, atol=1e-4 * largest)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_weights_of_a_deepcell_file_predict_the_same(families, backbone, tmp_path):
    """Levels C1 to C5 and all heads; C3 to C5 are in the test of one step."""
    _assert_equal(*_pair(families, backbone, "12345", OF_DEEPCELL, tmp_path))


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("heads", COMBINATIONS, ids="+".join)
def test_every_combination_of_heads_predicts_the_same(families, heads, levels, tmp_path):
    _assert_equal(*_pair(families, "featurenet", levels, heads, tmp_path, size=32))


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("backbone", ["featurenet", "resnet50"])
def test_a_lite_pyramid_is_depthwise_and_predicts_the_same(families, backbone, levels, tmp_path):
    heads = ["inner-distance", "pixelwise"]
    theirs, ours = _pair(families, backbone, levels, heads, tmp_path, lite=True)
    _assert_equal(theirs, ours)
    kernel = ours.get_layer(f"P{levels[0]}").kernel
    assert tuple(kernel.shape) == (3, 3, 256, 1)
    whole = families[0].build(_settings("deepcell", backbone, levels, heads), 64)
    assert whole.count_params() - theirs.count_params() == sizes.LITE_PARAMETERS


def test_parameters_of_every_backbone_are_deepcells(families):
    """Of backbones that no other test builds, but for slow ones; a level tapped elsewhere has
    other channels."""
    deepcell, panopticnet = families
    for backbone in (*LARGE, "mobilenet", "vgg16"):
        expected = deepcell.build(_settings("deepcell", backbone, "12345"), 64).count_params()
        settings = _settings("panopticnet", backbone, "12345")
        assert panopticnet.parameters({**settings, "tiling": {"size": 64}}) == expected


def test_the_squared_error_is_that_of_keras(families):
    import tf_keras

    from cellseg.models.keras3 import losses

    truth, prediction = np.random.default_rng(0).uniform(size=(2, 3, 16, 16, 1)).astype(np.float32)
    expected = np.mean(tf_keras.losses.mean_squared_error(truth, prediction))
    np.testing.assert_allclose(
        losses.of_head(HEADS["inner-distance"], 0.01)(truth, prediction), expected, rtol=1e-6
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_losses_are_deepcells(families, classes):
    import tensorflow as tf
    from deepcell import losses as theirs

    from cellseg.models.keras3 import losses

    random = np.random.default_rng(classes)
    head = HEADS[{2: "fgbg", 3: "pixelwise"}[classes]]
    for empty in (False, True):
        truth = np.eye(classes, dtype=np.float32)[random.integers(0, classes, (3, 16, 16))]
        if empty:  # a class that no pixel has
            truth = np.roll(np.eye(classes, dtype=np.float32)[np.zeros((3, 16, 16), int)], 1, -1)
        prediction = random.uniform(0, 1, truth.shape).astype(np.float32) ** 8
        prediction[0, :4] = truth[0, :4]  # zeros and ones, which are clipped
        expected = theirs.weighted_categorical_crossentropy(truth, prediction, n_classes=classes)
        found = losses.of_head(head, 0.01)(tf.constant(truth), tf.constant(prediction))
        np.testing.assert_allclose(found, 0.01 * np.mean(expected), rtol=1e-6)


@pytest.fixture
def eagerly(families):
    """Run both networks without tracing them, which takes minutes for the large ones."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def _put_gradients_into_weights(learner):
    """Replace trained weights by Adam's first moment: after one step, a tenth of the gradient."""
    variables, moments = learner.model.trainable_variables, learner.optimizer._momentums
    for variable, moment in zip(variables, moments, strict=True):
        assert variable.shape == moment.shape
        variable.assign(moment)


@pytest.mark.parametrize(("backbone", "levels", "clip"), [
    *(
        pytest.param(
            *(backbone, "345", "clipnorm"), marks=[pytest.mark.slow] * (backbone not in STEPPED)
        )
        for backbone in (*DAILY, *LARGE)
    ),
    ("featurenet", "12345", "clipnorm"), ("featurenet", "345", "global_clipnorm"),
])  # fmt: skip
def test_one_step_changes_the_weights_alike(families, eagerly, backbone, levels, clip, tmp_path):
    """Gradients, clipping, Adam and running averages; random dropout is turned off."""
    import tf_keras

    from cellseg.models.keras3 import weight_files

    tf_keras.utils.set_random_seed(0)
    deepcell, panopticnet = families
    rate, size = 4.9e-5, 64  # two whole steps apart is still less than 1e-4
    learners = []
    for name, learner_class in (
        ("deepcell", deepcell.DeepcellLearner),
        ("panopticnet", panopticnet.learner),
    ):
        settings = _settings(name, backbone, levels, ["inner-distance", "pixelwise"])
        limit = settings["training"].pop("clipnorm")
        settings["training"] |= {"clipnorm": None, "global_clipnorm": None, clip: limit}
        learner = learner_class(settings, size, tmp_path / name)
        for layer in learner.model.layers:
            if "Dropout" in type(layer).__name__:
                layer.rate = 0
        learners.append(learner)
    theirs, ours = learners
    theirs.save_weights(tmp_path / "start.h5")
    ours.load_weights(tmp_path / "start.h5")
    _assert_equal(theirs.model, ours.model)
    random = np.random.default_rng(0)
    images = random.normal(size=(4, size, size, 1)).astype(np.float32)
    classes = random.integers(0, 3, (4, size, size))
    targets = {
        "inner-distance": random.uniform(size=(4, size, size, 1)).astype(np.float32),
        "pixelwise": np.eye(3, dtype=np.float32)[classes],
    }
    losses = [learner.train_batch((images, targets), rate) for learner in learners]
    for head, expected in losses[0].items():
        np.testing.assert_allclose(losses[1][head], expected, rtol=1e-4)
    for name, learner in zip(("theirs", "ours"), learners, strict=True):
        learner.save_weights(tmp_path / f"{name}.h5")
        _put_gradients_into_weights(learner)
        learner.save_weights(tmp_path / f"gradients-{name}.h5")
    start = weight_files.read(tmp_path / "start.h5")
    expected, found = (weight_files.read(tmp_path / f"{name}.h5") for name in ("theirs", "ours"))
    assert expected.keys() == found.keys()
    for place, values in expected.items():
        assert np.abs(values - found[place]).max() <= 1e-4, place
    assert sum((expected[key] != start[key]).any() for key in expected) > 0.9 * len(expected)
    # Adam's first step is whole wherever there is any gradient, if only by rounding: the weights
    # say little, the gradients that it was given say all.
    stepped = expected
    expected, found = (
        weight_files.read(tmp_path / f"gradients-{name}.h5") for name in ("theirs", "ours")
    )
    norms = {
        place: np.linalg.norm(gradient)
        for place, gradient in expected.items()
        if not np.array_equal(gradient, stepped[place])  # running averages have none
        and not (place[1] == 1 and BEFORE_BATCH_NORM.fullmatch(place[0]))
    }
    largest = max(norms.values())
    for place, norm in norms.items():
        distance = np.linalg.norm(expected[place] - found[place])
        assert distance <= 0.15 * norm + 0.002 * largest, (place, distance, norm)
    assert np.mean([norm > 0.02 * largest for norm in norms.values()]) > 0.4


@pytest.mark.parametrize("backbone", ["mobilenetv2", "densenet121"])
def test_files_of_this_family_load_into_deepcell(families, backbone, tmp_path):
    from cellseg.models.keras3 import weight_files
    from cellseg.models.panopticnet import network

    deepcell, _ = families
    ours = network.build(_settings("panopticnet", backbone, "345"), (64, 64))
    weight_files.write(ours, tmp_path / "ours.h5")
    theirs = deepcell.build(_settings("deepcell", backbone, "345"), 64)
    theirs.load_weights(str(tmp_path / "ours.h5"), by_name=True)
    _assert_equal(theirs, ours)


def test_densenets_stem_is_loaded_from_an_imagenet_file(families, tmp_path):
    """Keras 3 renamed it; loading by name skips it without a word."""
    import tf_keras

    from cellseg.models.keras3 import weight_files
    from cellseg.models.panopticnet import network

    source = tf_keras.applications.DenseNet201(
        input_shape=(64, 64, 3), include_top=False, weights=None
    )
    _randomized(source)
    source.save_weights(str(tmp_path / "densenet201.h5"))
    ours = network.build(_settings("panopticnet", "densenet201", "345"), (64, 64))
    count = weight_files.load_backbone(ours, tmp_path / "densenet201.h5")
    found = {layer.name.replace("/", "_"): layer for layer in ours.layers}
    with_weights = [layer for layer in source.layers if layer.weights]
    assert count == len(with_weights) - 1  # the last batch norm lies behind the coarsest level
    for name in ("conv1/conv", "conv1/bn", "conv5_block32_2_conv"):
        pairs = zip(
            source.get_layer(name).get_weights(),
            found[name.replace("/", "_")].get_weights(),
            strict=True,
        )
        for expected, value in pairs:
            np.testing.assert_array_equal(value, expected)
