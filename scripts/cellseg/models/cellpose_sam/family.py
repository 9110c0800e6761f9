"""Family ``cellpose-sam``: the network of Cellpose 4, in our stream and loop.

It is made to start from a file of the package, such as ``cpsam``, or of Segment Anything. Loss,
heads and cells are those of family ``cellpose``.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from cellseg.models.cellpose_sam import network, predictor  # isort: skip  (before torch)
import torch

from cellseg.models.cellpose import package
from cellseg.models.cellpose_sam.learner import CellposeSAMLearner
from cellseg.models.pytorch.family import TorchFamily
from cellseg.training.start import Start


class CellposeSAMFamily(TorchFamily):
    """What :mod:`cellseg.models` asks of a family."""

    Predictor = predictor.Predictor

    def learner(
        self,
        settings: Mapping,
        size: int,
        folder: Path,
        weights: Path | None = None,
        start: Start | None = None,
    ) -> CellposeSAMLearner:
        """A network with its optimiser; plans refuse other tiles than the network's `size`."""
        del size, weights
        return CellposeSAMLearner(self.build, settings, folder, start)

    def versions(self) -> dict[str, str]:
        """Versions of torch, of the package with the encoder, and of that with the loss."""
        return {
            "torch": torch.__version__,
            "segment-anything": version("segment-anything"),
            "cellpose": package.VERSION,
        }


FAMILY = CellposeSAMFamily(network.CellposeSAM)
"""Cellpose-SAM's network in training by the loss of the package cellpose."""
