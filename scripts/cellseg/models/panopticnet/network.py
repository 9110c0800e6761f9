"""The network: location, backbone, feature pyramid, heads."""

from collections.abc import Mapping

import keras
from keras import layers, ops

from cellseg.models.panopticnet import backbones
from cellseg.models.panopticnet.preprocessing import Preprocessing, grey_kernel, scaling
from cellseg.models.panopticnet.semantic_heads import SemanticHeads
from cellseg.models.panopticnet.upsampling import Double
from cellseg.targets.heads import HEADS

FILTERS = 256


class Location(keras.layers.Layer):
    """Appends each pixel's row and column, from 0 in one corner to 1 in the opposite one."""

    def call(self, inputs):
        height, width = inputs.shape[1:3]
        rows = ops.linspace(0, 1, height, dtype=inputs.dtype)
        columns = ops.linspace(0, 1, width, dtype=inputs.dtype)
        grid = ops.stack(ops.meshgrid(rows, columns, indexing="ij"), axis=-1)
        grid = ops.broadcast_to(grid, (ops.shape(inputs)[0], height, width, 2))
        return ops.concatenate([inputs, grid], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 2)


def build(settings: Mapping, shape: tuple[int, int]) -> keras.Model:
    """PanopticNet for images of `shape`.

    Parameters
    ----------
    settings : from :func:`cellseg.study.runs.run_settings`
        ``model`` names backbone, backbone_levels, lite, location, weights, preprocessing, rescaling
        and negative_slope; ``heads`` the outputs; ``training`` the normalization
    shape : height and width in pixels, multiples of the ``stride`` that the backbone declares

    Returns
    -------
    Model from (N, H, W, 1) to a dict of head name to (N, H, W, channels), float32
        Its attribute ``backbone_layers`` are the names of the layers that a file of the backbone's
        weights can set, and ``head_layers`` those of the heads.
    """
    model = settings["model"]
    image = keras.Input((*shape, 1), name="image")
    x = Location(name="location")(image) if model["location"] else image
    affine = scaling(model, settings["training"]["normalization"])
    kernel = "glorot_uniform" if affine is None else grey_kernel
    x = layers.Conv2D(3, 1, kernel_initializer=kernel, name="conv_channels")(x)
    if affine is not None:
        x = Preprocessing(*affine, name="preprocessing")(x)
    features = backbones.features(model["backbone"], x)
    level, x = _pyramid(features, model["backbone_levels"], model.get("lite", False))
    declared = {head: HEADS[head] for head in settings["heads"]}
    grids = [head.grid_of(settings["heads"][name]) for name, head in declared.items()]
    heads = SemanticHeads(declared, grids, level, model["negative_slope"], name="heads")
    network = keras.Model(image, heads(x))
    adapted = backbones.adapted(network, rescaling=model["rescaling"] == "as-published")
    coarsest = max(int(level[1]) for level in model["backbone_levels"])
    inner = keras.Model(image, features[coarsest - 1])
    adapted.backbone_layers = tuple(
        layer.name for layer in inner.layers if layer.name != "conv_channels"
    )
    adapted.head_layers = tuple(layer.name for layer in adapted.get_layer("heads").leaves())
    return adapted


def _pyramid(features: list, backbone_levels: list[str], lite: bool):
    """The finest level of the feature pyramid and its number; a `lite` one ends depthwise.

    deepcell builds coarser ones too, whatever its ``pyramid_levels`` says; they feed nothing.
    """
    numbers = sorted((int(name[1:]) for name in backbone_levels), reverse=True)
    merged = None
    for number in numbers:
        reduced = layers.Conv2D(FILTERS, 1, name=f"C{number}_reduced")(features[number - 1])
        if merged is not None:
            doubled = Double(name=f"P{number + 1}_upsampled")(merged)
            reduced = layers.Add(name=f"P{number}_merged")([reduced, doubled])
        merged = reduced
    finest = numbers[-1]
    name = f"P{finest}"
    if lite:
        return finest, layers.DepthwiseConv2D(3, padding="same", name=name)(merged)
    return finest, layers.Conv2D(FILTERS, 3, padding="same", name=name)(merged)
