"""A trained network, applied to images of any size."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from cellseg.io import run_files
from cellseg.models.keras3 import steps, weight_files
from cellseg.models.keras3.learner import Build, compute_in

SHAPES_KEPT = 4
"""Networks that a predictor keeps, one for each size of image."""


class KerasPredictor:
    """A trained network.

    Parameters
    ----------
    build : makes the network
    stride : pixels of the image per pixel of the coarsest map; heights and widths that `build` is
        given are multiples of it
    settings : from :func:`cellseg.study.runs.run_settings`
    folder : holds weights.h5
    smallest : least height and width that `build` is given, a multiple of `stride`
    """

    def __init__(
        self, build: Build, stride: int, settings: Mapping, folder: Path, smallest: int = 1
    ) -> None:
        compute_in(False)
        self.build, self.stride, self.smallest = build, stride, smallest
        self.settings, self.path = settings, folder / run_files.WEIGHTS
        self._predictors: dict[tuple[int, int], object] = {}

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Maps of images ``(N, H, W, 1)`` float32, by head name.

        Heights and widths that are too small or no multiple of the stride are filled up with the
        mirrored image, and the maps cut back.
        """
        height, width = images.shape[1:3]
        missing = [
            (0, max(self.smallest, length + -length % self.stride) - length)
            for length in (height, width)
        ]
        padded = np.pad(images, [(0, 0), *missing, (0, 0)], mode="symmetric")
        maps = self._predictor(padded.shape[1:3])(padded)
        return {head: maps[head][:, :height, :width] for head in self.settings["heads"]}

    def _predictor(self, shape: tuple[int, int]):
        if shape not in self._predictors:
            if len(self._predictors) == SHAPES_KEPT:  # each holds the weights, and is compiled
                self._predictors.pop(next(iter(self._predictors)))
            model = self.build(self.settings, shape)
            weight_files.load(model, self.path)
            self._predictors[shape] = steps.predictor(model)
        return self._predictors[shape]


def exportable(build: Build, settings: Mapping, folder: Path, size: int) -> tuple[Callable, list]:
    """A trained network on squares of `size` pixels, for a SavedModel; on TensorFlow only.

    Returns
    -------
    function of a tensor (N, size, size, 1), float32, to a dict of head name to tensor, and the
    TensorFlow variables that it reads
    """
    compute_in(False)
    model = build(settings, (size, size))
    weight_files.load(model, folder / run_files.WEIGHTS)
    variables = [variable.value for variable in model.variables]
    return lambda images: model(images, training=False), variables
