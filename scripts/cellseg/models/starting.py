"""Which layers of a network are taken from another run, frozen, or trained at a lower rate.

By names and shapes alone, for any library: a family gives the part that each of its layers belongs
to, and puts the weights where they go.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from cellseg.errors import UserError
from cellseg.io import run_files
from cellseg.training.start import KEY, Start

BACKBONE, HEADS, REST = "backbone", "heads", "rest"
"""Parts of a network: what makes features of the image, a target map's own layers, all others."""

LISTED = 12
"""Layers up to which a message lists all."""
NEAREST = 4
LISTS = (
    'To list the layers of a run: .venv/bin/python -c "import h5py; '
    f"h5py.File('RUN/{run_files.WEIGHTS}').visit(print)\""
)

Key = tuple[str, int | str]
"""Layer, and number or name of the weight within it."""


def parts(layers: Iterable[str], backbone: Iterable[str], heads: Iterable[str]) -> dict[str, str]:
    """The part of each layer with weights, in the order of the layers."""
    first, last = set(backbone), set(heads)
    return {name: BACKBONE if name in first else HEADS if name in last else REST for name in layers}


def taken(start: Start, part_of: Mapping[str, str]) -> list[str]:
    """Layers whose weights are taken.

    Raises
    ------
    UserError
        There are none.
    """
    wanted = {
        "all": {BACKBONE, REST, HEADS},
        "all-but-heads": {BACKBONE, REST},
        "backbone": {BACKBONE},
    }[start.take]
    found = [layer for layer, part in part_of.items() if part in wanted]
    if not found:
        raise UserError(
            f"{KEY}.take: this network has no part `{start.take}`. Take all, or all-but-heads."
        )
    return found


def frozen(start: Start, part_of: Mapping[str, str], learning: Iterable[str]) -> list[str]:
    """Layers that training leaves as they are.

    Parameters
    ----------
    learning : layers that training changes if none is frozen; others have fixed weights alone

    Raises
    ------
    UserError
        A pattern fits no layer, a layer to freeze is not taken, or nothing is left to train.
    """
    if start.freeze is None:
        return []
    if start.freeze == BACKBONE:
        found = [layer for layer, part in part_of.items() if part == BACKBONE]
        if not found:
            raise UserError(f"{KEY}.freeze: this network has no backbone. Name layers instead.")
    else:
        found = _named(start.freeze, part_of)
    at_random = sorted(set(found) - set(taken(start, part_of)))
    if at_random:
        raise UserError(
            f"{KEY}.freeze: {_some(at_random)} would stay at random: `take: {start.take}` does not "
            "take it. Freeze less, or take more."
        )
    if set(learning) <= set(found):
        raise UserError(f"{KEY}.freeze: nothing is left to train. Freeze fewer layers.")
    return found


def _named(patterns: Sequence[str], part_of: Mapping[str, str]) -> list[str]:
    for pattern in patterns:
        if not any(fnmatchcase(layer, pattern) for layer in part_of):
            raise UserError(
                f"{KEY}.freeze: no layer with weights is called '{pattern}'. "
                f"{_nearest(pattern, list(part_of))}"
            )
    return [layer for layer in part_of if any(fnmatchcase(layer, one) for one in patterns)]


def _nearest(pattern: str, layers: Sequence[str]) -> str:
    """What to say of a pattern that fits no layer: all layers of a few, else the nearest."""
    if len(layers) <= LISTED:
        return f"The network has {', '.join(layers)}."
    # A layer of torch is called like the modules that it is in, with dots between.
    names = [layer.split(".") for layer in layers]
    groups = [".".join(one[:depth]) for one in names for depth in range(1, len(one))]
    known = list(dict.fromkeys([*groups, *layers]))
    near = difflib.get_close_matches(pattern.rstrip("*."), known, n=NEAREST, cutoff=0.5)
    shown = [f"{one}.*" if one in groups else one for one in near]
    hint = f"Nearest: {', '.join(shown)}. " if shown else ""
    return f"{hint}The network has {len(layers)} layers. {LISTS}"


def matching(
    start: Start,
    layers: Sequence[str],
    own: Mapping[Key, tuple[int, ...]],
    found: Mapping[Key, tuple[int, ...]],
) -> list[Key]:
    """Weights to take: all of the given layers.

    Parameters
    ----------
    layers : of :func:`taken`
    own, found : shapes of the weights of the network and of the file, by layer and number or name

    Raises
    ------
    UserError
        The file lacks a weight of these layers, or has one more or one of another shape; of
        `take: all`, also where it has one more layer. Names layers and shapes.
    """
    chosen = set(layers)
    wanted = [key for key in own if key[0] in chosen]
    theirs, ours = ({layer for layer, _ in one} for one in (found, own))
    lacking = dict.fromkeys(layer for layer in layers if layer in ours - theirs)
    differing = {layer for layer, _ in own.keys() ^ found.keys()} & ours & theirs
    odd = [layer for layer in layers if layer in differing]
    shapes: dict[str, str] = {}
    for key in wanted:
        if found.get(key, own[key]) != own[key]:  # of a layer's, the first: kernel before bias
            words = f"{key[0]} {_shape(found[key])} instead of {_shape(own[key])}"
            shapes.setdefault(key[0], words)
    more = sorted(theirs - ours) if start.take == "all" else []
    wrong = [
        *([f"it has no layer {_some(list(lacking))}"] if lacking else []),
        *([f"of other shapes are {_some(list(shapes.values()))}"] if shapes else []),
        *([f"more or fewer weights are in {_some(odd)}"] if odd else []),
        *([f"the network has no layer {_some(more)}"] if more else []),
    ]
    if wrong:
        raise UserError(
            f"{KEY}: the weights of {start.name} do not fit this network (take: {start.take}): "
            f"{'; '.join(wrong)}. Give the model the settings of that run, or take less of it with "
            "`take: all-but-heads` or `take: backbone`."
        )
    return wanted


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
