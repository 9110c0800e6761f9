"""The semantic heads a network can have: what each predicts and how it is computed from labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cellseg.targets import transforms


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
    "inner-distance": Head(1, transforms.inner_distance),
    "outer-distance": Head(1, transforms.outer_distance),
    "fgbg": Head(2, transforms.foreground),
    "pixelwise": Head(3, transforms.pixelwise),
}


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
