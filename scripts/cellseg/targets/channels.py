"""The channels of each head: what they are called, and which of them the watershed uses.

Imports nothing of the package: what goes by these names need not change when targets do.
"""

from collections.abc import Container

USED = {
    "inner-distance": (0,),
    "outer-distance": (0,),
    "flows": (),
    "center-distance": (),
    "boundary-distance": (),
    "fgbg": (1,),
    "pixelwise": (1,),
    "star-distances": (),
    "object-probability": (),
}
"""Of each head the channels that the watershed uses; the order is that of heads in run names."""
NAMES = {
    "inner-distance": ("inner_distance",),
    "outer-distance": ("outer_distance",),
    "flows": ("flow_down", "flow_right"),
    "center-distance": ("center_distance",),
    "boundary-distance": ("boundary_distance",),
    "fgbg": ("fgbg_background", "fgbg_foreground"),
    "pixelwise": ("pixelwise_boundary", "pixelwise_interior", "pixelwise_background"),
    "star-distances": tuple(f"star_distance_{ray}" for ray in range(32)),
    "object-probability": ("object_probability",),
}
"""Of each head the names of all its channels, as identifiers."""

OF_DEEPCELL = ("inner-distance", "outer-distance", "fgbg", "pixelwise")
"""Heads of the package deepcell: its network predicts no others, with one channel as a regression
and several as a softmax. Only these may be warped or squeezed with the image once computed."""

# Best first (the design's choice).
DISTANCES = ("inner-distance", "outer-distance")
MASKS = ("pixelwise", "fgbg", "outer-distance", "inner-distance")
CONFIDENCE = {
    "pixelwise": "the interior probability",
    "fgbg": "the foreground probability",
    "outer-distance": "the outer distance",
    "inner-distance": "the inner distance",
    "object-probability": "the object probability",
}
"""Of each head that can be the mask, its map in words: cells are ranked by its mean."""


def marker_head(heads: Container[str]) -> str | None:
    """Head whose peaks are the cells: a distance, else the mask itself; None if none can serve."""
    return next((head for head in DISTANCES if head in heads), mask_head(heads))


def mask_head(heads: Container[str]) -> str | None:
    """Head that separates cells from background; None if none of `heads` can."""
    return next((head for head in MASKS if head in heads), None)
