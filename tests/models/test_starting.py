"""Networks that start from another one: what is taken, frozen, trained slowly and refused."""

import os
import signal

import numpy as np
import pandas as pd
import pytest

import small_training
from cellseg import models
from cellseg.errors import UserError
from cellseg.models import keras_files
from cellseg.training.start import Start

OTHER_HEADS = {"outer-distance": {}, "fgbg": {}}
FIRST_OF_BACKBONE = {"unet": "down_1_conv_1", "panopticnet": "conv2d", "deepcell": "conv2d"}


@pytest.fixture(scope="module", params=sorted(models.FAMILIES))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def family(name):
    return small_training.load(name)


@pytest.fixture(scope="module", autouse=True)
def eagerly(family):
    with small_training.without_tracing():
        yield


@pytest.fixture(scope="module")
def source(family, name, tmp_path_factory):
    """Weights of another seed, with running averages that no other network has."""
    folder = tmp_path_factory.mktemp("source")
    learner = getattr(family, small_training.LEARNERS[name])
    made = learner(small_training.settings(1, 5, name), 32, folder)
    for variable in made.model.variables:
        if "moving_" in variable.name:
            variable.assign(np.full(variable.shape, 0.625, np.float32))
    made.save_weights(folder / "weights.h5")
    return folder / "weights.h5"


def start(path, take="all", freeze=None, rate=1):
    return Start(path, take, freeze, rate, "the other run", [])


def train(family, settings, folder, begun, monkeypatch=None):
    """The learner as the loop gets it, or trained where nothing is left out."""
    folder.mkdir(exist_ok=True)
    caught = []

    def fit(learner, *rest):
        caught.append(learner)
        return pd.DataFrame()

    if monkeypatch:
        if settings["model"]["family"] == "deepcell":
            monkeypatch.setattr(family, "fit", fit)
        else:
            from cellseg.models.keras3 import learner

            monkeypatch.setattr(learner, "fit", fit)
    streams = small_training.streams(0, settings["heads"])
    state = small_training.state(folder)
    family.train(settings, *streams, folder, state, start=begun)
    return caught[0] if caught else None


def layers_alike(one, two) -> dict[str, bool]:
    """Whether the weights of each layer that both files have are the same, bit by bit."""
    first, second = keras_files.read(one), keras_files.read(two)
    alike: dict[str, bool] = {}
    for layer, number in first.keys() & second.keys():
        same = np.array_equal(first[layer, number], second[layer, number])
        alike[layer] = alike.get(layer, True) and same
    return alike


def is_head(layer: str) -> bool:
    return "semantic" in layer or layer.startswith("head_")


@pytest.mark.parametrize("take", ["all", "all-but-heads", "backbone"])
def test_what_is_taken_is_that_of_the_other_network(
    family, name, source, take, tmp_path, monkeypatch
):
    heads = small_training.HEADS if take == "all" else OTHER_HEADS
    settings = {**small_training.settings(1, 0, name), "heads": heads}
    train(family, settings, tmp_path, start(source, take), monkeypatch)
    alike = layers_alike(source, tmp_path / "weights.h5")
    assert len(alike) > 20 and alike[FIRST_OF_BACKBONE[name]]
    if take == "all":
        assert all(alike.values())
    elif take == "all-but-heads":
        assert [layer for layer, same in alike.items() if not same and not is_head(layer)] == []
    else:
        between = {"unet": "up_1_conv_1"}.get(name, "C4_reduced")
        assert not alike[between]


def test_a_network_without_a_start_is_as_ever(family, name, source, tmp_path, monkeypatch):
    train(family, small_training.settings(1, 0, name), tmp_path, None, monkeypatch)
    assert not layers_alike(source, tmp_path / "weights.h5")[FIRST_OF_BACKBONE[name]]


def test_frozen_layers_stay_and_the_others_learn(family, name, source, tmp_path):
    """Their batch norms too, in training and where averages are measured again."""
    settings = small_training.settings(2, 0, name)
    train(family, settings, tmp_path, start(source, freeze="backbone"))
    alike = layers_alike(source, tmp_path / "weights.h5")
    norm = "down_1_norm_1" if name == "unet" else "batch_normalization"
    assert alike[FIRST_OF_BACKBONE[name]] and alike[norm]
    learnt = [layer for layer, same in alike.items() if not same]
    assert len(learnt) >= 3 and any(is_head(layer) for layer in learnt)


