"""Family ``cellpose``: network and loss of the package cellpose 3.1, in our stream and loop.

The package's own training loop, augmentation and rescaling by diameter are not used: tiles, splits,
seeds, augmentation and schedule are those of the other families. The maps are those of the heads
``flows`` and ``fgbg``, and cells are found by ``segmentation.method: flow-tracking``.
"""

from collections.abc import Mapping
from pathlib import Path

from cellseg.models.cellpose import package, predictor  # isort: skip  (before torch)
import torch

from cellseg.models.cellpose.learner import CellposeLearner
from cellseg.models.pytorch.family import TorchFamily
from cellseg.training.start import Start


class CellposeFamily(TorchFamily):
    """What :mod:`cellseg.models` asks of a family."""

    Predictor = predictor.Predictor

    def learner(
        self,
        settings: Mapping,
        size: int,
        folder: Path,
        weights: Path | None = None,
        start: Start | None = None,
    ) -> CellposeLearner:
        """A network with its optimiser; tiles may have any `size`, and there are no `weights`."""
        del size, weights
        return CellposeLearner(self.build, settings, folder, start)

    def versions(self) -> dict[str, str]:
        """Versions of torch and the package."""
        return {"torch": torch.__version__, "cellpose": package.VERSION}


FAMILY = CellposeFamily(package.network)
