"""Losses of the heads, by name. Those of deepcell's heads are as deepcell defines them.

The truth of a head may have more channels than its prediction: those after them are what the loss
reads besides, such as weights of the pixels (``loss_maps`` of :class:`cellseg.targets.heads.Head`).
"""

from keras import ops

from cellseg.targets.heads import Head

EPSILON = 1e-7


def squared_error(truth, prediction):
    """Mean squared difference over all pixels and channels."""
    return ops.mean(ops.square(truth - prediction))


def masked_squared_error(truth, prediction):
    """Mean over all pixels of the squared difference, which counts where the mask is 1 alone.

    The distance loss of torch-em: both maps are multiplied by the foreground first.

    Parameters
    ----------
    truth : (N, H, W, channels + 1), float32; last the mask, 0 or 1
    prediction : (N, H, W, channels), float32
    """
    return ops.mean(truth[..., -1:] * ops.square(truth[..., :-1] - prediction))


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


def binary_cross_entropy(truth, prediction):
    """Cross-entropy of probabilities, mean over pixels; the truth may be any from 0 to 1."""
    share = ops.clip(prediction, EPSILON, 1 - EPSILON)
    return -ops.mean(truth * ops.log(share) + (1 - truth) * ops.log(1 - share))


def weighted_absolute_error(truth, prediction):
    """Mean absolute difference over the channels and over the pixels, these by their weights.

    Parameters
    ----------
    truth : (N, H, W, channels + 1), float32; last the weight of each pixel, 0 or more
    prediction : (N, H, W, channels), float32

    Returns
    -------
    scalar; 0 where all weights are 0
    """
    weights = truth[..., -1:]
    differences = ops.mean(weights * ops.abs(truth[..., :-1] - prediction))
    return differences / (ops.mean(weights) + EPSILON)


BACKGROUND_WEIGHT = 1e-4
"""Of distances where there is no cell, StarDist's ``train_background_reg``."""


def star_distances(truth, prediction):
    """:func:`weighted_absolute_error`, and a little of the distances where there is no cell.

    As in StarDist 0.9 (Schmidt et al., MICCAI 2018, and its package): without the second part
    distances in the background are never learnt, and may grow without bounds.

    Parameters
    ----------
    truth : (N, H / grid, W / grid, rays + 1), float32
        Last the object probability, 0 in the background.
    prediction : (N, H, W, rays), float32; only each `grid`-th row and column counts

    Returns
    -------
    scalar
    """
    grid = ops.shape(prediction)[1] // ops.shape(truth)[1]
    prediction = prediction[:, ::grid, ::grid]
    background = ops.mean((1 - truth[..., -1:]) * ops.abs(prediction))
    return weighted_absolute_error(truth, prediction) + BACKGROUND_WEIGHT * background


LOSSES = {
    "squared-error": squared_error,
    "masked-squared-error": masked_squared_error,
    "weighted-cross-entropy": weighted_cross_entropy,
    "binary-cross-entropy": binary_cross_entropy,
    "weighted-absolute-error": weighted_absolute_error,
    "star-distances": star_distances,
}
"""Functions of truth and prediction, (N, H, W, channels), float32, to a scalar."""


def of_head(head: Head, softmax_scale: float):
    """Loss of a head by its scale; `softmax_scale` applies to those that end in a softmax."""
    loss, scale = LOSSES[head.loss], head.loss_scale
    if head.activation == "softmax":
        scale = scale * softmax_scale
    if scale == 1:
        return loss
    return lambda truth, prediction: scale * loss(truth, prediction)
