"""Weights of others that fit the backbone of a detector."""

from pathlib import Path

import torch
from torch import nn

from cellseg.errors import UserError
from cellseg.models.pytorch import state_files

PREFIXES = ("module.", "backbone.", "encoder.", "body.")
"""Of names in files of others, where the network is a part of another one."""
LEAST_TAKEN = 0.9
"""Share of a backbone's tensors that a file of pretrained weights must give."""
CLASSIFIERS = ("fc.", "head.", "classifier.")
"""Beginnings of names of layers that tell ImageNet's classes, which a backbone does not have."""


def load(model: nn.Module, path: Path) -> None:
    """Give the backbone of a network pretrained weights, by the names that its library uses.

    Weights of a first layer for three channels are summed, which is what it gives for a grey image
    in all three. Layers for classes are left out.

    Parameters
    ----------
    model : a network with a module ``backbone``, itself or within ``features``
    path : a state dict, saved by ``torch.save`` or as safetensors

    Raises
    ------
    UserError
        The file cannot be read, or fits less than nine tenths of the backbone.
    """
    backbone = _backbone(model)
    own, given = backbone.state_dict(), _read(path)
    wanted = [name for name in own if not name.endswith("num_batches_tracked")]
    taken = {}
    for name in wanted:
        value = given.get(name, given.get(_bare(name)))
        if value is not None and value.ndim == 4 and own[name].shape[1] == 1 < value.shape[1]:
            value = value.sum(dim=1, keepdim=True)
        if value is not None and value.shape == own[name].shape:
            taken[name] = value.to(own[name].dtype)
    if len(taken) < LEAST_TAKEN * len(wanted):
        missing = next(name for name in wanted if name not in taken)
        raise UserError(
            f"{path} fits {len(taken)} of the {len(wanted)} tensors of the backbone; it lacks "
            f"{missing}, for one. Name weights of that backbone under `pretrained`, in the names "
            "of torchvision or timm."
        )
    backbone.load_state_dict(taken, strict=False)
    print(f"Backbone: {len(taken)} of {len(wanted)} tensors from {path}.", flush=True)


def _backbone(model: nn.Module) -> nn.Module:
    for name, module in model.named_modules():
        if name.split(".")[-1] == "backbone":
            return module
    raise TypeError("the network has no module `backbone`")


def _read(path: Path) -> dict[str, torch.Tensor]:
    found = {_bare(name): value for name, value in state_files.read(path).items()}
    return {name: value for name, value in found.items() if not name.startswith(CLASSIFIERS)}


def _bare(name: str) -> str:
    """A name without the prefix of the network that it was a part of."""
    while name.startswith(PREFIXES):
        name = name.partition(".")[2]
    return name
