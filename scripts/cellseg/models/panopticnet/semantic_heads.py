"""PanopticNet's heads: from the finest pyramid level to a map for each target."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers, ops

from cellseg.models.keras3.batch_norm import follow
from cellseg.models.keras3.layers import activated
from cellseg.models.panopticnet.upsampling import double, doubled_products
from cellseg.targets.heads import Head

FILTERS, TOP_FILTERS = 64, 128


class SemanticHeads(keras.layers.Layer):
    """All heads of a network. The same function of the same weights as deepcell's layers.

    Each head doubles the pyramid level to full resolution: `steps` times a 3x3 convolution and a
    bilinear doubling, then a 1x1 convolution, batch norm, ReLU, a 1x1 convolution and the
    activation. Three things are computed in another order:

    - The first convolutions of all heads read the same map and are one convolution.
    - A 1x1 convolution and bilinear doubling commute, so the first one after the last doubling is
      done before it, on a quarter of the pixels.
    - Batch norm after it is linear given the batch's mean and variance, and is folded into its
      kernel. Mean and variance at full resolution follow from the 64 input channels at half
      resolution: see :func:`cellseg.models.panopticnet.upsampling.doubled_products`.

    Parameters
    ----------
    heads : channels and activation of each
    grids : of each, see :func:`cellseg.models.keras3.layers.activated`
    steps : doublings from the pyramid level to the image
    negative_slope : slope of the last ReLU below zero, in training; deepcell's is 0
        A head whose outputs are negative everywhere has no gradient then, and never learns again.
    """

    def __init__(
        self,
        heads: Mapping[str, Head],
        grids: Sequence[int],
        steps: int,
        negative_slope: float = 0.0,
        **options,
    ) -> None:
        # Statistics need whole floats; what may be half is cast where it is used.
        super().__init__(autocast=False, **options)
        self.heads = list(heads)
        self.channels = [head.channels for head in heads.values()]
        self.activations = [head.activation for head in heads.values()]
        self.grids = list(grids)
        self.steps = steps
        self.negative_slope = negative_slope
        numbers = range(len(self.channels))
        self.upsample = [
            [
                layers.Conv2D(FILTERS, 3, padding="same", name=f"conv_{step}_semantic_upsample_{k}")
                for step in range(steps)
            ]
            for k in numbers
        ]
        self.top = [layers.Conv2D(TOP_FILTERS, 1, name=f"conv_0_semantic_{k}") for k in numbers]
        self.norm = [
            layers.BatchNormalization(name=f"batch_normalization_0_semantic_{k}") for k in numbers
        ]
        self.last = [
            layers.Conv2D(number, 1, name=f"conv_1_semantic_{k}")
            for k, number in enumerate(self.channels)
        ]

    def leaves(self) -> list[keras.Layer]:
        """The layers that hold the weights."""
        heads = zip(self.upsample, self.top, self.norm, self.last, strict=True)
        return [layer for upsample, *others in heads for layer in (*upsample, *others)]

    def build(self, input_shape) -> None:
        for k in range(len(self.channels)):
            shape = tuple(input_shape)
            for convolution in self.upsample[k]:
                convolution.build(shape)
                shape = (*shape[:-1], FILTERS)
            self.top[k].build(shape)
            self.norm[k].build((*shape[:-1], TOP_FILTERS))
            self.last[k].build((*shape[:-1], TOP_FILTERS))
        self.built = True

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        scale = 2**self.steps
        shapes = [(batch, height * scale, width * scale, number) for number in self.channels]
        return dict(zip(self.heads, shapes, strict=True))

    def call(self, inputs, training=False):
        first = [convolutions[0] for convolutions in self.upsample]
        maps = ops.conv(
            self._cast(inputs),
            ops.concatenate([self._cast(layer.kernel) for layer in first], axis=-1),
            padding="same",
        )
        maps = maps + ops.concatenate([self._cast(layer.bias) for layer in first])
        maps = ops.split(maps, len(first), axis=-1)
        outputs = [self._head(k, x, training) for k, x in enumerate(maps)]
        return dict(zip(self.heads, outputs, strict=True))

    def _head(self, k: int, x, training: bool):
        for convolution in self.upsample[k][1:]:
            x = convolution(double(x))
        x = self._normalized(x, self.top[k], self.norm[k], training)
        x = ops.relu(double(x))
        maps = _few_channels(x, self.last[k])
        return activated(maps, self.activations[k], self.negative_slope, training, self.grids[k])

    def _normalized(self, x, top, norm, training: bool):
        """1x1 convolution with batch norm of what will be doubled, in one convolution."""
        kernel = ops.convert_to_tensor(top.kernel)[0, 0]
        if training:
            wide = ops.cast(x, "float32")
            mean = ops.mean(wide, axis=(0, 1, 2))
            centred = wide - mean
            flat = ops.reshape(centred, (-1, FILTERS))
            products = ops.reshape(doubled_products(ops.stop_gradient(centred)), (-1, FILTERS))
            # Half of the gradient comes by way of `products`; by symmetry it equals the other.
            pixels = 4 * _pixels(wide)
            covariance = ops.matmul(ops.transpose(flat), products) / pixels
            covariance = 2 * covariance - ops.stop_gradient(covariance)
            variance = ops.sum(kernel * ops.matmul(covariance, kernel), axis=0)
            unbiased = variance * pixels / (pixels - 1)
            follow(norm, ops.matmul(mean, kernel) + top.bias, unbiased)
            scale = norm.gamma * ops.rsqrt(variance + norm.epsilon)
            x, offset = ops.cast(centred, x.dtype), ops.convert_to_tensor(norm.beta)
        else:
            scale = norm.gamma * ops.rsqrt(norm.moving_variance + norm.epsilon)
            offset = (top.bias - norm.moving_mean) * scale + norm.beta
        folded = self._cast(kernel * scale)
        return ops.conv(x, folded[None, None]) + self._cast(offset)

    def _cast(self, value):
        return ops.cast(value, self.compute_dtype)


def _few_channels(x, convolution: layers.Conv2D):
    """A 1x1 convolution to few channels.

    On TensorFlow as a product with the transposed kernel, whose gradient is several times faster
    on a CPU than that of the convolution.
    """
    if keras.backend.backend() != "tensorflow":
        return convolution(x)
    import tensorflow as tf

    kernel = tf.transpose(ops.cast(convolution.kernel, x.dtype)[0, 0])
    flat = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), kernel, transpose_b=True)
    shape = (-1, *x.shape[1:3], convolution.filters)
    return tf.reshape(flat, shape) + ops.cast(convolution.bias, x.dtype)


def _pixels(maps):
    """Pixels of a batch of maps; the number of maps may be unknown while a graph is traced."""
    _, height, width, _ = maps.shape
    return ops.cast(ops.shape(maps)[0] * height * width, maps.dtype)
