"""Between our maps and what Cellpose's network is given and gives."""

from collections.abc import Mapping

from cellseg.models.cellpose import package, sizes  # isort: skip  (before torch)
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

FLOWS, CELLS = "flows", "fgbg"
"""Heads: unit vectors down and to the right, and probabilities of background and cell."""


def images_of(images: np.ndarray) -> Tensor:
    """Grey images (N, H, W, 1), float32, as the network is given them: (N, 2, H, W)."""
    given = torch.from_numpy(np.ascontiguousarray(images[..., 0])[:, None])
    return functional.pad(given, (0, 0, 0, 0, 0, sizes.IMAGE_CHANNELS - 1))


def truth_of(maps: Mapping[str, np.ndarray]) -> np.ndarray:
    """Targets of both heads, (N, H, W, 2) each, as the loss reads them: (N, 3, H, W), float32."""
    joined = np.concatenate([maps[CELLS][..., 1:], maps[FLOWS]], axis=-1)
    return np.ascontiguousarray(np.moveaxis(joined, -1, 1), np.float32)


def maps_of(found: Tensor) -> dict[str, np.ndarray]:
    """Outputs (N, 3, H, W) as maps of both heads, (N, H, W, 2) each, float32."""
    cell = torch.sigmoid(found[:, 2:])
    maps = {FLOWS: found[:, :2] / package.FLOW_SCALE, CELLS: torch.cat([1 - cell, cell], dim=1)}
    return {head: np.moveaxis(one.cpu().numpy(), 1, -1) for head, one in maps.items()}


def losses_of(found: Tensor, maps: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """The package's loss, by head: values and gradients of the two add up to those of it.

    Parameters
    ----------
    found : (N, 3, H, W), float32: output of the network
    maps : targets of both heads
    """
    truth = truth_of(maps)
    true_flows = package.FLOW_SCALE * torch.from_numpy(truth[:, 1:]).to(found.device)
    flows, logits = found[:, :2], found[:, 2:]
    # Flows without an error leave the part of the cells, and constant logits the gradient of flows.
    of_cells = package.loss(truth, torch.cat([true_flows, logits], dim=1))
    of_both = package.loss(truth, torch.cat([flows, logits.detach()], dim=1))
    return {FLOWS: of_both - of_cells.detach(), CELLS: of_cells}
