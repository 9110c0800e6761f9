"""Adam with L2 regularisation and decoupled weight decay, in Keras 3."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from cellseg.models import weight_averages
from cellseg.models.adam_settings import is_kernel, of_training


def make(options: Mapping, variables: Sequence[keras.Variable]) -> keras.optimizers.Optimizer:
    """The optimiser of a training, built for the variables of its network.

    Parameters
    ----------
    options : a run's ``training`` settings
    variables : trainable ones
    """
    kind = RegularizedAdam
    if options["ema"] is not None:
        kind = weight_averages.averaging(kind, ops.minimum, ops.cast, kind._get_variable_index)
    adam = kind(**of_training(options))
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
    options : of ``keras.optimizers.Adam``
    """

    def __init__(self, l2: float = 0.0, **options) -> None:
        super().__init__(**options)
        self.l2 = l2

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
