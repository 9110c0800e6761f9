"""The loss that Cellpose's trainings minimise, 3.1 and SAM alike, by head."""

from collections.abc import Mapping

from cellseg.models.cellpose import package  # isort: skip  (before torch)
import numpy as np
import torch
from torch import Tensor

from cellseg.models.cellpose.maps import CELLS, FLOW_SCALE, FLOWS, truth_of


def losses_of(found: Tensor, maps: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """The package's loss, by head: values and gradients of the two add up to those of it.

    Parameters
    ----------
    found : (N, 3, H, W), float32: output of the network
    maps : targets of both heads
    """
    truth = truth_of(maps)
    true_flows = FLOW_SCALE * torch.from_numpy(truth[:, 1:]).to(found.device)
    flows, logits = found[:, :2], found[:, 2:]
    # Flows without an error leave the part of the cells, and constant logits the gradient of flows.
    of_cells = package.loss(truth, torch.cat([true_flows, logits], dim=1))
    of_both = package.loss(truth, torch.cat([flows, logits.detach()], dim=1))
    return {FLOWS: of_both - of_cells.detach(), CELLS: of_cells}
