"""Cellpose-SAM's network in training."""

from collections.abc import Mapping

from cellseg.models.cellpose_sam import network, sizes  # isort: skip  (before torch)
from torch import Tensor

from cellseg.models.cellpose.learner import CellposeLearner


class CellposeSAMLearner(CellposeLearner):
    """A network with its optimiser, with the loss of :class:`.cellpose.learner.CellposeLearner`.

    The backbone is the encoder.
    """

    BACKBONE, HEADS, IMAGE_CHANNELS = "encoder.", ("out.",), sizes.IMAGE_CHANNELS

    def _outputs(self, images: Tensor) -> Tensor:
        return self.model(images)

    def _renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return network.renamed(state, self.model.size)

    def _validation_mode(self) -> None:
        self.model.eval()  # no block is skipped
