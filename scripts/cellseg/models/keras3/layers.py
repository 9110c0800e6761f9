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


LENGTH = 10.0
"""Pixels that an output of 1 is in a head of lengths, about the radius of a cell. Adam moves a
weight by no more than the sum of the learning rates, which in a short training is less."""


def activated(x, activation: str, negative_slope: float, training: bool, grid: int = 1):
    """What a head ends in.

    Parameters
    ----------
    x : (N, H, W, channels)
    activation : linear, pixels, relu, sigmoid or softmax, see :class:`cellseg.targets.heads.Head`
    negative_slope : slope of the ReLU below zero, in training
        A head whose outputs are negative everywhere has no gradient without, and never learns
        again.
    grid : each `grid`-th row and column, from the first, is repeated up to the next: what lies
        between was not learnt

    Returns
    -------
    (N, H, W, channels), float32
    """
    x = _repeated(ops.cast(x, "float32"), grid)
    if activation == "softmax":
        return ops.softmax(x)
    if activation == "sigmoid":
        return ops.sigmoid(x)
    if activation == "linear":
        return x
    if activation == "pixels":
        return LENGTH * x
    # Not ops.leaky_relu, which TensorFlow tries to fuse with the convolution before it, and fails.
    return ops.maximum(x, negative_slope * x) if training and negative_slope else ops.relu(x)


def _repeated(x, grid: int):
    if grid == 1:
        return x
    height, width = x.shape[1:3]
    x = ops.repeat(ops.repeat(x[:, ::grid, ::grid], grid, axis=1), grid, axis=2)
    return x[:, :height, :width]


class Activated(keras.layers.Layer):
    """:func:`activated` as a layer."""

    def __init__(self, activation: str, negative_slope: float, grid: int = 1, **options) -> None:
        super().__init__(dtype="float32", **options)
        self.activation, self.negative_slope, self.grid = activation, negative_slope, grid

    def call(self, inputs, training=False):
        return activated(inputs, self.activation, self.negative_slope, training, self.grid)
