"""What is asked of a family of networks. For type checkers: nothing here is run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from cellseg.training.batches import TileStream
    from cellseg.training.checkpoint import ResumeFolder
    from cellseg.training.start import Start


class Family(Protocol):
    """A module or an object; :mod:`cellseg.models` says what each of these does."""

    BACKEND: str

    def train(
        self,
        settings: Mapping,
        train: "TileStream",
        validation: "TileStream",
        folder: Path,
        resume: "ResumeFolder",
        weights: Path | None = None,
        start: "Start | None" = None,
    ) -> "pd.DataFrame": ...

    def Predictor(
        self, settings: Mapping, folder: Path
    ) -> "Callable[[np.ndarray], dict[str, np.ndarray]]": ...

    def exportable(self, settings: Mapping, folder: Path, size: int) -> tuple[Callable, list]: ...

    def parameters(self, settings: Mapping) -> int: ...

    def set_threads(self, threads: int) -> None: ...

    def device(self) -> str: ...

    def versions(self) -> dict[str, str]: ...
