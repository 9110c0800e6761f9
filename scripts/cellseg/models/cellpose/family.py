"""Family ``cellpose``: network and loss of the package cellpose 3.1, in our stream and loop.

The package's own training loop, augmentation and rescaling by diameter are not used: tiles, splits,
seeds, augmentation and schedule are those of the other families. The maps are those of the heads
``flows`` and ``fgbg``, and cells are found by ``segmentation.method: flow-tracking``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg.models.cellpose import package  # isort: skip  (before torch)
import torch

from cellseg.io import run_files
from cellseg.models.cellpose.learner import CellposeLearner
from cellseg.models.cellpose.predictor import CellposePredictor
from cellseg.models.pytorch import process
from cellseg.training.loop import fit

if TYPE_CHECKING:
    import pandas as pd

    from cellseg.training.batches import TileStream
    from cellseg.training.checkpoint import ResumeFolder


class CellposeFamily:
    """What :mod:`cellseg.models` asks of a family."""

    BACKEND = "torch"
    Predictor = CellposePredictor
    set_threads = staticmethod(process.set_threads)
    device = staticmethod(process.device)

    def train(
        self,
        settings: Mapping,
        train: "TileStream",
        validation: "TileStream",
        folder: Path,
        resume: "ResumeFolder",
        weights: Path | None = None,
    ) -> "pd.DataFrame":
        """Train one network and save its weights; see :func:`cellseg.training.loop.fit`.

        Parameters
        ----------
        folder : gets weights.h5 and tensorboard/
        weights : None; the network has no backbone of others
        """
        del weights
        learner = self.learner(settings, train.tiles.size, folder)
        history = fit(learner, train, validation, settings["training"], resume)
        learner.save_weights(folder / run_files.WEIGHTS)
        return history

    def learner(self, settings: Mapping, size: int, folder: Path) -> CellposeLearner:
        """A network with its optimiser; tiles may have any `size`."""
        del size
        return CellposeLearner(package.network, settings, folder)

    def parameters(self, settings: Mapping) -> int:
        """Number of weights of the network, trained or not."""
        return sum(one.numel() for one in package.network(settings["model"]).parameters())

    def versions(self) -> dict[str, str]:
        """Versions of torch and the package."""
        return {"torch": torch.__version__, "cellpose": package.VERSION}


FAMILY = CellposeFamily()
