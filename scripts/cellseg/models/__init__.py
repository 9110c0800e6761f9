"""Model families, found here by name.

A family is a module, or an object ``FAMILY`` in one, that offers

``train(settings, train, validation, folder, resume, weights=None, start=None) -> DataFrame``
    trains on two streams (:class:`cellseg.training.batches.TileStream`), resumes from `resume`
    (:class:`cellseg.training.checkpoint.ResumeFolder`), writes ``weights.h5`` and
    ``tensorboard/`` into `folder` and returns the history; :func:`cellseg.training.loop.fit` does
    most of it;
    `start` (:class:`cellseg.training.start.Start`) is given only where the model starts from
    another run; :mod:`cellseg.models.starting` chooses the layers to take, freeze and slow down;
``Predictor(settings, folder)``
    loads that file; calling it with images ``(N, H, W, 1)`` float32 gives a dict of head name to
    ``(N, H, W, channels)`` float32;
``exportable(settings, folder, size) -> function, variables``
    the same on TensorFlow tensors, for export as a SavedModel; not asked of a family whose
    facts name a ``PREDICTOR``;
``parameters(settings) -> int``
    number of weights of the network;
``PREDICTS`` (optional)
    ``instances`` of a detector, whose predictor gives ``boxes(image)`` and ``masks(image, boxes)``
    (:class:`cellseg.targets.instances.Detector`), and which has ``streams(outlines)``: what
    makes its streams, with the arguments of :class:`cellseg.training.batches.TileStream`, from
    files of true cells;
``BACKEND``
    what it computes with;
``set_threads(threads)``
    called once, before anything else;
``device() -> str`` and ``versions() -> dict``
    for the provenance of a run.

The facts of a family are a module that describes a network by the settings of its model, without
building it:

``parameters(model, n_heads) -> int``
    number of its weights, within some three per cent;
``values(model, n_heads) -> float``
    number of values in all its maps for each pixel of the image;
``description(model) -> str``
    a few words in Markdown;
``PREDICTS`` (optional)
    ``maps``, the default, or ``instances``;
``START_FILES`` (optional)
    endings of the names of weight files that a training may start from, None for any;
    ``.h5`` and ``.hdf5`` by default;
``PREDICTOR`` and ``PACKAGES`` (optional)
    of a family that is exported as Python code: the module that has its ``Predictor``, and packages
    that this computes with. An export holds a copy of the module and of all that it imports, so it
    imports no code of training.

A new family in Keras 3 is a function that builds the network, these facts, a module with ::

    FAMILY = Keras3Family(network.build, stride=sizes.stride)

(:class:`cellseg.models.keras3.family.Keras3Family`), and an entry here. Its settings are an entry
in ``workflow/schemas/config.schema.yaml``. No other network is trained again.

Modules are imported when asked for: some bring TensorFlow along, which takes seconds.
"""

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from cellseg.errors import UserError

if TYPE_CHECKING:
    from cellseg.training.family import Family


@dataclass(frozen=True)
class Entry:
    """Where the code of a family is.

    Attributes
    ----------
    module : name of the module that is the family, or holds it
    facts : name of the module with its facts; it imports no deep-learning library, because a plan
        of the study asks it
    """

    module: str
    facts: str


FAMILIES: dict[str, Entry] = {
    "deepcell": Entry("cellseg.models.deepcell.family", facts="cellseg.models.panopticnet.sizes"),
    "panopticnet": Entry(
        "cellseg.models.panopticnet.family", facts="cellseg.models.panopticnet.sizes"
    ),
    "stardist": Entry("cellseg.models.stardist.family", facts="cellseg.models.stardist.sizes"),
    "cellpose": Entry("cellseg.models.cellpose.family", facts="cellseg.models.cellpose.sizes"),
    "cellpose-sam": Entry(
        "cellseg.models.cellpose_sam.family", facts="cellseg.models.cellpose_sam.sizes"
    ),
    "unet": Entry("cellseg.models.unet.family", facts="cellseg.models.unet.sizes"),
    **{
        name: Entry("cellseg.models.detectors.family", facts="cellseg.models.detectors.sizes")
        for name in ("maskrcnn", "retinamask", "centermask", "cascade")
    },
}
"""By name."""


def load(model: Mapping) -> "Family":
    """Import a model's family.

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
    module = importlib.import_module(FAMILIES[model["family"]].module)
    family = getattr(module, "FAMILY", module)
    if model.get("backend", family.BACKEND) != family.BACKEND:
        raise UserError(
            f"Keras computes with {family.BACKEND} in this process already, not with "
            f"{model['backend']}. Start a process for each backend."
        )
    return family


def expected_parameters(model: Mapping, n_heads: int) -> int:
    """Number of weights of a model's network, within some three per cent, without building it."""
    return _facts(model).parameters(model, n_heads)


def values_per_pixel(model: Mapping, n_heads: int) -> float:
    """Values in all maps of a model's network for each pixel of its input, without building it."""
    return _facts(model).values(model, n_heads)


def description(model: Mapping) -> str:
    """What a model's network is, in a few words of Markdown."""
    return _facts(model).description(model)


def predicts(model: Mapping) -> str:
    """What a model's network gives: ``maps`` or ``instances``."""
    return getattr(_facts(model), "PREDICTS", "maps")


def predictor_code(model: Mapping) -> tuple[str, tuple[str, ...]] | None:
    """Module of a model's ``Predictor`` and packages that this needs; None if it is exported as a
    SavedModel."""
    facts = _facts(model)
    return (facts.PREDICTOR, facts.PACKAGES) if hasattr(facts, "PREDICTOR") else None


def start_files(model: Mapping) -> Sequence[str] | None:
    """Endings of the names of weight files that a model may start from; None for any."""
    return getattr(_facts(model), "START_FILES", (".h5", ".hdf5"))


def needs_torch(family: str | None) -> bool:
    """Whether a family computes with torch, without TensorFlow; None is no family."""
    return family in FAMILIES and predictor_code({"family": family}) is not None


def _facts(model: Mapping) -> ModuleType:
    return importlib.import_module(FAMILIES[model["family"]].facts)