def test_taken_layers_are_trained_at_the_lower_rate(family, name, source, tmp_path, monkeypatch):
    """Adam's first steps change each weight by the rate; decay takes its share of that."""
    settings = {**small_training.settings(1, 0, name), "heads": OTHER_HEADS}
    settings["training"] |= {"clipnorm": None, "weight_decay": 0.5}
    learner = train(family, settings, tmp_path, start(source, "backbone", rate=0.125), monkeypatch)
    variables = learner.model.trainable_variables
    batch = next(iter(small_training.streams(0, OTHER_HEADS)[0].epoch(0)))
    before = [np.array(one.numpy()) for one in variables]
    learner.train_batch(batch, 1e-3)
    first = FIRST_OF_BACKBONE[name]
    kernels = [learner.model.get_layer(first).weights[0], _head_kernel(name, learner.model)]
    changes = []
    for kernel in kernels:
        [place] = [i for i, one in enumerate(variables) if one is kernel]
        changes.append(np.abs(np.array(kernel.numpy()) - before[place]).max())
    assert changes[0] == pytest.approx(1e-3 / 8, rel=0.3)
    assert changes[1] == pytest.approx(1e-3, rel=0.3)


def _head_kernel(name, model):
    if name == "panopticnet":
        return model.get_layer("heads").leaves()[0].weights[0]
    layer = "head_fgbg" if name == "unet" else "conv_1_semantic_1"
    return model.get_layer(layer).weights[0]


def test_shapes_that_differ_are_named(family, name, source, tmp_path, monkeypatch):
    model = {"width": 8} if name == "unet" else {"location": False}
    settings = small_training.settings(1, 0, name, **model)
    layer = "down_1_conv_1 3x3x1x4 instead of 3x3x1x8" if name == "unet" else (
        "conv_channels 1x1x3x3 instead of 1x1x1x3")  # fmt: skip
    with pytest.raises(UserError, match=f"the other run do not fit.*of other shapes are {layer}"):
        train(family, settings, tmp_path, start(source), monkeypatch)


def test_heads_that_the_other_network_lacks_are_named(family, name, source, tmp_path, monkeypatch):
    settings = {**small_training.settings(1, 0, name), "heads": {"fgbg": {}}}
    with pytest.raises(UserError, match=r"take: all.*(no layer|other shapes).*all-but-heads"):
        train(family, settings, tmp_path, start(source), monkeypatch)


@pytest.mark.parametrize(
    ("take", "freeze", "why"),
    [
        ("all", ["nothing*"], "no layer with weights is called 'nothing\\*'"),
        ("all", ["*"], "nothing is left to train"),
        ("backbone", ["*"], "would stay at random"),
    ],
)
def test_what_cannot_be_frozen_is_refused(family, name, source, take, freeze, why, tmp_path):
    settings = small_training.settings(1, 0, name)
    with pytest.raises(UserError, match=why):
        train(family, settings, tmp_path, start(source, take, freeze))


def test_a_file_that_holds_no_weights_is_refused(family, name, tmp_path, monkeypatch):
    path = tmp_path / "weights.h5"
    path.write_text("none")
    with pytest.raises(UserError, match=r"weights\.h5"):
        train(
            family, small_training.settings(1, 0, name), tmp_path / "run", start(path), monkeypatch
        )


@pytest.mark.parametrize("name", ["unet"], indirect=True)
def test_a_stopped_training_resumes_exactly(family, source, tmp_path, monkeypatch):
    """With frozen layers and a lower rate: the state has fewer variables than usual."""
    from cellseg.models.keras3.learner import KerasLearner

    settings = small_training.settings(2, 0, "unet")
    begun = start(source, freeze=["down_1_*"], rate=0.25)
    train(family, settings, tmp_path / "whole", begun)
    step, steps = KerasLearner.train_batch, []

    def signalled(self, batch, rate):
        losses = step(self, batch, rate)
        steps.append(rate)
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return losses

    monkeypatch.setattr(KerasLearner, "train_batch", signalled)
    with pytest.raises(UserError, match="SIGTERM came in epoch 2 of 2"):
        train(family, settings, tmp_path / "stopped", begun)
    train(family, settings, tmp_path / "stopped", begun)
    assert len(steps) == 4
    alike = layers_alike(tmp_path / "whole/weights.h5", tmp_path / "stopped/weights.h5")
    assert len(alike) > 20 and all(alike.values())
