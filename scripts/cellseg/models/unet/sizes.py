"""The depths of U-Net, and how many weights each has. Imports no deep-learning library.

Those of the poster *Deep Learning for Cell Segmentation* (Kim, Song, Zheng; Stanford): U-Net, U-Net
expanded by a level of 1024 channels at the bottom, and by levels of 1024 and 2048 channels. Where
its plain U-Net ends the poster does not say; here as published, at a bottleneck of 1024 channels,
so that the added levels lie below that. ``unet-light`` is ours: no level has more than four times
the channels of the finest, which makes a network of a megabyte with a width of 12.
"""

from collections.abc import Mapping
from itertools import pairwise

ARCHITECTURES = {
    "unet": (1, 2, 4, 8, 16),
    "unet-expanded": (1, 2, 4, 8, 16, 16),
    "unet-deep": (1, 2, 4, 8, 16, 16, 32),
    "unet-light": (1, 2, 4, 4, 4),
}
"""Channels of each level, from the image to the bottom, in multiples of ``width``."""

LAYERS_OF_BLOCK = 6
"""Two of convolution, batch norm and ReLU."""


def channels(model: Mapping) -> list[int]:
    """Channels of each level of a network, the finest first.

    Parameters
    ----------
    model : settings ``architecture`` and ``width``, the channels of the finest level
    """
    return [model["width"] * multiple for multiple in ARCHITECTURES[model["architecture"]]]


def stride(model: Mapping) -> int:
    """Pixels of the image per pixel of the bottom: each level below the first halves the map."""
    return 2 ** (len(ARCHITECTURES[model["architecture"]]) - 1)


def parameters(model: Mapping, n_heads: int) -> int:
    """Number of weights, trained or not.

    Parameters
    ----------
    model : as for :func:`channels`
    n_heads : number of heads of two channels, as ``fgbg``
        A channel more or less is ``width`` + 1 weights.
    """
    levels = channels(model)
    total = sum(_block(before, after) for before, after in pairwise([1, *levels]))
    for fine, coarse in pairwise(levels):
        total += 4 * coarse * fine + fine  # 2x2 transposed convolution with bias
        total += _block(2 * fine, fine)
    return total + 2 * n_heads * (levels[0] + 1)


def values(model: Mapping, n_heads: int) -> float:
    """Values in the outputs of all layers for each pixel of the image; heads add little.

    Parameters
    ----------
    model : as for :func:`channels`
    """
    levels = channels(model)
    blocks = sum(LAYERS_OF_BLOCK * number / 4**level for level, number in enumerate(levels))
    # On the way up: the transposed convolution, what is put to it, and a block.
    upward = sum((LAYERS_OF_BLOCK + 3) * n / 4**level for level, n in enumerate(levels[:-1]))
    return blocks + upward + 2 * n_heads


def description(model: Mapping) -> str:
    """What the network is, in a few words of Markdown."""
    levels = ", ".join(str(number) for number in channels(model))
    return f"U-Net (`{model['architecture']}`), levels of {levels} channels"


def _block(before: int, after: int) -> int:
    """Two 3x3 convolutions without bias, each with the four vectors of a batch norm."""
    return 9 * before * after + 9 * after * after + 2 * 4 * after
