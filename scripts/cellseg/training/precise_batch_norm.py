"""Batch-norm averages measured again, with the weights that training ended with.

The model families share it; it knows no deep-learning library.
"""

from collections.abc import Callable, Sequence

import numpy as np

from cellseg.training.batches import TileStream


def recalibrate(
    layers: Sequence,
    follow: Callable[[np.ndarray], object],
    to_array: Callable[[object], np.ndarray],
    stream: TileStream,
    batches: int,
) -> None:
    """Replace the running averages by those over a number of batches.

    After a short training the running averages still remember the first steps, and a network that
    is good with the statistics of the batch finds nothing without them.

    Parameters
    ----------
    layers : the batch norms of a network, of any Keras
    follow : runs the network forward as in training, which moves the running averages
    to_array : gives the value of a variable
    stream : of training batches
    batches : how many of them, from the stream's first epoch on
    """
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0  # the running average becomes the batch's own statistics
    means, variances = [], []
    for _, (images, _) in zip(range(batches), stream.endless(), strict=False):
        follow(images)
        means.append([to_array(layer.moving_mean) for layer in layers])
        variances.append([to_array(layer.moving_variance) for layer in layers])
    for number, (layer, momentum) in enumerate(zip(layers, momenta, strict=True)):
        layer_means = np.stack([mean[number] for mean in means])
        layer_variances = np.stack([variance[number] for variance in variances])
        layer.moving_mean.assign(layer_means.mean(axis=0))
        # Variance over all batches: within them, and between their means.
        layer.moving_variance.assign(layer_variances.mean(axis=0) + layer_means.var(axis=0))
        layer.momentum = momentum
