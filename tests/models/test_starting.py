"""Networks that start from another one: what is taken, frozen, trained slowly and refused."""

import os
import re
import signal

import numpy as np
import pandas as pd
import pytest

import small_training
from cellseg.errors import UserError
from cellseg.models import keras_files
from cellseg.training.start import Start

OTHER_HEADS = {"outer-distance": {}, "fgbg": {}}
RATE = 1e-3
FIRST_OF_BACKBONE = {"unet": "down_1_conv_1", "panopticnet": "conv2d", "deepcell": "conv2d"}


SHORT = pytest.mark.parametrize(
    "name",
    [name if name == "unet" else pytest.param(name, marks=pytest.mark.slow)
     for name in sorted(FIRST_OF_BACKBONE)],
    indirect=True,
)  # fmt: skip
"""What takes the same path in all families: a U-Net's in the short ring."""


@pytest.fixture(scope="module", params=sorted(FIRST_OF_BACKBONE))
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
            # A mean below zero: with one above, a frozen backbone's ReLUs would give zeros alone.
            value = -0.625 if "mean" in variable.name else 0.625
            variable.assign(np.full(variable.shape, value, np.float32))
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


def is_backbone(layer: str) -> bool:
    return re.match(r"down_|(conv2d|batch_normalization)(_\d+)?$", layer) is not None


def variables(name, model) -> list:
    """Layer, variable, and whether training changes it, of all variables of a network."""
    if name == "deepcell":
        found = [(layer.name, one) for layer in model.layers for one in layer.weights]
    else:
        from cellseg.models.keras3 import weight_files

        found = [(layer, one) for (layer, _), one in weight_files.named_weights(model).items()]
    learnt = {id(one) for one in model.trainable_variables}
    return [(layer, one, id(one) in learnt or "moving_" in one.name) for layer, one in found]


@pytest.mark.parametrize("take", ["all", "all-but-heads", "backbone"])
@SHORT
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


@SHORT
def test_a_network_without_a_start_is_as_ever(family, name, source, tmp_path, monkeypatch):
    train(family, small_training.settings(1, 0, name), tmp_path, None, monkeypatch)
    assert not layers_alike(source, tmp_path / "weights.h5")[FIRST_OF_BACKBONE[name]]


def test_each_layer_is_frozen_slow_or_fast_as_told(family, name, source, tmp_path, monkeypatch):
    """Adam's first step changes a weight by the rate, next to the decay of rate times weight.

    The backbone is frozen, its batch norms too, in training and where averages are measured again;
    the layers between are taken, so slow; the heads are new.
    """
    settings = {**small_training.settings(1, 0, name), "heads": OTHER_HEADS}
    settings["training"] |= {"clipnorm": None, "weight_decay": 0.5}
    begun = start(source, "all-but-heads", "backbone", rate=0.125)
    learner = train(family, settings, tmp_path, begun, monkeypatch)
    all_of_it = variables(name, learner.model)
    before = [np.array(variable.numpy()) for _, variable, _ in all_of_it]
    stream = small_training.streams(0, OTHER_HEADS)[0]
    learner.train_batch(next(iter(stream.epoch(0))), RATE)
    stepped = [np.array(variable.numpy()) for _, variable, _ in all_of_it]
    learner.recalibrate(stream, 1)
    changed: dict[str, list] = {"backbone": [], "between": [], "heads": []}
    largest = {"between": 0.0, "heads": 0.0}
    for (layer, variable, learns), old, new in zip(all_of_it, before, stepped, strict=True):
        part = "backbone" if is_backbone(layer) else "heads" if is_head(layer) else "between"
        same = np.array_equal(old, np.array(variable.numpy()))
        # A bias before a batch norm in use has no gradient but that of rounding.
        without = layer.startswith("conv_0_semantic_") and "bias" in variable.name
        if (learns and not without) or part == "backbone":
            changed[part].append((not same, layer, variable.name))
        if "kernel" in variable.name and part != "backbone" and learns:
            rate = RATE * (0.125 if part == "between" else 1)
            step = np.abs(new - old * (1 - rate * 0.5)).max() / rate
            assert step < 1.02, (layer, step)
            largest[part] = max(largest[part], step)
    assert [one for one in changed["backbone"] if one[0]] == []
    assert [one for one in changed["between"] + changed["heads"] if not one[0]] == []
    assert all(len(found) > 3 for found in changed.values())
    assert min(largest.values()) > 0.95


@SHORT
def test_shapes_that_differ_are_named(family, name, source, tmp_path, monkeypatch):
    model = {"width": 8} if name == "unet" else {"location": False}
    settings = small_training.settings(1, 0, name, **model)
    layer = "down_1_conv_1 3x3x1x4 instead of 3x3x1x8" if name == "unet" else (
        "conv_channels 1x1x3x3 instead of 1x1x1x3")  # fmt: skip
    with pytest.raises(UserError, match=f"the other run do not fit.*of other shapes are {layer}"):
        train(family, settings, tmp_path, start(source), monkeypatch)


@SHORT
def test_heads_that_the_other_network_lacks_are_named(family, name, source, tmp_path, monkeypatch):
    settings = {**small_training.settings(1, 0, name), "heads": {"fgbg": {}}}
    with pytest.raises(UserError, match=r"take: all.*(no layer|other shapes).*all-but-heads"):
        train(family, settings, tmp_path, start(source), monkeypatch)


@SHORT
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


@SHORT
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
    frozen = layers_alike(source, tmp_path / "whole/weights.h5")
    assert {layer for layer, same in frozen.items() if same} == {
        layer for layer in frozen if layer.startswith("down_1_")
    }
