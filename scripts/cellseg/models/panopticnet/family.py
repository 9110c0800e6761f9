"""Family ``panopticnet``: the network of Mesmer in Keras 3, on TensorFlow, JAX or PyTorch.

The same network as the family ``deepcell`` (tests compare weights, outputs, losses and steps).
Beyond it: images of any size, pretrained backbones fed as they expect, TensorFlow, JAX or PyTorch.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from cellseg.models.keras3 import backend  # isort: skip  (decides what Keras computes with)
import pandas as pd

from cellseg.models.keras3 import learner, predictor
from cellseg.models.panopticnet import network
from cellseg.models.panopticnet.declarations import declared
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
    return learner.train(PanopticnetLearner, settings, train, validation, folder, resume, weights)


class PanopticnetLearner(learner.KerasLearner):
    """A PanopticNet with its optimiser and losses."""

    def __init__(self, settings: Mapping, size: int, folder: Path) -> None:
        super().__init__(network.build, settings, size, folder)


class Predictor(predictor.KerasPredictor):
    """A trained PanopticNet, applied to images of any size."""

    def __init__(self, settings: Mapping, folder: Path) -> None:
        backbone = declared(settings["model"]["backbone"])
        super().__init__(network.build, backbone.stride, settings, folder, backbone.smallest)


def exportable(settings: Mapping, folder: Path, size: int) -> tuple[Callable, list]:
    """A trained network for a SavedModel; see :func:`.keras3.predictor.exportable`."""
    return predictor.exportable(network.build, settings, folder, size)


def parameters(settings: Mapping) -> int:
    """Number of weights of the network, trained or not."""
    return network.build(settings, (settings["tiling"]["size"],) * 2).count_params()
