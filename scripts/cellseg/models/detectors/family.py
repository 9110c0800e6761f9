"""Families ``maskrcnn``, ``retinamask``, ``centermask`` and ``cascade``, on torch."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from cellseg.models.detectors import packages  # noqa: F401  isort: skip  (says what is missing)
import timm
import torch
import torchvision

from cellseg.models.detectors import learner, network, predictor, sizes
from cellseg.models.pytorch.family import TorchFamily
from cellseg.training import instance_stream
from cellseg.training.start import Start


class DetectorFamily(TorchFamily):
    """What :mod:`cellseg.models` asks of a family."""

    PREDICTS = sizes.PREDICTS
    Predictor = predictor.Predictor

    def streams(self, outlines: Sequence[str]) -> Callable[..., instance_stream.InstanceStream]:
        """What makes streams of crops and cells, from files of true cells."""
        return partial(instance_stream.InstanceStream, cells=instance_stream.cells_of(outlines))

    def learner(
        self,
        settings: Mapping,
        size: int,
        folder: Path,
        weights: Path | None = None,
        start: Start | None = None,
    ) -> learner.DetectorLearner:
        """A network with its optimiser; crops may have any `size`."""
        del size
        return learner.DetectorLearner(self.build, settings, folder, weights, start)

    def versions(self) -> dict[str, str]:
        """Versions of what computes."""
        modules = {"torch": torch, "torchvision": torchvision, "timm": timm}
        return {name: module.__version__ for name, module in modules.items()}


FAMILY = DetectorFamily(network.of_run)
"""The four families; the settings of a model name one."""
