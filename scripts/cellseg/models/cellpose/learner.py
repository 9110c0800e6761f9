"""Cellpose's network in training by the package's loss."""

from cellseg.models.cellpose import maps  # isort: skip  (before torch)
from torch import Tensor, nn

from cellseg.models.pytorch.learner import TorchLearner
from cellseg.training.batches import Batch


class CellposeLearner(TorchLearner):
    """A network with its optimiser; see :class:`.pytorch.learner.TorchLearner`.

    All weights decay, as in ``cellpose.train.train_seg``. The backbone is the path down.
    """

    BACKBONE, HEADS = "downsample.", ("output.",)

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        images, targets = batch
        given = maps.images_of(images).to(self.device)
        with self._precision():
            found = self.model(given)[0]
        return maps.losses_of(found.float(), targets)

    def _decays(self, weights: nn.Parameter) -> bool:
        return True
