"""Model families: each a module with ``train`` and ``Predictor``, found here by name.

A family module offers

``train(settings, train, validation, folder, weights=None) -> DataFrame``
    trains, writes ``weights.h5`` into `folder` and returns the history, one row an epoch;
``Predictor(settings, folder, window)``
    loads that file; calling it with tiles ``(N, window, window, 1)`` float32 gives a dict of head
    name to ``(N, window, window, channels)`` float32;
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
