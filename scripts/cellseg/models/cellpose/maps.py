"""Between our maps and what networks of Cellpose, 3.1 and SAM, are given and give."""

from collections.abc import Mapping

from cellseg.models.pytorch import process  # noqa: F401  # isort: skip  (before torch)
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

FLOWS, CELLS = "flows", "fgbg"
"""Heads: unit vectors down and to the right, and probabilities of background and cell."""
FLOW_SCALE = 5.0
"""The networks learn flows of this length where ours are unit vectors."""


def images_of(images: np.ndarray, channels: int) -> Tensor:
    """Grey images (N, H, W, 1), float32, as a network is given them: (N, `channels`, H, W).

    The first channel is the image, and the others are 0.
    """
    given = torch.from_numpy(np.ascontiguousarray(images[..., 0])[:, None])
    return functional.pad(given, (0, 0, 0, 0, 0, channels - 1))


def truth_of(maps: Mapping[str, np.ndarray]) -> np.ndarray:
    """Targets of both heads, (N, H, W, 2) each, as the loss reads them: (N, 3, H, W), float32."""
    joined = np.concatenate([maps[CELLS][..., 1:], maps[FLOWS]], axis=-1)
    return np.ascontiguousarray(np.moveaxis(joined, -1, 1), np.float32)


def maps_of(found: Tensor) -> dict[str, np.ndarray]:
    """Outputs (N, 3, H, W) as maps of both heads, (N, H, W, 2) each, float32."""
    cell = torch.sigmoid(found[:, 2:])
    maps = {FLOWS: found[:, :2] / FLOW_SCALE, CELLS: torch.cat([1 - cell, cell], dim=1)}
    return {head: np.moveaxis(one.cpu().numpy(), 1, -1) for head, one in maps.items()}
