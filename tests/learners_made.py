"""What a family trains with, before the first step, on a network of three layers."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

import numpy as np

from cellseg import models
from cellseg.targets.heads import HEADS
from cellseg.training.family import Family
from setting_cases import World
from settings_base import ALL_HEADS, COMMON

RUNS = {
    "unet": f"train squares/unet/{ALL_HEADS}/full/0",
    "panopticnet": f"train squares/net/{COMMON}/full/0",
    "deepcell": f"train squares/reference/{COMMON}/full/0",
}
"""By family: a training of the base study."""
MODELS = {"unet": "unet", "panopticnet": "net", "deepcell": "reference"}


def settings(world: World, family: str) -> Mapping:
    return world.plan.one(RUNS[family]).params["settings"]


def module(run: Mapping) -> Family:
    """A family; both Kerases compute with TensorFlow here."""
    with mock.patch.dict(os.environ), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow warns about its own deprecations
        return models.load(run["model"])


def learner(world: World, family: str) -> SimpleNamespace:
    """What a family trains a network of three layers with.

    Its fields: optimizer, momentum and dtype of layers, loss of the classes of two channels, xla,
    weights (the sum of the first layer's), and scaled, whether the loss is scaled.
    """
    run = settings(world, family)
    made = []

    def fit(learner, *arguments) -> None:
        made.append(learner)

    of = _of_deepcell if family == "deepcell" else _of_keras3
    stream = SimpleNamespace(tiles=SimpleNamespace(size=32))
    with of(module(run), run, fit) as described:
        module(run).train(run, stream, stream, world.folder, None)
        return described(made[0])


@contextmanager
def _of_keras3(family: Family, run: Mapping, fit) -> Iterator:
    import keras

    from cellseg.models.keras3 import learner as learners

    def network(settings: Mapping, shape: tuple) -> keras.Model:
        image = keras.Input((*shape, 1))
        x = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 1)(image))
        maps = {head: keras.layers.Conv2D(HEADS[head].channels, 1)(x) for head in settings["heads"]}
        return keras.Model(image, maps)

    made, make = [], learners.steps.make

    def recording(model, optimizer, losses, xla):
        made.append((losses, xla))
        return make(model, optimizer, losses, xla)

    def described(learner) -> SimpleNamespace:
        [(losses, xla)] = made
        convolution, norm = learner.model.layers[1:3]
        optimizer = getattr(learner.optimizer, "inner_optimizer", learner.optimizer)
        return SimpleNamespace(
            optimizer=optimizer,
            scaled=optimizer is not learner.optimizer,
            momentum=norm.momentum,
            dtype=convolution.compute_dtype,
            loss=float(losses["pixelwise"](*_halves(3))),
            xla=xla,
            weights=float(np.abs(keras.ops.convert_to_numpy(convolution.kernel)).sum()),
        )

    try:
        with (
            mock.patch.object(family, "build", network),
            mock.patch.object(learners, "fit", fit),
            mock.patch.object(learners.steps, "make", recording),
        ):
            yield described
    finally:
        keras.config.set_dtype_policy("float32")


@contextmanager
def _of_deepcell(family: Family, run: Mapping, fit) -> Iterator:
    import tf_keras

    def network(*arguments, input_shape, num_semantic_classes, **more) -> tf_keras.Model:
        image = tf_keras.Input(input_shape)
        x = tf_keras.layers.BatchNormalization()(tf_keras.layers.Conv2D(2, 1)(image))
        maps = [tf_keras.layers.Conv2D(number, 1)(x) for number in num_semantic_classes]
        return tf_keras.Model(image, maps)

    def described(learner) -> SimpleNamespace:
        convolution, norm = learner.model.layers[1:3]
        optimizer = getattr(learner.optimizer, "inner_optimizer", learner.optimizer)
        return SimpleNamespace(
            optimizer=optimizer,
            scaled=optimizer is not learner.optimizer,
            momentum=norm.momentum,
            dtype=convolution.compute_dtype,
            loss=float(np.mean(learner.model.loss[1](*_halves(3)))),
            xla=learner.model.jit_compile,
            weights=float(np.abs(convolution.kernel.numpy()).sum()),
        )

    try:
        with (
            mock.patch.object(family, "PanopticNet", network),
            mock.patch.object(family, "fit", fit),
        ):
            yield described
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")


def _halves(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each class alike, and a prediction that knows nothing."""
    truth = np.eye(classes, dtype=np.float32).repeat(3000, axis=0).reshape(1, 90, -1, classes)
    return truth, np.full(truth.shape, 1 / classes, np.float32)
