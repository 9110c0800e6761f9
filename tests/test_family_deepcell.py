"""The family `deepcell`: PanopticNet as the deepcell package builds it."""

import warnings
from itertools import combinations

import h5py
import numpy as np
import pytest

import small_training
from cellseg.errors import UserError
from cellseg.heads import HEADS


@pytest.fixture(scope="session")
def family():
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        from cellseg.families import deepcell
    return deepcell


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
    streams = small_training.streams(0)
    state = small_training.state(tmp_path)
    family.train(settings, *streams, tmp_path, state, mobilenet_weights[0])
    with h5py.File(tmp_path / "weights.h5") as file:
        kernel = file["Conv1/Conv1/kernel:0"][()]
    expected = mobilenet_weights[1].get_layer("Conv1").get_weights()[0]
    np.testing.assert_allclose(kernel, expected, atol=1e-6)
