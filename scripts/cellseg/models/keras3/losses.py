"""Losses of the heads, as deepcell defines them."""

from keras import ops

EPSILON = 1e-7


def squared_error(truth, prediction):
    """Mean squared difference over all pixels: for distances."""
    return ops.mean(ops.square(truth - prediction))


def weighted_cross_entropy(truth, prediction):
    """Cross-entropy with weights that make rare classes count as much as common ones.

    The weight of a class is the number of pixels of the batch over the number of classes and the
    class's pixels plus one (deepcell's ``weighted_categorical_crossentropy``).

    Parameters
    ----------
    truth : (N, H, W, classes), float32, one-hot
    prediction : (N, H, W, classes), float32, positive

    Returns
    -------
    scalar, mean over pixels
    """
    classes = truth.shape[-1]
    share = prediction / ops.sum(prediction, axis=-1, keepdims=True)
    share = ops.clip(share, EPSILON, 1 - EPSILON)
    weights = ops.sum(truth) / (ops.sum(truth, axis=(0, 1, 2)) + 1) / classes
    return -ops.mean(ops.sum(truth * ops.log(share) * weights, axis=-1))


def of_head(channels: int, softmax_scale: float):
    """Loss of a head with that many channels: `softmax_scale` applies where there are several."""
    if channels == 1:
        return squared_error
    return lambda truth, prediction: softmax_scale * weighted_cross_entropy(truth, prediction)
