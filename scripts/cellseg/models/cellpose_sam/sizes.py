"""What Cellpose-SAM's network is, and how many weights it has. Imports no deep-learning library."""

from collections.abc import Mapping

PREDICTOR = "cellseg.models.cellpose_sam.predictor"
PACKAGES = ("torch", "torchvision", "segment-anything")
"""What the predictor computes with; segment-anything imports torchvision without asking for it."""
START_FILES = None
"""The package's files, such as ``cpsam``, have no ending."""
PATCH = 8
"""Side of the patches that the encoder sees, pixels; Segment Anything has 16."""
IMAGE_CHANNELS = 3
"""What the network is given: a grey image fills the first."""
OUTPUTS = 3
"""Channels of the network: flows down and to the right, and the logit of a cell."""
FEATURES = 256
"""Channels of the encoder's output."""
WINDOW = 14
"""Patches a side for whose distances most blocks have weights, as in Segment Anything."""
OF_ALL = 4
"""Blocks that have weights for all distances in an image of Segment Anything."""


def patches(model: Mapping) -> int:
    """Patches along a side of the image."""
    return model["size"] // PATCH


def parameters(model: Mapping, n_heads: int) -> int:
    """Number of weights.

    Parameters
    ----------
    model : settings, with ``depth``, ``width``, ``attention_heads`` and ``size``
    n_heads : unused: there are two
    """
    del n_heads
    depth, width = model["depth"], model["width"]
    block = 12 * width**2 + 13 * width  # two norms, attention, and two layers four times as wide
    # For each row and column of distance, of one attention head: all have the same.
    distances = (depth - OF_ALL) * (2 * WINDOW - 1) + OF_ALL * (4 * patches(model) - 1)
    total = depth * block + 2 * distances * (width // model["attention_heads"])
    total += (IMAGE_CHANNELS * PATCH**2 + 1) * width + patches(model) ** 2 * width
    total += FEATURES * (width + 9 * FEATURES + 4)
    return total + OUTPUTS * PATCH**2 * (FEATURES + 1)


def values(model: Mapping, n_heads: int) -> float:
    """Values in the outputs of norms, layers, sums and attention, for each pixel.

    Parameters
    ----------
    model, n_heads : as for :func:`parameters`
    """
    del n_heads
    width, tokens = model["width"], patches(model) ** 2
    # Norm, scaled queries, keys, values, their mean, projection, sum; norm, 4 + 4 wide, layer, sum;
    # three to skip blocks by image; and for each pair of patches: products and their softmax.
    block = 22 * width + 2 * model["attention_heads"] * tokens
    ends = 2 * width + 4 * FEATURES + 2 * OUTPUTS * PATCH**2
    return (model["depth"] * block + ends) / PATCH**2


def description(model: Mapping) -> str:
    """What the network is, in a few words of Markdown."""
    return (
        f"Cellpose-SAM's network, {model['depth']} blocks of {model['width']} channels, for "
        f"windows of {model['size']} pixels"
    )
