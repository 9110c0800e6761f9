"""Family ``cellpose``: network and loss of the package cellpose 3.1, in our stream and loop.

The package's own training loop, augmentation and rescaling by diameter are not used: tiles, splits,
seeds, augmentation and schedule are those of the other families. The maps are those of the heads
``flows`` and ``fgbg``, and cells are found by ``segmentation.method: flow-tracking``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cellseg.models.cellpose import package, predictor  # isort: skip  (before torch)
import torch

from cellseg.models.cellpose.learner import CellposeLearner
from cellseg.models.cellpose.map_predictor import MapPredictor
from cellseg.models.pytorch.family import TorchFamily
from cellseg.training.start import Start


@dataclass
class CellposeFamily(TorchFamily):
    """What :mod:`cellseg.models` asks of a family.

    Attributes
    ----------
    Learner, Predictor : the network in training, and a trained one
    packages : what it computes with besides torch
    """

    Learner: type[CellposeLearner]
    Predictor: type[MapPredictor]
    packages: tuple[str, ...]

    def learner(
        self,
        settings: Mapping,
        size: int,
        folder: Path,
        weights: Path | None = None,
        start: Start | None = None,
    ) -> CellposeLearner:
        """A network with its optimiser. There are no `weights` of a backbone, and `size` of the
        tiles says nothing that settings do not."""
        del size, weights
        return self.Learner(self.build, settings, folder, start)

    def versions(self) -> dict[str, str]:
        """Versions of torch and its other packages."""
        return {"torch": torch.__version__, **{name: version(name) for name in self.packages}}


FAMILY = CellposeFamily(package.network, CellposeLearner, predictor.Predictor, ("cellpose",))
"""Cellpose's network in training by the package's loss."""
