"""A trained network of Cellpose, applied to images of any size."""

from collections.abc import Mapping

from cellseg.models.cellpose import package, sizes  # isort: skip  (before torch)
import numpy as np
from torch import Tensor, nn

from cellseg.models.cellpose.map_predictor import MapPredictor


class Predictor(MapPredictor):
    """A trained network; see :class:`.map_predictor.MapPredictor`."""

    IMAGE_CHANNELS = sizes.IMAGE_CHANNELS

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Maps of images ``(N, H, W, 1)`` float32, by head name.

        Heights and widths that are no multiple of the stride are filled up with the mirrored image,
        and the maps cut back.
        """
        height, width = images.shape[1:3]
        missing = [(0, -length % sizes.STRIDE) for length in (height, width)]
        found = super().__call__(np.pad(images, [(0, 0), *missing, (0, 0)], mode="symmetric"))
        return {head: one[:, :height, :width] for head, one in found.items()}

    def _network(self, model: Mapping) -> nn.Module:
        return package.network(model)

    def _outputs(self, images: Tensor) -> Tensor:
        return self.model(images)[0]
