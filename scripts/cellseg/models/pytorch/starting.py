"""A network of torch that starts from another run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from cellseg.models import starting
from cellseg.models.pytorch import state_files
from cellseg.training.start import Start

COUNTER = "num_batches_tracked"
"""Of a batch norm, which computes with it only without a momentum."""


@dataclass(frozen=True)
class Begun:
    """What a start means for the training of a network.

    Attributes
    ----------
    frozen, slow : names, in the state dict, of what stays as it is, and of what is trained at
        `rate` times the learning rate
    """

    frozen: frozenset[str] = frozenset()
    slow: frozenset[str] = frozenset()
    rate: float = 1


def begin(
    model: nn.Module,
    start: Start,
    backbone: str,
    heads: Sequence[str],
    renamed: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]],
) -> Begun:
    """Give a network the weights that are taken, and freeze layers.

    Parameters
    ----------
    backbone, heads : beginnings of the names of the layers of these parts
    renamed : a state dict with the names of this network, if it is of another program

    Raises
    ------
    UserError
        The file is none of weights or does not fit, or layers cannot be frozen; see
        :mod:`cellseg.models.starting`.
    """
    keys = _keys(model)
    layers = dict.fromkeys(layer for layer, _ in keys.values())
    part_of = starting.parts(
        layers,
        [layer for layer in layers if f"{layer}.".startswith(backbone)],
        [layer for layer in layers if f"{layer}.".startswith(tuple(heads))],
    )
    learning = [keys[name][0] for name, one in model.named_parameters() if one.requires_grad]
    frozen = set(starting.frozen(start, part_of, learning))
    taken = starting.taken(start, part_of)
    _load(model, start, taken, keys, renamed)
    for name, one in model.named_parameters():
        if keys[name][0] in frozen:
            one.requires_grad_(False)
    slow = set(taken) if start.rate != 1 else set()
    return Begun(
        frozenset(name for name, (layer, _) in keys.items() if layer in frozen),
        frozenset(name for name, (layer, _) in keys.items() if layer in slow),
        start.rate,
    )


def _load(
    model: nn.Module,
    start: Start,
    taken: Sequence[str],
    keys: Mapping[str, starting.Key],
    renamed: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]],
) -> None:
    own = {keys[name]: one for name, one in model.state_dict().items() if name in keys}
    given = {
        keys.get(name, _split(name)): one
        for name, one in renamed(state_files.read(start.path)).items()
        if not name.endswith(COUNTER)
    }
    wanted = starting.matching(
        start,
        taken,
        {key: tuple(one.shape) for key, one in own.items()},
        {key: tuple(one.shape) for key, one in given.items()},
    )
    for key in wanted:
        own[key].copy_(given[key])


def _keys(model: nn.Module) -> dict[str, starting.Key]:
    """Layer and weight of each name in the state dict; a weight of a module of layers is one."""
    modules = dict(model.named_modules())
    keys = {}
    for name in model.state_dict():
        if not name.endswith(COUNTER):
            layer, weight = _split(name)
            of_layers = next(modules[layer].children(), None) is not None
            keys[name] = (name, "") if of_layers else (layer, weight)
    return keys


def _split(name: str) -> starting.Key:
    layer, _, weight = name.rpartition(".")
    return layer, weight
