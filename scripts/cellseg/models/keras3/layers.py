"""The layers of a network that hold weights, and what its heads end in."""

import keras
from keras import ops


def leaves(model: keras.Model) -> list[keras.Layer]:
    """Layers of a network that hold no others; a layer that does names them by ``leaves()``."""
    return [
        leaf
        for layer in model.layers
        for leaf in (layer.leaves() if hasattr(layer, "leaves") else [layer])
    ]


def batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Batch-norm layers of a network."""
    return [layer for layer in leaves(model) if isinstance(layer, keras.layers.BatchNormalization)]


def activated(x, activation: str, negative_slope: float, training: bool):
    """What a head ends in.

    Parameters
    ----------
    x : (N, H, W, channels)
    activation : linear, relu, sigmoid or softmax, see :class:`cellseg.targets.heads.Head`
    negative_slope : slope of the ReLU below zero, in training
        A head whose outputs are negative everywhere has no gradient without, and never learns
        again.

    Returns
    -------
    (N, H, W, channels), float32
    """
    x = ops.cast(x, "float32")
    if activation == "softmax":
        return ops.softmax(x)
    if activation == "sigmoid":
        return ops.sigmoid(x)
    if activation == "linear":
        return x
    # Not ops.leaky_relu, which TensorFlow tries to fuse with the convolution before it, and fails.
    return ops.maximum(x, negative_slope * x) if training and negative_slope else ops.relu(x)


class Activated(keras.layers.Layer):
    """:func:`activated` as a layer."""

    def __init__(self, activation: str, negative_slope: float, **options) -> None:
        super().__init__(dtype="float32", **options)
        self.activation, self.negative_slope = activation, negative_slope

    def call(self, inputs, training=False):
        return activated(inputs, self.activation, self.negative_slope, training)
