"""Keras weight files in HDF5, read without Keras: ours, deepcell's, those of Keras' networks."""

import re
from pathlib import Path

import h5py
import numpy as np

from cellseg.errors import UserError
from cellseg.io import hdf5_checks
from cellseg.training.start import KEY, Start

Weights = dict[tuple[str, int], np.ndarray]
"""By layer and number of the weight within the layer."""

_NUMBERED = re.compile(r"(conv2d|batch_normalization|normalization)(?:_(\d+))?")


def read_start(start: Start) -> Weights:
    """Weights that a training starts from, see :func:`read`.

    Raises
    ------
    UserError
        They are those of a network of torch, or no weights.
    """
    if start.path.suffix == ".safetensors":
        raise UserError(
            f"{KEY}: {start.name} holds a network of torch, whose weights do not fit one of Keras. "
            "Start from an export of a run of the same family."
        )
    return read(start.path)


def read(path: Path) -> Weights:
    """Weights of an HDF5 file of this module, of deepcell or of ``keras.applications``.

    Raises
    ------
    UserError
        It is no such file, or its data do not all lie in it.
    """
    hdf5_checks.refuse(path)
    try:
        with h5py.File(path, "r") as file:
            group = file.get("model_weights", file)
            names = [_text(name) for name in group.attrs["layer_names"]]
            found = {}
            for name, common in zip(names, common_names(names), strict=True):
                for number, weight in enumerate(group[name].attrs["weight_names"]):
                    value = group[name][_text(weight)][()]
                    if not isinstance(value, (np.ndarray, np.number)):
                        raise TypeError(f"'{_text(weight)}' is no array of numbers")
                    found[common, number] = np.asarray(value)
            return found
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} is not a Keras weight file ({error}). Copy or make it again."
        ) from error


def common_names(names: list[str]) -> list[str]:
    """Names without what differs between versions of Keras.

    DenseNet's stem is ``conv1/conv`` or ``conv1_conv``; layers without their own name are
    numbered on from wherever the session stood.
    """
    numbered: dict[str, list[int]] = {}
    for name in names:
        if match := _NUMBERED.fullmatch(name):
            numbered.setdefault(match[1], []).append(int(match[2] or 0))
    common = []
    for name in names:
        if match := _NUMBERED.fullmatch(name):
            place = sorted(numbered[match[1]]).index(int(match[2] or 0))
            name = f"{match[1]}_{place}" if place else match[1]
        common.append(name.replace("/", "_"))
    return common


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
