"""What StarDist's network is, and how many weights it has. Imports no deep-learning library."""

from collections.abc import Mapping

from cellseg.targets.channels import NAMES

RAYS = len(NAMES["star-distances"])
FEATURES = 128
"""Channels of the last convolution, from which both maps are computed."""
LARGEST_GRID = 4


def stride(model: Mapping, grid: int) -> int:
    """Pixels of the image per pixel of the coarsest map.

    Parameters
    ----------
    model : settings ``depth`` and ``width``
    grid : rows and columns of the image from one predicted value to the next
    """
    return grid * 2 ** model["depth"]


def parameters(model: Mapping, n_heads: int) -> int:
    """Number of weights, within some three per cent for any grid, whose layers count little.

    Parameters
    ----------
    model : settings ``depth`` and ``width``
    n_heads : unused: there are two
    """
    del n_heads
    width, depth = model["width"], model["depth"]
    total = 0
    before = width  # of the layers that halve the image, or else the image's only channel
    for level in range(depth):
        total += _convolution(before, width * 2**level)
        total += _convolution(width * 2**level, width * 2**level)
        before = width * 2**level
    total += _convolution(before, width * 2**depth)
    before = width * 2 ** (depth - 1)
    total += _convolution(width * 2**depth, before)
    for level in reversed(range(depth)):
        own, after = width * 2**level, width * 2 ** max(0, level - 1)
        total += _convolution(before + own, own) + _convolution(own, after)
        before = after
    total += _convolution(width, width) + _convolution(1, width)  # of the halves: once
    return total + _convolution(width, FEATURES) + (FEATURES + 1) * (1 + RAYS)


def values(model: Mapping, n_heads: int) -> float:
    """Values in the outputs of all layers for each pixel of the image, if each is predicted.

    With a grid there are fewer: a model does not say which grid its runs have, and memory must
    suffice for any.

    Parameters
    ----------
    model, n_heads : as for :func:`parameters`
    """
    del n_heads
    width, depth = model["width"], model["depth"]
    total = 0.0
    below = width * 2 ** (depth - 1)  # channels of the level below, once it is enlarged
    for level in reversed(range(depth)):
        own, after = width * 2**level, width * 2 ** max(0, level - 1)
        down = 2 * own + own / 4  # two convolutions, and the half
        up = below + (below + own) + own + after  # enlarged, joined, two convolutions
        total += (down + up) / 4**level
        below = after
    total += (width * 2**depth + width * 2 ** (depth - 1)) / 4**depth
    return total + 1 + FEATURES + 2 * (1 + RAYS)


def description(model: Mapping) -> str:
    """What the network is, in a few words of Markdown."""
    return f"StarDist's network (`stardist`), depth {model['depth']}, {model['width']} channels"


def _convolution(before: int, after: int) -> int:
    """3x3 with a bias."""
    return (9 * before + 1) * after
