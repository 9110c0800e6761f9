"""The semantic heads a network can have: what each predicts and how it is computed from labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import compress, product

import numpy as np

from cellseg import targets
from cellseg.errors import UserError


@dataclass(frozen=True)
class Head:
    """One target map.

    Attributes
    ----------
    channels : number of channels; one means a regression, more a softmax
    target : function of a label image and the head's settings
        ``(labels (H, W) int32, **settings) -> (H, W) or (H, W, channels)``
    """

    channels: int
    target: Callable[..., np.ndarray]


# The order is that of heads in every run name, as in channels.USED.
HEADS: dict[str, Head] = {
    "inner-distance": Head(1, targets.inner_distance),
    "outer-distance": Head(1, targets.outer_distance),
    "fgbg": Head(2, targets.foreground),
    "pixelwise": Head(3, targets.pixelwise),
}


def split(name: str) -> list[str]:
    """Heads of a combination such as ``inner-distance+pixelwise``.

    Raises
    ------
    UserError
        A head is unknown, named twice, or the order is not that of :data:`HEADS`: each combination
        has one name, so that the same run is never trained under two.
    """
    heads = name.split("+")
    for head in heads:
        if head not in HEADS:
            raise UserError(f"heads '{name}': '{head}' is not one of {', '.join(HEADS)}.")
    canonical = "+".join(head for head in HEADS if head in heads)
    if name != canonical:
        raise UserError(f"heads '{name}': write it as '{canonical}'.")
    return heads


def compute(labels: np.ndarray, heads: Mapping[str, Mapping]) -> dict[str, np.ndarray]:
    """Target maps of one tile.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    heads : settings of each wanted head, passed to its target function

    Returns
    -------
    dict of head name to ndarray of shape (H, W, channels)
        float32 where there is one channel, else uint8
    """
    maps = {}
    for name, settings in heads.items():
        target = HEADS[name].target(labels, **settings)
        maps[name] = target.reshape(*labels.shape, HEADS[name].channels)
    return maps


def combinations() -> list[str]:
    """Names of all combinations of heads, such as ``inner-distance+pixelwise``."""
    heads = list(HEADS)
    chosen = product((False, True), repeat=len(heads))
    names = ("+".join(compress(heads, selectors)) for selectors in chosen)
    return [name for name in names if name]
