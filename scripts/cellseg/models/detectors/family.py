"""Families ``maskrcnn``, ``retinamask``, ``centermask`` and ``cascade``, on torch."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from cellseg.models.detectors import packages  # noqa: F401  isort: skip  (says what is missing)
import timm
import torch
import torchvision

from cellseg.models.detectors import learner, network, predictor, presets, sizes
from cellseg.models.pytorch.family import TorchFamily
from cellseg.training import instance_stream
from cellseg.training.start import Start


class DetectorFamily(TorchFamily):
    """What :mod:`cellseg.models` asks of a family."""

    PREDICTS = sizes.PREDICTS

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

    def Predictor(self, settings: Mapping, folder: Path) -> predictor.TorchPredictor:
        """A trained network, applied to images of any size."""
        return predictor.TorchPredictor(self.build, settings, folder)

    def versions(self) -> dict[str, str]:
        """Versions of what computes."""
        modules = {"torch": torch, "torchvision": torchvision, "timm": timm}
        return {name: module.__version__ for name, module in modules.items()}


def _build(model: Mapping):
    """The network, whose norms depend on whether its backbone is pretrained."""
    return network.build(presets.with_pretrained(model))


FAMILY = DetectorFamily(_build)
"""The four families; the settings of a model name one."""
