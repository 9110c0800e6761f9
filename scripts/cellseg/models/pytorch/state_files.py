"""A network of torch as a file: its state dict in HDF5, and those of other programs."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

from cellseg.errors import UserError
from cellseg.io import atomic, hdf5_checks

FORMAT = "state dict of torch"
NESTED = ("state_dict", "model", "model_state")
"""Keys under which training programs put a state dict."""


def write(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a state dict; the file appears whole or not at all."""

    def fill(file: h5py.File) -> None:
        file.attrs["format"] = FORMAT
        for name, value in state.items():
            file.create_dataset(name, data=value.detach().cpu().numpy())

    atomic.write_hdf5(path, fill)


def load(model: nn.Module, path: Path) -> None:
    """Give a network the weights of a file of :func:`write`.

    Raises
    ------
    UserError
        It is no such file, or of another network.
    """
    state = _of_hdf5(path)
    own = model.state_dict()
    wrong = sorted(set(own) ^ set(state))
    wrong += [name for name in own if name in state and own[name].shape != state[name].shape]
    if wrong:
        raise UserError(
            f"{path} holds the weights of another network: {wrong[0]} and {len(wrong) - 1} more do "
            "not fit. Use the settings that it was trained with, or train it again."
        )
    model.load_state_dict(state)


def read(path: Path) -> dict[str, torch.Tensor]:
    """A state dict: a file of :func:`write`, one saved by ``torch.save``, or safetensors.

    Raises
    ------
    UserError
        It is none of these.
    """
    if h5py.is_hdf5(path):
        return _of_hdf5(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's own are many
        content = _of_safetensors(path, error)
    for name in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds no state dict of torch. Name another file.")
    return {
        name.removeprefix("module."): value
        for name, value in content.items()
        if isinstance(value, torch.Tensor)
    }


def _of_hdf5(path: Path) -> dict[str, torch.Tensor]:
    hdf5_checks.refuse(path)
    with h5py.File(path, "r") as file:
        if file.attrs.get("format") != FORMAT:
            raise UserError(
                f"{path} holds no weights of a torch network. Train the run again, or name "
                "another file."
            )
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file}


def _of_safetensors(path: Path, error: Exception) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception:
        raise UserError(
            f"{path} is neither a state dict of torch ({error}) nor safetensors. Fetch or copy it "
            "again, or name another file."
        ) from error
