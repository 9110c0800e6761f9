"""A trained network of Cellpose, applied to images of any size."""

from collections.abc import Mapping
from pathlib import Path

from cellseg.models.cellpose import maps, package, sizes  # isort: skip  (before torch)
import numpy as np
import torch

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
        self.model = package.network(settings["model"])
        state_files.load_run(self.model, folder)
        self.model.to(self.device).eval()

    @torch.no_grad()
    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Maps of images ``(N, H, W, 1)`` float32, by head name.

        Heights and widths that are no multiple of the stride are filled up with the mirrored image,
        and the maps cut back.
        """
        height, width = images.shape[1:3]
        missing = [(0, -length % sizes.STRIDE) for length in (height, width)]
        padded = np.pad(images, [(0, 0), *missing, (0, 0)], mode="symmetric")
        given = maps.images_of(padded, sizes.IMAGE_CHANNELS).to(self.device)
        found = maps.maps_of(self.model(given)[0])
        return {head: found[head][:, :height, :width] for head in self.heads}
