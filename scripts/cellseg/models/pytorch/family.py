"""What families of networks on torch have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from cellseg.io import run_files
from cellseg.models.pytorch.learner import Build, TorchLearner
from cellseg.training.loop import fit
from cellseg.training.start import Start

if TYPE_CHECKING:
    import pandas as pd

    from cellseg.training.batches import TileStream
    from cellseg.training.checkpoint import ResumeFolder


@dataclass
class TorchFamily(ABC):
    """What :mod:`cellseg.models` asks of a family, but for its predictor and versions.

    Attributes
    ----------
    build : from the settings of a model to a network with random weights
    """

    build: Build

    BACKEND = "torch"

    @abstractmethod
    def learner(
        self,
        settings: Mapping,
        size: int,
        folder: Path,
        weights: Path | None = None,
        start: Start | None = None,
    ) -> TorchLearner:
        """A network for tiles of `size` pixels, with its optimiser and losses."""

    def train(
        self,
        settings: Mapping,
        train: "TileStream",
        validation: "TileStream",
        folder: Path,
        resume: "ResumeFolder",
        weights: Path | None = None,
        start: Start | None = None,
    ) -> "pd.DataFrame":
        """Train one network and save its weights; see :func:`cellseg.training.loop.fit`.

        Parameters
        ----------
        settings : from :func:`cellseg.study.runs.run_settings`
        folder : gets weights.h5 and tensorboard/
        weights : state dict of a pretrained backbone, or None
        start : what to start from, on top of those, or None
        """
        learner = self.learner(settings, train.tiles.size, folder, weights, start)
        history = fit(learner, train, validation, settings["training"], resume)
        learner.save_weights(folder / run_files.WEIGHTS)
        return history

    def parameters(self, settings: Mapping) -> int:
        """Number of weights of the network, trained or not."""
        return sum(one.numel() for one in self.build(settings["model"]).parameters())

    def set_threads(self, threads: int) -> None:
        """Use `threads` CPU threads."""
        torch.set_num_threads(threads)

    def device(self) -> str:
        """Name of the GPU in use, or ``cpu``."""
        return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
