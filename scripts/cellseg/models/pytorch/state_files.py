"""A network of torch as a file: its state dict in HDF5, in an export as safetensors, and those of
other programs."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from cellseg.errors import UserError
from cellseg.io import atomic, run_files

if TYPE_CHECKING:
    import h5py

FORMAT = "state dict of torch"
NESTED = ("state_dict", "model", "model_state")
"""Keys under which training programs put a state dict."""
State = dict[str, torch.Tensor]


def write(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a state dict as HDF5; the file appears whole or not at all."""

    def fill(file: "h5py.File") -> None:
        file.attrs["format"] = FORMAT
        for name, value in state.items():
            file.create_dataset(name, data=value.detach().cpu().numpy())

    atomic.write_hdf5(path, fill)


def write_safetensors(path: Path, output: Path) -> None:
    """Write a file of :func:`write` as safetensors.

    Raises
    ------
    UserError
        It is no such file.
    """
    from safetensors.torch import save_file

    with atomic.replacing(output) as temporary:
        save_file(_read_hdf5(path), temporary, metadata={"format": "pt"})


def load(model: nn.Module, path: Path) -> None:
    """Give a network the weights of a file of :func:`write` or :func:`write_safetensors`.

    Raises
    ------
    UserError
        It is no such file, or of another network.
    """
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_hdf5(path)
    own = model.state_dict()
    wrong = sorted(set(own) ^ set(state))
    wrong += [name for name in own if name in state and own[name].shape != state[name].shape]
    if wrong:
        raise UserError(
            f"{path} holds the weights of another network: {wrong[0]} and {len(wrong) - 1} more do "
            "not fit. Use the settings that it was trained with, or train it again."
        )
    model.load_state_dict(state)


def load_run(model: nn.Module, folder: Path) -> None:
    """As :func:`load`, from the folder of a run, or from that of an export."""
    exported = folder / run_files.SAFETENSORS
    load(model, exported if exported.is_file() else folder / run_files.WEIGHTS)


def read(path: Path) -> State:
    """A state dict: a file of :func:`write`, one saved by ``torch.save``, or safetensors.

    Raises
    ------
    UserError
        It is none of these.
    """
    import h5py

    if h5py.is_hdf5(path):
        return _read_hdf5(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's own are many
        content = _read_safetensors(path, f"neither a state dict of torch ({error}) nor")
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


def _read_hdf5(path: Path) -> State:
    import h5py  # an export has safetensors, and computes without it

    from cellseg.io import hdf5_checks

    hdf5_checks.refuse(path)
    with h5py.File(path, "r") as file:
        if file.attrs.get("format") != FORMAT:
            raise UserError(
                f"{path} holds no weights of a torch network. Train the run again, or name "
                "another file."
            )
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file}


def _read_safetensors(path: Path, is_no: str = "no") -> State:
    """`is_no` : words of the error before what the file is not."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{path} is {is_no} safetensors ({error}). Fetch or copy it again, or name another "
            "file."
        ) from error
