"""The package stardist, on Keras 3 and TensorFlow. The only module that imports it.

Schmidt, Weigert, Broaddus and Myers, Cell Detection with Star-Convex Polygons, MICCAI 2018.
"""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType

from cellseg.models.keras3 import backend  # isort: skip  (decides what Keras computes with)
from cellseg.errors import UserError
from cellseg.targets.heads import HEADS

REQUIREMENT = "stardist>=0.9.2,<0.10"
"""As the extra ``stardist`` of pyproject.toml has it."""

PATH_DOWN = ("conv2d", "down_level_", "middle_")
"""Beginnings of the names of the layers down to the coarsest map; those before the U-Net, which
make the grid, have no other names."""
LAST = ("prob", "dist")
"""Names of the layers that give the two maps."""


def _imported() -> ModuleType:
    """``stardist.models``.

    Raises
    ------
    UserError
        It is not installed, or Keras computes with something else in this process.
    """
    if importlib.util.find_spec("stardist") is None:
        raise UserError(
            "family stardist needs the package stardist, which is not installed here. Install it "
            f"with: {sys.executable} -m pip install '{REQUIREMENT}'"
        )
    if backend.BACKEND != "tensorflow":
        raise UserError(
            f"family stardist computes with TensorFlow, and Keras with {backend.BACKEND} in this "
            "process. Unset the environment variable KERAS_BACKEND."
        )
    legacy = os.environ.pop("TF_USE_LEGACY_KERAS", None)  # it decides when csbdeep is imported
    try:
        from csbdeep.utils.tf import IS_KERAS_3_PLUS
        from stardist import models
    finally:
        if legacy is not None:
            os.environ["TF_USE_LEGACY_KERAS"] = legacy
    if not IS_KERAS_3_PLUS:
        raise UserError(
            "stardist computes with legacy Keras in this process already, not with Keras 3. Start "
            "a process for it."
        )
    return models


MODELS = _imported()


def grid_of(heads: Mapping[str, Mapping]) -> int:
    """Rows and columns of the image from one predicted value to the next."""
    return HEADS["star-distances"].grid_of(heads["star-distances"])


def network(model: Mapping, heads: Mapping[str, Mapping]):
    """A ``StarDist2D`` with the package's defaults, but for what settings say.

    Parameters
    ----------
    model : settings ``depth`` and ``width``
    heads : settings of the heads
    """
    config = MODELS.Config2D(
        n_rays=HEADS["star-distances"].channels,
        grid=(grid_of(heads),) * 2,
        unet_n_depth=model["depth"],
        unet_n_filter_base=model["width"],
    )
    with contextlib.redirect_stdout(None):  # it prints thresholds that are not used here
        return MODELS.StarDist2D(config, name="stardist", basedir=None)


def losses(model: Mapping, heads: Mapping[str, Mapping]) -> tuple[list[Callable], list[float]]:
    """The losses that the package trains with, of the probability and of the distances.

    Returns
    -------
    functions of truth and prediction ``(N, H, W, channels)``
        The truth of the distances has the object probability as one more channel. What they return
        is still to be averaged, as Keras does.
    weights of the functions in the sum
    """
    made = network(model, heads)
    asked = _Compiled()
    made.keras_model = asked
    made.prepare_for_training()
    return asked.options["loss"], asked.options["loss_weights"]


class _Compiled:
    """Stands in for a network, and keeps what it is to be compiled with."""

    def compile(self, optimizer: object, **options) -> None:
        del optimizer
        self.options = options
