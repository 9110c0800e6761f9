"""A trained network of Cellpose-SAM, applied to windows of its size.

It has a weight for each place in a window, so it takes no other size.
"""

from collections.abc import Mapping

from cellseg.models.cellpose_sam import network, sizes  # isort: skip  (before torch)
from torch import Tensor, nn

from cellseg.models.cellpose.map_predictor import MapPredictor


class Predictor(MapPredictor):
    """A trained network; see :class:`cellseg.models.cellpose.map_predictor.MapPredictor`."""

    IMAGE_CHANNELS = sizes.IMAGE_CHANNELS

    def _network(self, model: Mapping) -> nn.Module:
        return network.CellposeSAM(model)

    def _outputs(self, images: Tensor) -> Tensor:
        return self.model(images)
