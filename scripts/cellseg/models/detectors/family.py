"""Families ``maskrcnn``, ``retinamask``, ``centermask`` and ``cascade``, on torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg.models.detectors import packages  # noqa: F401  isort: skip  (says what is missing)
import timm
import torch
import torchvision

from cellseg.models.detectors import learner, network, predictor, sizes
from cellseg.models.pytorch import process
from cellseg.training import instance_stream

if TYPE_CHECKING:
    import pandas as pd

    from cellseg.training.batches import TileStream
    from cellseg.training.checkpoint import ResumeFolder


@dataclass
class DetectorFamily:
    """What :mod:`cellseg.models` asks of a family.

    Attributes
    ----------
    build : from the settings of a model to a network with random weights
    """

    build: learner.Build

    BACKEND = "torch"
    PREDICTS = sizes.PREDICTS
    set_threads = staticmethod(process.set_threads)
    device = staticmethod(process.device)

    def streams(self, outlines: Sequence[str]) -> Callable[..., instance_stream.InstanceStream]:
        """What makes streams of crops and cells, from files of true cells."""
        return partial(instance_stream.InstanceStream, cells=instance_stream.cells_of(outlines))

    def train(
        self,
        settings: Mapping,
        train: "TileStream",
        validation: "TileStream",
        folder: Path,
        resume: "ResumeFolder",
        weights: Path | None = None,
    ) -> "pd.DataFrame":
        """Train one network and save its weights; see :func:`.learner.train`."""
        return learner.train(self.build, settings, train, validation, folder, resume, weights)

    def learner(self, settings: Mapping, size: int, folder: Path) -> learner.TorchLearner:
        """A network with its optimiser; crops may have any `size`."""
        del size
        return learner.TorchLearner(self.build, settings, folder)

    def Predictor(self, settings: Mapping, folder: Path) -> predictor.TorchPredictor:
        """A trained network, applied to images of any size."""
        return predictor.TorchPredictor(self.build, settings, folder)

    def parameters(self, settings: Mapping) -> int:
        """Number of weights of the network, trained or not."""
        return sum(one.numel() for one in self.build(settings["model"]).parameters())

    def versions(self) -> dict[str, str]:
        """Versions of what computes."""
        modules = {"torch": torch, "torchvision": torchvision, "timm": timm}
        return {name: module.__version__ for name, module in modules.items()}


def _build(model: Mapping):
    """The network, whose norms depend on whether its backbone is pretrained."""
    return network.build({**model, "pretrained": model.get("weights") is not None})


FAMILY = DetectorFamily(_build)
"""The four families; the settings of a model name one."""
