"""Adam with L2 regularisation and decoupled weight decay, in the legacy Keras of deepcell."""

from collections.abc import Mapping, Sequence

import tensorflow as tf
import tf_keras

from cellseg.models import weight_averages


def make(options: Mapping, variables: Sequence[tf.Variable]) -> tf_keras.optimizers.Optimizer:
    """The optimiser of a training.

    Parameters
    ----------
    options : a run's ``training`` settings
    variables : trainable ones
    """
    kind, averaged = RegularizedAdam, {}
    if options["ema"] is not None:
        kind = weight_averages.averaging(
            kind, tf.minimum, tf.cast, lambda adam, one: adam._index_dict[adam._var_key(one)]
        )
        averaged = {"use_ema": True, "ema_momentum": options["ema"]}
    adam = kind(
        l2=options["l2"],
        learning_rate=options["learning_rate"],
        weight_decay=options["weight_decay"] or None,
        **{key: options[key] for key in ("clipnorm", "global_clipnorm") if options[key]},
        **averaged,
    )
    if options["weight_decay"]:
        adam.exclude_from_weight_decay([one for one in variables if not is_kernel(one)])
    return adam


def is_kernel(variable: tf.Variable) -> bool:
    """Whether a variable is the kernel of a layer: no bias, and of no batch norm."""
    return variable.name.split(":")[0].endswith("kernel")


class RegularizedAdam(tf_keras.optimizers.Adam):
    """As :class:`cellseg.models.keras3.optimizer.RegularizedAdam`, on legacy Keras.

    deepcell's function builds its layers without regularisers, and takes none.
    """

    def __init__(self, l2: float = 0.0, **options) -> None:
        super().__init__(**options)
        self.l2 = l2

    def apply_gradients(self, grads_and_vars, *arguments, **options):
        if self.l2:
            grads_and_vars = [
                (self._with_penalty(gradient, variable), variable)
                for gradient, variable in grads_and_vars
            ]
        return super().apply_gradients(grads_and_vars, *arguments, **options)

    def _with_penalty(self, gradient, variable):
        if not is_kernel(variable):
            return gradient
        penalty = tf.cast(2 * self.l2, variable.dtype) * tf.convert_to_tensor(variable)
        return penalty if gradient is None else gradient + penalty

    def get_config(self) -> dict:
        return {**super().get_config(), "l2": self.l2}
