"""Backbones of PanopticNet, built as :mod:`cellseg.models.panopticnet.declarations` says."""

import keras
from keras import layers

from cellseg.errors import UserError
from cellseg.models.keras3.batch_norm import BatchNormalization
from cellseg.models.panopticnet.declarations import FILE, declared


def features(name: str, inputs: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Feature maps C1 to C5 of a backbone, without its classifier.

    Parameters
    ----------
    name : a key of :data:`cellseg.models.panopticnet.declarations.BACKBONES`
    inputs : (N, H, W, 3), what the backbone's first layer sees

    Raises
    ------
    UserError
        The declaration is incomplete, or names a builder or a layer that does not exist.
    """
    backbone = declared(name)
    build = BUILDERS.get(backbone.builder) or getattr(keras.applications, backbone.builder, None)
    if build is None:
        raise UserError(
            f"backbone '{name}': keras.applications has no class {backbone.builder}. Correct "
            f"`builder` in {FILE}, or add a function to BUILDERS in "
            "scripts/cellseg/models/panopticnet/backbones.py."
        )
    model = build(
        include_top=False, weights=None, input_tensor=inputs, input_shape=inputs.shape[1:]
    )
    known = {layer.name for layer in model.layers}
    if missing := [tap for tap in backbone.taps if tap not in known]:
        raise UserError(
            f"backbone '{name}': {backbone.builder} has no layer {', '.join(missing)}. Correct "
            f"`taps` in {FILE}."
        )
    return [model.get_layer(tap).output for tap in backbone.taps]


def adapted(model: keras.Model, rescaling: bool) -> keras.Model:
    """The same network with what ``keras.applications`` has no switch for.

    Batch norms are ours, and EfficientNet B0 to B7 (which else divide their input by 255, whatever
    it is) do so only where `rescaling` is true.
    """

    def layer_for(layer: keras.Layer) -> keras.Layer:
        if type(layer) is layers.BatchNormalization:
            return BatchNormalization.from_config(layer.get_config())
        if isinstance(layer, layers.Rescaling) and not rescaling:
            return layers.Identity(name=layer.name)
        return layer

    return keras.models.clone_model(model, clone_function=layer_for)


def featurenet(input_tensor: keras.KerasTensor, **_) -> keras.Model:
    """deepcell's light backbone: five blocks of two 3x3 convolutions with 32 filters.

    Each block ends in a max pooling that halves the map.
    """
    x, number = input_tensor, 0
    for level in range(1, 6):
        for _ in range(2):
            suffix = f"_{number}" if number else ""
            x = layers.Conv2D(32, 3, padding="same", name=f"conv2d{suffix}")(x)
            x = BatchNormalization(name=f"batch_normalization{suffix}")(x)
            x = layers.ReLU(name=f"activation{suffix}")(x)
            number += 1
        x = layers.MaxPooling2D(name=f"C{level}")(x)
    return keras.Model(keras.utils.get_source_inputs(input_tensor), x)


BUILDERS = {"featurenet": featurenet}
"""Functions that build what ``keras.applications`` lacks; they take the same arguments."""
