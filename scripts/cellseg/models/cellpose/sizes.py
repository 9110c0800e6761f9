"""What Cellpose's network is, and how many weights it has. Imports no deep-learning library."""

from collections.abc import Mapping

PREDICTOR = "cellseg.models.cellpose.predictor"
PACKAGES = ("torch", "cellpose==3.1.1.3")
"""What the predictor computes with; Cellpose 4 has another network."""
START_FILES = None
"""The package's files, such as ``cyto3``, have no ending."""
LEVELS = 4
STRIDE = 2 ** (LEVELS - 1)
"""Pixels of the image per pixel of the coarsest map."""
IMAGE_CHANNELS = 2
"""What the package gives its network: the cells, and the nuclei, which a grey image lacks."""
OUTPUTS = 3
"""Channels of the network: flows down and to the right, and the logit of a cell."""
NOT_TRAINED = 2
"""Weights that hold diameters, with which the network does not compute."""


def channels(model: Mapping) -> list[int]:
    """Of each level, the finest first."""
    return [model["width"] * 2**level for level in range(LEVELS)]


def parameters(model: Mapping, n_heads: int) -> int:
    """Number of weights.

    Parameters
    ----------
    model : settings, with ``width``
    n_heads : unused: there are two
    """
    del n_heads
    down, up = _blocks(model)
    style = channels(model)[-1]
    total = NOT_TRAINED + _convolution(model["width"], OUTPUTS, 1)
    for before, own in down:
        total += _convolution(before, own, 1) + _convolution(before, own, 3)
        total += 3 * _convolution(own, own, 3)
    for before, own in up:
        total += _convolution(before, own, 1) + _convolution(before, own, 3)
        total += 3 * (_convolution(own, own, 3) + (style + 1) * own)
    return total


def values(model: Mapping, n_heads: int) -> float:
    """Values in the outputs of norms, convolutions, sums, pools and enlarged maps, for each pixel.

    Parameters
    ----------
    model, n_heads : as for :func:`parameters`
    """
    del n_heads
    down, up = _blocks(model)
    total = 0.0
    for level, (before, own) in enumerate(down):
        pooled = before if level else 0
        # Norm and convolution of the projection and of each of four layers, and two sums.
        of_level = pooled + 2 * before + 2 * own + 3 * 2 * own + 2 * own
        total += of_level / 4**level
    for level, (before, own) in enumerate(up):
        enlarged = before if level < LEVELS - 1 else 0
        # The same, and sums with the map on the way down and, three times, with the style.
        of_level = enlarged + 2 * before + 2 * own + 3 * 2 * own + (2 + 1 + 3) * own
        total += of_level / 4**level
    return total + model["width"] + OUTPUTS


def description(model: Mapping) -> str:
    """What the network is, in a few words of Markdown."""
    return f"Cellpose's network (`cellpose` 3.1), {model['width']} channels"


def _blocks(model: Mapping) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Channels before and after each block down and each block up, the finest first."""
    own = channels(model)
    return (
        list(zip([IMAGE_CHANNELS, *own], own, strict=False)),
        list(zip([*own[1:], own[-1]], own, strict=True)),
    )


def _convolution(before: int, after: int, side: int) -> int:
    """A batch norm, and a convolution with a bias."""
    return 2 * before + (side * side * before + 1) * after
