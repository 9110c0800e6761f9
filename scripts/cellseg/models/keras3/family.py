"""A family of networks in Keras 3, made of the function that builds them.

Import this before the module of the network: it decides what Keras computes with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg.models.keras3 import backend  # isort: skip  (decides what Keras computes with)
from cellseg.models.keras3 import learner, predictor

if TYPE_CHECKING:
    import pandas as pd

    from cellseg.training.batches import TileStream
    from cellseg.training.checkpoint import ResumeFolder
    from cellseg.training.start import Start

Side = Callable[[Mapping], int]
"""From the settings of a model to a number of pixels."""


@dataclass
class Keras3Family:
    """What :mod:`cellseg.models` asks of a family, on TensorFlow, JAX or PyTorch.

    Attributes
    ----------
    build : makes the network, see :data:`cellseg.models.keras3.learner.Build`
    stride : pixels of the image per pixel of the coarsest map; heights and widths that `build` is
        given are multiples of it
    smallest : least height and width that `build` is given, a multiple of the stride; None for the
        stride
    """

    build: learner.Build
    stride: Side
    smallest: Side | None = None

    BACKEND = backend.BACKEND
    set_threads = staticmethod(backend.set_threads)
    device = staticmethod(backend.device)
    versions = staticmethod(backend.versions)

    def train(
        self,
        settings: Mapping,
        train: "TileStream",
        validation: "TileStream",
        folder: Path,
        resume: "ResumeFolder",
        weights: Path | None = None,
        start: "Start | None" = None,
    ) -> "pd.DataFrame":
        """Train one network and save its weights; see :func:`.keras3.learner.train`."""
        return learner.train(
            self.learner, settings, train, validation, folder, resume, weights, start
        )

    def learner(
        self, settings: Mapping, size: int, folder: Path, start: "Start | None" = None
    ) -> learner.KerasLearner:
        """A network for tiles of `size` pixels, with its optimiser and losses."""
        return learner.KerasLearner(self.build, settings, size, folder, start)

    def Predictor(self, settings: Mapping, folder: Path) -> predictor.KerasPredictor:
        """A trained network, applied to images of any size."""
        stride = self.stride(settings["model"])
        return predictor.KerasPredictor(
            self.build, stride, settings, folder, self._smallest(settings)
        )

    def exportable(self, settings: Mapping, folder: Path, size: int) -> tuple[Callable, list]:
        """A trained network for a SavedModel; see :func:`.keras3.predictor.exportable`."""
        return predictor.exportable(self.build, settings, folder, size)

    def parameters(self, settings: Mapping) -> int:
        """Number of weights of the network, trained or not."""
        return self.build(settings, (self._smallest(settings),) * 2).count_params()

    def _smallest(self, settings: Mapping) -> int:
        return (self.smallest or self.stride)(settings["model"])
