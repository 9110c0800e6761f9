"""Bilinear doubling, and what it does to statistics."""

import keras
from keras import ops


def double(x):
    """Twice the height and width, bilinear, pixel centres at halves, edges repeated.

    Parameters
    ----------
    x : (N, H, W, C)

    Returns
    -------
    (N, 2H, 2W, C)
    """
    if keras.backend.backend() == "jax":
        return double_by_taps(x)  # jax.image.resize multiplies by a dense matrix of (2H, H)
    return ops.image.resize(x, (2 * x.shape[1], 2 * x.shape[2]), interpolation="bilinear")


def double_by_taps(x):
    """:func:`double`, written out."""
    for axis in (1, 2):
        before, after = _neighbours(x, axis)
        pairs = ops.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis=axis + 1)
        shape = list(x.shape)
        shape[axis] *= 2
        x = ops.reshape(pairs, (-1, *shape[1:]))
    return x


def doubled_products(x):
    """`y` such that the sum of ``x·y`` is the sum of ``double(x)·double(x)``, for each pixel pair.

    Doubling is a matrix U; this is UᵀU applied to `x`: three taps along each axis, edges repeated.
    So second moments of a doubled map come from the map itself.

    Parameters
    ----------
    x : (N, H, W, C)
    """
    for axis in (1, 2):
        before, after = _neighbours(x, axis)
        x = 1.25 * x + 0.375 * (before + after)
    return x


def _neighbours(x, axis: int):
    """The maps moved by one pixel either way along an axis, edges repeated."""
    if axis == 1:
        first, last, head, tail = x[:, :1], x[:, -1:], x[:, :-1], x[:, 1:]
    else:
        first, last, head, tail = x[:, :, :1], x[:, :, -1:], x[:, :, :-1], x[:, :, 1:]
    return ops.concatenate([first, head], axis=axis), ops.concatenate([tail, last], axis=axis)


class Double(keras.layers.Layer):
    """:func:`double` as a layer."""

    def call(self, inputs):
        return double(inputs)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, 2 * height, 2 * width, channels)
