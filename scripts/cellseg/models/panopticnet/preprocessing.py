"""Grey values as the ImageNet weights of a backbone expect them."""

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from cellseg.models.panopticnet.declarations import declared

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
"""Of ImageNet's pixels, red, green, blue, on a scale from 0 to 1."""

CAFFE_MEAN = np.array([103.939, 116.779, 123.68])
"""What Keras' mode caffe takes off: blue, green, red, 0 to 255."""

STANDARDIZED = ("whole-image", "batch")


def scaling(model: Mapping, normalization: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Factor and offset, for each of three channels, from normalised grey to a backbone's input.

    deepcell feeds its own normalised values whatever the backbone was trained with: that is
    ``preprocessing: as-published``, and what happens to a backbone without pretrained weights.

    Parameters
    ----------
    model : settings, of which backbone, weights and preprocessing decide
    normalization : of the data stream, a key of :data:`cellseg.images.normalization.METHODS`

    Returns
    -------
    two ndarrays of shape (3,), float64; or None, to feed the values as they are

    Raises
    ------
    UserError
        The backbone declares no preprocessing.
    """
    if model["weights"] is None or model["preprocessing"] == "as-published":
        return None
    # From normalised grey to colours from 0 to 1.
    if normalization in STANDARDIZED:
        factor, offset = DEVIATION, MEAN
    else:
        factor, offset = np.full(3, 1 / 255 if normalization == "none" else 1.0), np.zeros(3)
    match declared(model["backbone"]).preprocessing:
        case "caffe":  # blue first, minus the mean, 0 to 255
            return factor[::-1] * 255, offset[::-1] * 255 - CAFFE_MEAN
        case "tf":  # -1 to 1
            return factor * 2, offset * 2 - 1
        case "torch":  # minus the mean, over the deviation
            return factor / DEVIATION, (offset - MEAN) / DEVIATION
    return None  # "none": takes values as they are


def grey_kernel(shape, dtype=None):
    """Initial kernel of the 1x1 convolution to three channels: the image in each, no location."""
    kernel = np.zeros(shape)
    kernel[..., 0, :] = 1
    return ops.convert_to_tensor(kernel, dtype=dtype)


class Preprocessing(keras.layers.Layer):
    """Multiplies by a factor and adds an offset, for each channel; has no weights."""

    def __init__(self, factor: np.ndarray, offset: np.ndarray, **options) -> None:
        super().__init__(**options)
        self.factor, self.offset = factor, offset

    def call(self, inputs):
        factor = ops.convert_to_tensor(self.factor, dtype=inputs.dtype)
        return inputs * factor + ops.convert_to_tensor(self.offset, dtype=inputs.dtype)
