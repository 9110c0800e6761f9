"""The package cellpose, on torch. The only module that imports it.

Stringer, Wang, Michaelos and Pachitariu, Cellpose: a generalist algorithm for cellular
segmentation, Nature Methods 18, 2021; version 3.1 is of Stringer and Pachitariu, Nature Methods 22,
2025.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.models.pytorch import process  # isort: skip  (before torch)

with process.needed_by("family cellpose needs", ("torch", "cellpose")):
    from cellpose import resnet_torch

from cellseg.models.cellpose import sizes

if TYPE_CHECKING:
    import numpy as np
    import torch

DIAMETER = 30.0
"""Pixels: mean diameter of the package's training cells. A weight of the network that it does not
compute with; the package rescales images by it."""
KERNEL = 3


def network(model: Mapping) -> resnet_torch.CPnet:
    """The network with random weights.

    Parameters
    ----------
    model : settings, with ``width``: channels of the finest of four levels; the package has 32
    """
    channels = [sizes.IMAGE_CHANNELS, *sizes.channels(model)]
    return resnet_torch.CPnet(channels, sizes.OUTPUTS, sz=KERNEL, diam_mean=DIAMETER)


def loss(truth: "np.ndarray", found: "torch.Tensor") -> "torch.Tensor":
    """The loss that ``cellpose.train.train_seg`` minimises.

    Parameters
    ----------
    truth : (N, 3, H, W), float32: 1 in cells, and unit vectors down and to the right
    found : (N, 3, H, W), float32: output of the network

    Returns
    -------
    scalar: half the mean squared error of flows five times as long as unit vectors, and the mean
    binary cross-entropy of the logits
    """
    from cellpose.train import _loss_fn_seg  # imports Matplotlib and more, which takes seconds

    return _loss_fn_seg(truth, found, found.device)
