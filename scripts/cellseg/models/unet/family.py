"""Family ``unet``: U-Net in three depths, in Keras 3, on TensorFlow, JAX or PyTorch.

Ronneberger, Fischer and Brox (MICCAI 2015), in the depths of the poster *Deep Learning for Cell
Segmentation* (Stanford). It predicts the same maps as PanopticNet, for the same watershed; the
poster's are foreground and background, the head ``fgbg``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from cellseg.models.keras3 import backend  # isort: skip  (decides what Keras computes with)
import pandas as pd

from cellseg.models.keras3 import learner, predictor
from cellseg.models.unet import network, sizes
from cellseg.training.batches import TileStream
from cellseg.training.checkpoint import ResumeFolder

BACKEND = backend.BACKEND
set_threads = backend.set_threads
device = backend.device
versions = backend.versions


def train(
    settings: Mapping,
    train: TileStream,
    validation: TileStream,
    folder: Path,
    resume: ResumeFolder,
    weights: Path | None = None,
) -> pd.DataFrame:
    """Train one network and save its weights; see :func:`cellseg.models.keras3.learner.train`."""
    return learner.train(UnetLearner, settings, train, validation, folder, resume, weights)


class UnetLearner(learner.KerasLearner):
    """A U-Net with its optimiser and losses."""

    def __init__(self, settings: Mapping, size: int, folder: Path) -> None:
        super().__init__(network.build, settings, size, folder)


class Predictor(predictor.KerasPredictor):
    """A trained U-Net, applied to images of any size."""

    def __init__(self, settings: Mapping, folder: Path) -> None:
        stride = sizes.stride(settings["model"])
        super().__init__(network.build, stride, settings, folder)


def exportable(settings: Mapping, folder: Path, size: int) -> tuple[Callable, list]:
    """A trained network for a SavedModel; see :func:`.keras3.predictor.exportable`."""
    return predictor.exportable(network.build, settings, folder, size)


def parameters(settings: Mapping) -> int:
    """Number of weights of the network, trained or not."""
    return network.build(settings, (sizes.stride(settings["model"]),) * 2).count_params()
