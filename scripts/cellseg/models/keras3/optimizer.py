"""Adam with L2 regularisation and decoupled weight decay, in Keras 3."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from cellseg.models import weight_averages
from cellseg.models.adam_settings import is_kernel, of_training


def make(
    options: Mapping, variables: Sequence[keras.Variable], rates: Sequence[float] | None = None
) -> keras.optimizers.Optimizer:
    """The optimiser of a training, built for the variables of its network.

    Parameters
    ----------
    options : a run's ``training`` settings
    variables : trainable ones
    rates : factor of the learning rate of each of them; None for 1
    """
    kind = RegularizedAdam
    if options["ema"] is not None:
        kind = weight_averages.averaging(kind, ops.minimum, ops.cast, kind._get_variable_index)
    adam = kind(**of_training(options), rates=rates)
    if options["weight_decay"]:
        adam.exclude_from_weight_decay([one for one in variables if not is_kernel(one.name)])
    # Half floats end at 6e-5: small gradients would vanish.
    scaled = options["mixed_precision"] == "float16"
    optimizer = keras.optimizers.LossScaleOptimizer(adam) if scaled else adam
    optimizer.build(variables)
    return optimizer


class RegularizedAdam(keras.optimizers.Adam):
    """Adam that adds the gradient of an L2 penalty on kernels to that of the loss.

    The same weights as with Keras' ``kernel_regularizer="l2"`` in each layer, whose penalty is
    ``l2 * sum(kernel**2)``: its gradient is clipped with the loss's. The loss that is reported is
    that of the heads, without the penalty.

    Parameters
    ----------
    l2 : factor of the penalty; 0 for none
    rates : factor of the learning rate of each variable that it is built for; None for 1
    options : of ``keras.optimizers.Adam``
    """

    def __init__(self, l2: float = 0.0, rates: Sequence[float] | None = None, **options) -> None:
        super().__init__(**options)
        self.l2, self.rates = l2, rates

    def update_step(self, gradient, variable, learning_rate):
        if self.rates is not None:
            learning_rate = learning_rate * self._rate(variable)
        return super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables):
        if self.rates is None or self.weight_decay is None:
            super()._apply_weight_decay(variables)
            return
        for variable in filter(self._use_weight_decay, variables):
            step = self.learning_rate * self.weight_decay * self._rate(variable)
            variable.assign(variable - variable * ops.cast(step, variable.dtype))

    def _rate(self, variable) -> float:
        return self.rates[self._get_variable_index(variable)]

    def apply(self, grads, trainable_variables=None):
        if self.l2:
            known = trainable_variables is None
            variables = self._trainable_variables if known else list(trainable_variables)
            grads = [
                self._with_penalty(gradient, variable)
                for gradient, variable in zip(grads, variables, strict=True)
            ]
        return super().apply(grads, trainable_variables)

    def _with_penalty(self, gradient, variable):
        if not is_kernel(variable.name):
            return gradient
        return gradient + ops.cast(2 * self.l2, variable.dtype) * variable.value

    def get_config(self) -> dict:
        return {**super().get_config(), "l2": self.l2}
