"""Model families: each a module with ``train`` and ``Predictor``, found here by name.

A family module offers

``train(settings, train, validation, folder, resume, weights=None) -> DataFrame``
    trains on two streams (:class:`cellseg.training.batches.TileStream`), goes on from `resume`
    (:class:`cellseg.training.checkpoint.ResumeFolder`), writes ``weights.h5`` and
    ``tensorboard/`` into `folder` and returns the history; :func:`cellseg.training.loop.fit` does
    most of it;
``Predictor(settings, folder)``
    loads that file; calling it with images ``(N, H, W, 1)`` float32 gives a dict of head name to
    ``(N, H, W, channels)`` float32;
``exportable(settings, folder, size) -> function, variables``
    the same on TensorFlow tensors, for export as a SavedModel;
``parameters(settings) -> int``
    number of weights of the network;
``BACKEND``
    what it computes with;
``set_threads(threads)``
    called once, before anything else;
``device() -> str`` and ``versions() -> dict``
    for the provenance of a run.

Modules are imported when asked for: some bring TensorFlow along, which takes seconds.
"""

import importlib
import os
from collections.abc import Mapping
from types import ModuleType

from cellseg.errors import UserError

FAMILIES: dict[str, str] = {
    "deepcell": "cellseg.models.deepcell.family",
    "panopticnet": "cellseg.models.panopticnet.family",
    "unet": "cellseg.models.unet.family",
}
"""By name: the module."""

FACTS: dict[str, str] = {
    "deepcell": "cellseg.models.panopticnet.sizes",
    "panopticnet": "cellseg.models.panopticnet.sizes",
    "unet": "cellseg.models.unet.sizes",
}
"""By name: a module that tells of a network by the settings of its model, without building it.

``parameters(model, n_heads)`` is the number of its weights, ``values(model, n_heads)`` that of the
values in all its maps for each pixel of the image, ``description(model)`` a few words in Markdown.
It must import no deep-learning library: a plan of the study asks it.
"""


def load(model: Mapping) -> ModuleType:
    """Import the module of a model's family.

    Parameters
    ----------
    model : settings of the model, with ``family`` and, for Keras 3, ``backend``

    Raises
    ------
    UserError
        The backend's package is missing, or Keras computes with another one in this process.
    """
    if "backend" in model:
        os.environ["KERAS_BACKEND"] = model["backend"]  # read when the module imports Keras
    module = importlib.import_module(FAMILIES[model["family"]])
    if model.get("backend", module.BACKEND) != module.BACKEND:
        raise UserError(
            f"Keras computes with {module.BACKEND} in this process already, not with "
            f"{model['backend']}. Start a process for each backend."
        )
    return module


def expected_parameters(model: Mapping, n_heads: int) -> int:
    """Number of weights of a model's network, within some three per cent, without building it."""
    return importlib.import_module(FACTS[model["family"]]).parameters(model, n_heads)


def values_per_pixel(model: Mapping, n_heads: int) -> float:
    """Values in all maps of a model's network for each pixel of its input, without building it."""
    return importlib.import_module(FACTS[model["family"]]).values(model, n_heads)


def description(model: Mapping) -> str:
    """What a model's network is, in a few words of Markdown."""
    return importlib.import_module(FACTS[model["family"]]).description(model)
