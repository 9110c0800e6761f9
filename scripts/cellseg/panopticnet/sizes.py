"""What a PanopticNet is, and how many weights it has. Imports no deep-learning library."""

from collections.abc import Mapping

from cellseg.panopticnet.declarations import declared

HEAD_PARAMETERS, LEVEL_PARAMETERS = 119_745, 36_864
"""Of a head, and of each doubling between the level that feeds it and the image."""


def parameters(model: Mapping, n_heads: int) -> int:
    """Number of weights, within some three per cent for any levels and heads.

    Parameters
    ----------
    model : settings ``backbone`` and ``backbone_levels``
    n_heads : number of heads
    """
    finest = min(int(level[1]) for level in model["backbone_levels"])
    of_heads = n_heads * (HEAD_PARAMETERS + finest * LEVEL_PARAMETERS)
    return declared(model["backbone"]).parameters + of_heads


def description(model: Mapping) -> str:
    """What the network is, in a few words of Markdown."""
    levels = ", ".join(model["backbone_levels"])
    return f"PanopticNet (`{model['family']}`), backbone `{model['backbone']}`, levels {levels}"
