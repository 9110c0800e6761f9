"""The network: a path down, a path up, a map for each head."""

from collections.abc import Mapping

import keras
from keras import layers

from cellseg.models.keras3.batch_norm import BatchNormalization
from cellseg.models.keras3.layers import Activated
from cellseg.models.unet.sizes import channels
from cellseg.targets.heads import HEADS


def build(settings: Mapping, shape: tuple[int, int]) -> keras.Model:
    """U-Net for images of `shape`.

    Each level is two 3x3 convolutions; levels are joined by 2x2 max pooling downwards, and upwards
    by a 2x2 transposed convolution whose map is put next to that of the path down. Unlike as
    published, convolutions are padded, so that maps are as large as the image, and followed by a
    batch norm each.

    Parameters
    ----------
    settings : from :func:`cellseg.study.runs.run_settings`
        ``model`` names architecture, width and negative_slope; ``heads`` the outputs
    shape : height and width in pixels, multiples of :func:`cellseg.models.unet.sizes.stride`

    Returns
    -------
    Model from (N, H, W, 1) to a dict of head name to (N, H, W, channels), float32
        Its attributes ``backbone_layers`` and ``head_layers`` are the names of the layers of the
        path down and of the heads.
    """
    model = settings["model"]
    levels = channels(model)
    image = keras.Input((*shape, 1), name="image")
    x, passed = image, []
    for number, filters in enumerate(levels, start=1):
        if passed:
            x = layers.MaxPooling2D(name=f"pool_{number}")(x)
        x = _block(x, filters, f"down_{number}")
        passed.append(x)
    for number, filters in reversed(list(enumerate(levels[:-1], start=1))):
        x = layers.Conv2DTranspose(
            filters, 2, strides=2, kernel_initializer="he_normal", name=f"up_{number}"
        )(x)
        x = layers.Concatenate(name=f"joined_{number}")([passed[number - 1], x])
        x = _block(x, filters, f"up_{number}")
    maps = {}
    for head in settings["heads"]:
        declared = HEADS[head]
        output = layers.Conv2D(declared.channels, 1, name=f"head_{head}")(x)
        grid = declared.grid_of(settings["heads"][head])
        maps[head] = Activated(declared.activation, model["negative_slope"], grid, name=head)(
            output
        )
    network = keras.Model(image, maps)
    named = [layer.name for layer in network.layers]
    network.backbone_layers = tuple(name for name in named if name.startswith("down_"))
    network.head_layers = tuple(name for name in named if name.startswith("head_"))
    return network


def _block(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Twice a 3x3 convolution, batch norm and ReLU."""
    for number in (1, 2):
        x = layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,  # which the batch norm would take off
            kernel_initializer="he_normal",
            name=f"{name}_conv_{number}",
        )(x)
        x = BatchNormalization(name=f"{name}_norm_{number}")(x)
        x = layers.ReLU(name=f"{name}_relu_{number}")(x)
    return x
