"""Backbones of PanopticNet and the layers at which the feature pyramid taps them."""

import keras
from keras import layers

from cellseg.keras3.batch_norm import BatchNormalization

_RESNET = (
    "conv1_relu",
    "conv2_block3_out",
    "conv3_block{}_out",
    "conv4_block{}_out",
    "conv5_block3_out",
)
_DENSENET = (
    "conv1_relu",
    "conv2_block6_concat",
    "conv3_block12_concat",
    "conv4_block{}_concat",
    "conv5_block{}_concat",
)
_EFFICIENTNET = (
    "block2a_expand_activation", "block3a_expand_activation", "block4a_expand_activation",
    "block6a_expand_activation", "top_activation",
)  # fmt: skip
_VGG = tuple(f"block{number}_pool" for number in range(1, 6))


def _with(names: tuple[str, ...], *numbers: int) -> tuple[str, ...]:
    """Put the numbers of a depth into the names with a gap."""
    remaining = list(numbers)
    return tuple(name.format(remaining.pop(0)) if "{}" in name else name for name in names)


TAPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "resnet50": ("ResNet50", _with(_RESNET, 4, 6)),
    "resnet101": ("ResNet101", _with(_RESNET, 4, 23)),
    "resnet152": ("ResNet152", _with(_RESNET, 8, 36)),
    "densenet121": ("DenseNet121", _with(_DENSENET, 24, 16)),
    "densenet169": ("DenseNet169", _with(_DENSENET, 32, 32)),
    "densenet201": ("DenseNet201", _with(_DENSENET, 48, 32)),
    **{f"efficientnetb{n}": (f"EfficientNetB{n}", _EFFICIENTNET) for n in range(8)},
    "mobilenet": (
        "MobileNet",
        tuple(f"conv_pw_{number}_relu" for number in (1, 3, 5, 11, 13)),
    ),
    "mobilenetv2": (
        "MobileNetV2",
        (
            "expanded_conv_project_BN",
            "block_2_add",
            "block_5_add",
            "block_12_add",
            "block_16_project_BN",
        ),
    ),
    "vgg16": ("VGG16", _VGG),
    "vgg19": ("VGG19", _VGG),
}
"""Per backbone: its class in ``keras.applications``, and the layers of strides 2, 4, 8, 16, 32."""

STRIDE = 32
"""Pixels of the input per pixel of the coarsest level; heights and widths are multiples of it."""


def features(name: str, inputs: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Feature maps C1 to C5 of a backbone, without its classifier.

    Parameters
    ----------
    name : ``featurenet`` (deepcell's own light backbone) or a key of :data:`TAPS`
    inputs : (N, H, W, 3), what the backbone's first layer sees
    """
    if name == "featurenet":
        return _featurenet(inputs)
    application, taps = TAPS[name]
    model = getattr(keras.applications, application)(
        include_top=False, weights=None, input_tensor=inputs, input_shape=inputs.shape[1:]
    )
    return [model.get_layer(tap).output for tap in taps]


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


def _featurenet(inputs: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Five blocks of two 3x3 convolutions with 32 filters, each halved by max pooling."""
    x, levels, number = inputs, [], 0
    for level in range(1, 6):
        for _ in range(2):
            suffix = f"_{number}" if number else ""
            x = layers.Conv2D(32, 3, padding="same", name=f"conv2d{suffix}")(x)
            x = BatchNormalization(name=f"batch_normalization{suffix}")(x)
            x = layers.ReLU(name=f"activation{suffix}")(x)
            number += 1
        x = layers.MaxPooling2D(name=f"C{level}")(x)
        levels.append(x)
    return levels
