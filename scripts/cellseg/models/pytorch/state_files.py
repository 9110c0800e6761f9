"""A network of torch as a file: its state dict in HDF5."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

from cellseg.errors import UserError
from cellseg.io import atomic, hdf5_checks

FORMAT = "state dict of torch"


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
    hdf5_checks.refuse(path)
    with h5py.File(path, "r") as file:
        if file.attrs.get("format") != FORMAT:
            raise UserError(f"{path} holds no weights of a torch network. Train the run again.")
        state = {name: torch.from_numpy(np.asarray(file[name])) for name in file}
    own = model.state_dict()
    wrong = sorted(set(own) ^ set(state))
    wrong += [name for name in own if name in state and own[name].shape != state[name].shape]
    if wrong:
        raise UserError(
            f"{path} holds the weights of another network: {wrong[0]} and {len(wrong) - 1} more do "
            "not fit. Use the settings that it was trained with, or train it again."
        )
    model.load_state_dict(state)
