"""A trained network of Cellpose-SAM, applied to windows of its size."""

from collections.abc import Mapping
from pathlib import Path

from cellseg.models.cellpose_sam import network, sizes  # isort: skip  (before torch)
import numpy as np
import torch

from cellseg.models.cellpose import maps
from cellseg.models.pytorch import state_files


class Predictor:
    """A trained network.

    Parameters
    ----------
    settings : from :func:`cellseg.study.runs.run_settings`
    folder : holds the weights, see :func:`cellseg.models.pytorch.state_files.load_run`
    """

    def __init__(self, settings: Mapping, folder: Path) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.heads = list(settings["heads"])
        self.model = network.CellposeSAM(settings["model"])
        state_files.load_run(self.model, folder)
        self.model.to(self.device).eval()

    @torch.no_grad()
    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Maps of windows ``(N, size, size, 1)`` float32, by head name.

        The network has a weight for each place in a window, so it takes no other size.
        """
        given = maps.images_of(images, sizes.IMAGE_CHANNELS).to(self.device)
        found = maps.maps_of(self.model(given))
        return {head: found[head] for head in self.heads}
