"""Cellpose's network in training by the package's loss."""

from cellseg.models.cellpose import losses, maps, sizes  # isort: skip  (before torch)
from torch import Tensor, nn

from cellseg.models.pytorch.learner import TorchLearner
from cellseg.training.batches import Batch


class CellposeLearner(TorchLearner):
    """A network with its optimiser; see :class:`.pytorch.learner.TorchLearner`.

    All weights decay, as in ``cellpose.train.train_seg``. The backbone is the path down.
    """

    BACKBONE, HEADS, IMAGE_CHANNELS = "downsample.", ("output.",), sizes.IMAGE_CHANNELS

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        images, targets = batch
        given = maps.images_of(images, self.IMAGE_CHANNELS).to(self.device)
        with self._precision():
            found = self._outputs(given)
        return losses.losses_of(found.float(), targets)

    def _outputs(self, images: Tensor) -> Tensor:
        """Flows and logits (N, 3, H, W) of images (N, C, H, W)."""
        return self.model(images)[0]

    def _decays(self, weights: nn.Parameter) -> bool:
        return True
