"""Facts about detectors, by their settings: sizes and words. Imports no deep-learning library.

The networks' numbers were counted by building them on torch's device ``meta``; tests build each
preset and compare.
"""

from collections.abc import Mapping

from cellseg.models.detectors.presets import PRESETS, preset_name, resolved

__all__ = ["PREDICTS", "PRESETS", "description", "parameters", "values"]

PREDICTS = "instances"
"""What these families give: boxes, scores and masks, not maps."""

PARAMETERS: dict[tuple[str, str], int] = {}
"""Weights of each preset's network."""

VALUES: dict[tuple[str, str], float] = {}
"""Values in the outputs of backbone, pyramid and dense heads for each pixel of the image."""

V2_PARAMETERS: dict[str, int] = {}
SCORING_PARAMETERS: dict[str, int] = {}
DEFORMABLE_PARAMETERS: dict[str, int] = {}

WORDS = {
    "maskrcnn": "Mask R-CNN",
    "retinamask": "RetinaMask",
    "centermask": "CenterMask",
    "cascade": "Cascade Mask R-CNN",
}


def parameters(model: Mapping, n_heads: int) -> int:
    """Number of weights, within some three per cent.

    Parameters
    ----------
    model : settings, see :mod:`cellseg.models.detectors.presets`
    n_heads : ignored; a detector has one output
    """
    del n_heads
    family, name = model["family"], preset_name(model)
    settings, plain = resolved(model), PRESETS[family].get(name, {})
    total = PARAMETERS[family, name]
    if model.get("v2_heads"):
        total += V2_PARAMETERS[name]
    if settings.get("mask_scoring") != plain.get("mask_scoring"):
        total += SCORING_PARAMETERS[name] * (1 if settings["mask_scoring"] else -1)
    if settings.get("deformable") != plain.get("deformable"):
        total += DEFORMABLE_PARAMETERS[name] * (1 if settings["deformable"] else -1)
    return total


def values(model: Mapping, n_heads: int) -> float:
    """Values in all maps of the network for each pixel of its input; parameters as above."""
    del n_heads
    resolved(model)  # refuses an unknown preset
    return VALUES[model["family"], preset_name(model)]


def description(model: Mapping) -> str:
    """What the network is, in a few words of Markdown."""
    settings = resolved(model)
    words = f"{WORDS[model['family']]} (`{preset_name(model)}`), backbone `{settings['backbone']}`"
    extras = [
        word
        for word, present in (
            ("heads of version 2", model.get("v2_heads")),
            ("mask scoring", settings.get("mask_scoring")),
            ("deformable convolutions", settings.get("deformable")),
        )
        if present
    ]
    return ", ".join([words, *extras])
