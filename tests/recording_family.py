"""A model family without a network, which keeps what it is given."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pandas as pd

from cellseg import models
from cellseg.runtime import gpu_lease
from cellseg.targets.heads import HEADS
from cellseg.training.batches import TileStream
from cellseg.training.loop import fit

VALIDATION_LOSSES = (3.0, 1.0, *[2.0] * 30)
"""After each epoch: the second is the best."""


@dataclass
class RecordingLearner:
    """See :class:`cellseg.training.loop.Learner`.

    Attributes
    ----------
    rates, sizes : of each step: learning rate and number of tiles
    kept : epoch whose weights it has in the end, None for those of the last
    recalibrated : number of batches
    """

    rates: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    kept: int | None = None
    recalibrated: int | None = None
    _epochs: int = 0
    _saved: int = 0

    def train_batch(self, batch, rate: float) -> dict:
        self.rates.append(rate)
        self.sizes.append(len(batch[0]))
        return {"loss": 1.0}

    def validate_batch(self, batch) -> dict:
        return {"loss": VALIDATION_LOSSES[self._epochs]}

    def recalibrate(self, stream: TileStream, batches: int) -> None:
        self.recalibrated = batches

    def save_state(self, folder: Path) -> None: ...

    def load_state(self, folder: Path) -> None: ...

    def save_weights(self, path: Path) -> None:
        self._saved = self._epochs

    def load_weights(self, path: Path) -> None:
        self.kept = self._saved

    def log_epoch(self, epoch: int, row: Mapping) -> None:
        self._epochs = epoch


@dataclass
class Trained:
    """What one training was given, and its learner."""

    settings: Mapping
    train: TileStream
    validation: TileStream
    weights: Path | None
    learner: RecordingLearner
    history: pd.DataFrame


@dataclass
class RecordingFamily:
    """Has what :mod:`cellseg.models` asks of a family.

    As network it calls a pixel a cell whose value is above zero, which suits normalised images.

    Attributes
    ----------
    loaded : settings of each model that was asked for
    accelerators : what each script asked for a GPU with
    trained : each training
    folders : of the weights that each predictor was made with
    batches : network inputs, (N, H, W, 1)
    """

    loaded: list[Mapping] = field(default_factory=list)
    accelerators: list[str] = field(default_factory=list)
    trained: list[Trained] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    batches: list[np.ndarray] = field(default_factory=list)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Scripts that load a family get this one, and no GPU is leased."""

        def load(model: Mapping) -> RecordingFamily:
            self.loaded.append(model)
            return self

        with (
            mock.patch.object(models, "load", load),
            mock.patch.object(gpu_lease, "take", self.accelerators.append),
        ):
            yield

    def train(self, settings, train, validation, folder, resume, weights=None) -> pd.DataFrame:
        learner = RecordingLearner()
        history = fit(learner, train, validation, settings["training"], resume)
        self.trained.append(Trained(settings, train, validation, weights, learner, history))
        (folder / "tensorboard").mkdir(parents=True, exist_ok=True)
        with h5py.File(folder / "weights.h5", "w") as file:  # ensembles copy what it holds
            file["none"] = 0
        return history

    def Predictor(self, settings, folder):
        self.folders.append(folder)

        def predict(images: np.ndarray) -> dict[str, np.ndarray]:
            self.batches.append(images)
            cells = (images > 0).astype(np.float32)
            return {head: np.repeat(cells, HEADS[head].channels, -1) for head in settings["heads"]}

        return predict

    def set_threads(self, threads: int) -> None: ...

    def device(self) -> str:
        return "cpu"

    def versions(self) -> dict[str, str]:
        return {}

    def parameters(self, settings: Mapping) -> int:
        return 0
