"""``~`` at the start of a path in the configuration, which only a shell would replace."""

import os.path
from collections.abc import Mapping

from cellseg.data import kinds
from cellseg.errors import UserError
from cellseg.study.pseudo_labels import KEY as OF_SUBSETS
from cellseg.training.start import KEY

_OF_APPLY = ("run", "images", "output")
_OF_LABELS = ("path", "scores")


def expanded(study: Mapping) -> dict:
    """The complete configuration, with the home folder in paths of data sets and of ``apply``.

    Raises
    ------
    UserError
        A path is empty, which would be the checkout itself. Names the key.
    """
    datasets = {
        name: _with_home(f"datasets.{name}", entry, kinds.of(entry).paths)
        for name, entry in study["datasets"].items()
    }
    models = {
        name: _with_home(f"models.{name}", entry, _OF_LABELS)
        for name, entry in study["models"].items()
    }
    models = {
        name: {**entry, KEY: _with_home(f"models.{name}.{KEY}", entry[KEY], ("file",))}
        if entry.get(KEY)
        else entry
        for name, entry in models.items()
    }
    subsets = {
        name: {
            **entry,
            OF_SUBSETS: _with_home(f"subsets.{name}.{OF_SUBSETS}", entry[OF_SUBSETS], ("images",)),
        }
        if OF_SUBSETS in entry
        else entry
        for name, entry in study["subsets"].items()
    }
    applied = {key: _expand(value) if key in _OF_APPLY else value
               for key, value in study["apply"].items()}  # fmt: skip
    paths = {"datasets": datasets, "models": models, "subsets": subsets, "apply": applied}
    return {**study, **paths}


def _with_home(where: str, entry: Mapping, keys: tuple[str, ...]) -> dict:
    for key in keys:
        value = entry.get(key)
        inner = value if isinstance(value, Mapping) else {}
        empty = [f"{key}.{name}" for name, path in inner.items() if path == ""]
        if value == "" or empty:
            raise UserError(
                f"{where}.{empty[0] if empty else key}: the path is empty. Name a file or a folder."
            )
    return {key: _expand(value) if key in keys else value for key, value in entry.items()}


def _expand(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _expand(inner) for key, inner in value.items()}
    return os.path.expanduser(value) if isinstance(value, str) else value
