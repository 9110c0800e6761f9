"""What predictors of Cellpose's networks have in common. Imports none of their packages."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from cellseg.models.cellpose import maps  # isort: skip  (before torch)
import numpy as np
import torch
from torch import Tensor, nn

from cellseg.models.pytorch import state_files


class MapPredictor(ABC):
    """A trained network, without what it does to images that do not fit.

    Parameters
    ----------
    settings : from :func:`cellseg.study.runs.run_settings`
    folder : holds the weights, see :func:`cellseg.models.pytorch.state_files.load_run`

    Attributes
    ----------
    IMAGE_CHANNELS : what the network is given; a grey image fills the first
    """

    IMAGE_CHANNELS: int

    def __init__(self, settings: Mapping, folder: Path) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.heads = list(settings["heads"])
        self.model = self._network(settings["model"])
        state_files.load_run(self.model, folder)
        self.model.to(self.device).eval()

    @torch.no_grad()
    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Maps of images ``(N, H, W, 1)`` float32, by head name."""
        given = maps.images_of(images, self.IMAGE_CHANNELS).to(self.device)
        found = maps.maps_of(self._outputs(given))
        return {head: found[head] for head in self.heads}

    @abstractmethod
    def _network(self, model: Mapping) -> nn.Module:
        """The network with random weights, of the settings of a model."""

    @abstractmethod
    def _outputs(self, images: Tensor) -> Tensor:
        """Flows and logits (N, 3, H, W) of images (N, C, H, W)."""
