"""``~`` at the start of a path in the configuration, which only a shell would replace."""

import os.path
from collections.abc import Mapping

from cellseg.data import kinds
from cellseg.study.pseudo_labels import KEY as OF_SUBSETS
from cellseg.training.start import KEY

_OF_APPLY = ("run", "images", "output")
_OF_LABELS = ("path", "scores")


def expanded(study: Mapping) -> dict:
    """The complete configuration, with the home folder in paths of data sets and of ``apply``."""
    datasets = {
        name: _with_home(entry, kinds.of(entry).paths) for name, entry in study["datasets"].items()
    }
    models = {name: _with_home(entry, _OF_LABELS) for name, entry in study["models"].items()}
    models = {
        name: {**entry, KEY: _with_home(entry[KEY], ("file",))} if entry.get(KEY) else entry
        for name, entry in models.items()
    }
    subsets = {
        name: {**entry, OF_SUBSETS: _with_home(entry[OF_SUBSETS], ("images",))}
        if OF_SUBSETS in entry
        else entry
        for name, entry in study["subsets"].items()
    }
    applied = _with_home(study["apply"], _OF_APPLY)
    paths = {"datasets": datasets, "models": models, "subsets": subsets, "apply": applied}
    return {**study, **paths}


def _with_home(entry: Mapping, keys: tuple[str, ...]) -> dict:
    return {key: _expand(value) if key in keys else value for key, value in entry.items()}


def _expand(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _expand(inner) for key, inner in value.items()}
    return os.path.expanduser(value) if isinstance(value, str) else value
