"""One step of training, of validation, of prediction, on each backend of Keras.

All three do the same: losses of each head, their sum's gradient, clipping and Adam by Keras'
optimiser. Keras' own ``train_on_batch`` would copy every weight to and fro each step on JAX.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import keras
import numpy as np
from keras import ops

Losses = Mapping[str, Callable]
Arrays = Mapping[str, np.ndarray]


class Steps(Protocol):
    """A model with its optimiser. Images are (N, H, W, 1) float32, targets maps by head."""

    def train(self, images: np.ndarray, targets: Arrays, rate: float) -> np.ndarray:
        """Change the weights once; return the loss of each head before that."""

    def validate(self, images: np.ndarray, targets: Arrays) -> np.ndarray:
        """Loss of each head, with the running averages of the batch norms."""

    def follow(self, images: np.ndarray) -> None:
        """Run forward as in training, so that batch norms see the images; change nothing else."""

    def write_back(self) -> None:
        """Put what the steps changed into the variables of model and optimiser."""


def make(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, losses: Losses, xla: bool
) -> Steps:
    """Steps for the backend that Keras computes with."""
    kinds = {"tensorflow": TensorflowSteps, "jax": JaxSteps, "torch": TorchSteps}
    return kinds[keras.backend.backend()](model, optimizer, losses, xla)


def predictor(model: keras.Model) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Function from images to the maps of each head, as numpy arrays."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        run = tf.function(lambda x: model(x, training=False), reduce_retracing=True)
    elif backend == "jax":
        import jax

        trained = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        compiled = jax.jit(
            lambda trained, others, x: model.stateless_call(trained, others, x, training=False)[0]
        )

        def run(x):
            return compiled(trained, others, x)

    else:
        import torch

        def run(x):
            with torch.inference_mode():
                return model(x, training=False)

    return lambda images: {head: ops.convert_to_numpy(x) for head, x in run(images).items()}


def _by_head(losses: Losses, targets: Mapping, predictions: Mapping):
    return ops.stack([loss(targets[head], predictions[head]) for head, loss in losses.items()])


class TensorflowSteps:
    """Graphs traced once; `xla` compiles them."""

    def __init__(self, model, optimizer, losses: Losses, xla: bool) -> None:
        import tensorflow as tf

        self.optimizer = optimizer
        compiled = tf.function(jit_compile=xla, reduce_retracing=True)
        variables = model.trainable_variables

        @compiled
        def train(images, targets):
            with tf.GradientTape() as tape:
                values = _by_head(losses, targets, model(images, training=True))
                total = optimizer.scale_loss(ops.sum(values))
            gradients = tape.gradient(
                total,
                [variable.value for variable in variables],
                # Of biases that batch norm takes off, which the loss does not depend on.
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            optimizer.apply(gradients, variables)
            return values

        @compiled
        def validate(images, targets):
            return _by_head(losses, targets, model(images, training=False))

        self._train, self._validate = train, validate
        self._forward = lambda: compiled(lambda images: model(images, training=True))
        self._follow = None

    def train(self, images, targets, rate):
        self.optimizer.learning_rate = rate
        return self._train(images, targets).numpy()

    def validate(self, images, targets):
        return self._validate(images, targets).numpy()

    def follow(self, images):
        if self._follow is None:  # traced now, for the momentum that the layers have now
            self._follow = self._forward()
        self._follow(images)

    def write_back(self):
        pass


class JaxSteps:
    """Pure functions of the weights, which stay on the device between steps."""

    def __init__(self, model, optimizer, losses: Losses, xla: bool) -> None:
        import jax

        del xla  # JAX always compiles
        self.model, self.optimizer = model, optimizer
        self.state = None
        rate_place = next(
            place
            for place, variable in enumerate(optimizer.variables)
            if variable is innermost(optimizer)._learning_rate
        )

        def total(trained, others, scaling, images, targets):
            predictions, others = model.stateless_call(trained, others, images, training=True)
            values = _by_head(losses, targets, predictions)
            with keras.StatelessScope(
                state_mapping=list(zip(optimizer.variables, scaling, strict=True))
            ):
                scaled = optimizer.scale_loss(ops.sum(values))
            return scaled, (values, others)

        def train(state, images, targets, rate):
            trained, others, moments = state
            moments = [*moments[:rate_place], rate, *moments[rate_place + 1 :]]
            gradients, (values, others) = jax.grad(total, has_aux=True)(
                trained, others, moments, images, targets
            )
            trained, moments = optimizer.stateless_apply(moments, gradients, trained)
            return (trained, others, moments), values

        def validate(trained, others, images, targets):
            predictions, _ = model.stateless_call(trained, others, images, training=False)
            return _by_head(losses, targets, predictions)

        self._train = jax.jit(train, donate_argnums=0)
        self._validate = jax.jit(validate)
        self._forward = lambda: jax.jit(
            lambda trained, others, images: model.stateless_call(
                trained, others, images, training=True
            )[1]
        )
        self._follow = None

    def _variables(self):
        return (
            self.model.trainable_variables,
            self.model.non_trainable_variables,
            self.optimizer.variables,
        )

    def _state(self):
        if self.state is None:  # copies, since a step gives its arguments away
            self.state = tuple(
                [ops.copy(variable.value) for variable in group] for group in self._variables()
            )
        return self.state

    def train(self, images, targets, rate):
        self.state, values = self._train(self._state(), images, targets, np.float32(rate))
        return np.asarray(values)

    def validate(self, images, targets):
        trained, others, _ = self._state()
        return np.asarray(self._validate(trained, others, images, targets))

    def follow(self, images):
        self.write_back()
        if self._follow is None:
            self._follow = self._forward()
        trained, others, _ = ([v.value for v in group] for group in self._variables())
        updated = self._follow(trained, others, images)
        for variable, value in zip(self.model.non_trainable_variables, updated, strict=True):
            variable.assign(value)

    def write_back(self):
        if self.state is not None:
            for group, values in zip(self._variables(), self.state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)
            self.state = None


class TorchSteps:
    """Eager steps; `xla` hands the network to ``torch.compile``."""

    def __init__(self, model, optimizer, losses: Losses, xla: bool) -> None:
        import torch

        self.model, self.optimizer, self.losses = model, optimizer, losses
        self.run = torch.compile(model) if xla else model

    def train(self, images, targets, rate):
        import torch

        self.optimizer.learning_rate = rate
        self.model.zero_grad()
        values = self._losses(images, targets, training=True)
        self.optimizer.scale_loss(values.sum()).backward()
        variables = self.model.trainable_variables
        with torch.no_grad():
            gradients = [
                torch.zeros_like(variable.value) if variable.value.grad is None
                else variable.value.grad  # biases that batch norm takes off have none
                for variable in variables
            ]  # fmt: skip
            self.optimizer.apply(gradients, variables)
        return ops.convert_to_numpy(values)

    def validate(self, images, targets):
        import torch

        with torch.no_grad():
            return ops.convert_to_numpy(self._losses(images, targets, training=False))

    def follow(self, images):
        import torch

        with torch.no_grad():
            self.model(images, training=True)

    def write_back(self):
        pass

    def _losses(self, images, targets, training: bool):
        predictions = self.run(ops.convert_to_tensor(images), training=training)
        tensors = {head: ops.convert_to_tensor(target) for head, target in targets.items()}
        return _by_head(self.losses, tensors, predictions)


def innermost(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimiser itself, where one that scales losses is around it."""
    return getattr(optimizer, "inner_optimizer", optimizer)
