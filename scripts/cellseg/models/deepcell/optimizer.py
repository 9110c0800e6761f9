"""Adam with L2 regularisation and decoupled weight decay, in the legacy Keras of deepcell."""

from collections.abc import Mapping, Sequence

import tensorflow as tf
import tf_keras

from cellseg.models import weight_averages
from cellseg.models.adam_settings import is_kernel, of_training


def make(
    options: Mapping, variables: Sequence[tf.Variable], rates: Sequence[float] | None = None
) -> tf_keras.optimizers.Optimizer:
    """The optimiser of a training.

    Parameters
    ----------
    options : a run's ``training`` settings
    variables : trainable ones
    rates : factor of the learning rate of each of them; None for 1
    """
    kind = RegularizedAdam
    if options["ema"] is not None:
        kind = weight_averages.averaging(
            kind, tf.minimum, tf.cast, lambda adam, one: adam._index_dict[adam._var_key(one)]
        )
    adam = kind(**of_training(options), rates=rates)
    if options["weight_decay"]:
        adam.exclude_from_weight_decay([one for one in variables if not is_kernel(one.name)])
    return adam


class RegularizedAdam(tf_keras.optimizers.Adam):
    """As :class:`cellseg.models.keras3.optimizer.RegularizedAdam`, on legacy Keras.

    deepcell's function builds its layers without regularisers, and takes none.
    """

    def __init__(self, l2: float = 0.0, rates: Sequence[float] | None = None, **options) -> None:
        super().__init__(**options)
        self.l2, self.rates = l2, rates

    def update_step(self, gradient, variable):
        if self.rates is None:
            super().update_step(gradient, variable)
            return
        # Its steps are proportional to the rate, which it reads from the optimiser.
        before = tf.identity(variable)
        super().update_step(gradient, variable)
        variable.assign(before + self._rate(variable) * (variable - before))

    def _apply_weight_decay(self, variables):
        if self.rates is None or self.weight_decay is None:
            super()._apply_weight_decay(variables)
            return
        for variable in filter(self._use_weight_decay, variables):
            step = self.learning_rate * self.weight_decay * self._rate(variable)
            variable.assign_sub(variable * tf.cast(step, variable.dtype))

    def _rate(self, variable) -> float:
        return self.rates[self._index_dict[self._var_key(variable)]]

    def apply_gradients(self, grads_and_vars, *arguments, **options):
        if self.l2:
            grads_and_vars = [
                (self._with_penalty(gradient, variable), variable)
                for gradient, variable in grads_and_vars
            ]
        return super().apply_gradients(grads_and_vars, *arguments, **options)

    def _with_penalty(self, gradient, variable):
        if not is_kernel(variable.name):
            return gradient
        penalty = tf.cast(2 * self.l2, variable.dtype) * tf.convert_to_tensor(variable)
        return penalty if gradient is None else gradient + penalty

    def get_config(self) -> dict:
        return {**super().get_config(), "l2": self.l2}
