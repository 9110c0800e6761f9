"""Model families: each a module with ``train`` and ``Predictor``, found here by name.

A family module offers

``train(settings, train, validation, folder, resume, weights=None) -> DataFrame``
    trains on two streams (:class:`cellseg.stream.TileStream`), goes on from `resume`
    (:class:`cellseg.resume.ResumeFolder`), writes ``weights.h5`` and ``tensorboard/`` into
    `folder` and returns the history; :func:`cellseg.training.fit` does most of it;
``Predictor(settings, folder, window)``
    loads that file; calling it with tiles ``(N, window, window, 1)`` float32 gives a dict of head
    name to ``(N, window, window, channels)`` float32;
``parameters(settings) -> int``
    number of weights of the network;
``set_threads(threads)``
    called once, before anything else;
``device() -> str`` and ``versions() -> dict``
    for the provenance of a run.

Modules are imported when asked for: some bring TensorFlow along, which takes seconds.
"""

import importlib
from types import ModuleType

from cellseg.errors import UserError

FAMILIES: dict[str, str] = {"deepcell": "cellseg.families.deepcell"}


def load(name: str) -> ModuleType:
    """Import the module of the family `name`."""
    if name not in FAMILIES:
        raise UserError(f"model family '{name}' is not one of {', '.join(FAMILIES)}.")
    return importlib.import_module(FAMILIES[name])
