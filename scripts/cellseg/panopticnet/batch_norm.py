"""Batch normalisation in one pass where the backend has a kernel for it."""

import keras
from keras import ops

FUSED = keras.backend.backend() == "tensorflow"


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer; on TensorFlow by its fused kernel, which legacy Keras and thus deepcell use.

    Keras 3 computes mean, variance and the normalised map one after the other, each over the
    whole tensor. The running variance takes the unbiased estimate, as in legacy Keras.
    """

    def call(self, inputs, training=None, mask=None):
        if not (FUSED and training and self.trainable and mask is None and len(inputs.shape) == 4):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=ops.convert_to_tensor(self.gamma) if self.scale else tf.ones(inputs.shape[-1]),
            offset=ops.convert_to_tensor(self.beta),
            mean=tf.zeros(0),
            variance=tf.zeros(0),
            epsilon=self.epsilon,
            is_training=True,
        )
        follow(self, mean, variance)
        return outputs


def follow(layer: keras.layers.BatchNormalization, mean, variance) -> None:
    """Move a layer's running averages towards the statistics of a batch."""
    kept = layer.momentum
    layer.moving_mean.assign(layer.moving_mean * kept + mean * (1 - kept))
    layer.moving_variance.assign(layer.moving_variance * kept + variance * (1 - kept))

