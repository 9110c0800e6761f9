"""Batch normalisation in one pass where the backend has a kernel for it."""

import math

import keras
from keras import ops

FUSED = keras.backend.backend() == "tensorflow"


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with legacy Keras' running variance, and so deepcell's: the unbiased estimate.

    For (N, H, W, C), with scale and offset, as all backbones have it. On TensorFlow by its fused
    kernel, as in legacy Keras; Keras 3 computes mean, variance and the normalised map one after
    the other, each over the whole tensor.
    """

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        if FUSED:
            import tensorflow as tf

            outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=ops.convert_to_tensor(self.gamma),
                offset=ops.convert_to_tensor(self.beta),
                mean=tf.zeros(0),
                variance=tf.zeros(0),
                epsilon=self.epsilon,
                is_training=True,
            )
            follow(self, mean, variance)
            return outputs
        wide = ops.cast(inputs, "float32")
        mean, variance = ops.moments(wide, axes=(0, 1, 2))
        values = math.prod(inputs.shape[:3])
        follow(self, mean, variance * values / max(values - 1, 1))
        outputs = ops.batch_normalization(
            wide, mean, variance, axis=-1, offset=self.beta, scale=self.gamma, epsilon=self.epsilon
        )
        return ops.cast(outputs, inputs.dtype)


def follow(layer: keras.layers.BatchNormalization, mean, variance) -> None:
    """Move a layer's running averages towards the statistics of a batch."""
    kept = layer.momentum
    layer.moving_mean.assign(layer.moving_mean * kept + mean * (1 - kept))
    layer.moving_variance.assign(layer.moving_variance * kept + variance * (1 - kept))
