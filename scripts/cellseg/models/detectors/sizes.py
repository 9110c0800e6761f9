"""Facts about detectors, by their settings: sizes and words. Imports no deep-learning library.

The networks' numbers were counted by building them on torch's device ``meta``; tests build each
preset and compare.
"""

from collections.abc import Mapping

from cellseg.models.detectors.presets import PRESETS, preset_name, resolved

__all__ = [
    "PACKAGES",
    "PREDICTOR",
    "PREDICTS",
    "PRESETS",
    "START_FILES",
    "description",
    "parameters",
    "values",
]

PREDICTS = "instances"
"""What these families give: boxes, scores and masks, not maps."""
PREDICTOR = "cellseg.models.detectors.predictor"
PACKAGES = ("torch", "torchvision", "timm")
"""What the predictor computes with."""
START_FILES = (".h5", ".hdf5", ".pt", ".pth", ".safetensors")

PARAMETERS = {
    ("maskrcnn", "resnet50"): 43_966_934,
    ("maskrcnn", "resnet50-livecell"): 43_969_504,
    ("maskrcnn", "small"): 12_308_950,
    ("retinamask", "resnet50"): 34_821_358,
    ("retinamask", "thesis"): 32_526_062,
    ("retinamask", "small"): 11_705_232,
    ("centermask", "v99"): 89_336_544,
    ("centermask", "v19-slim-dw"): 7_295_824,
    ("centermask", "small"): 2_802_574,
    ("cascade", "resnet50"): 71_770_594,
    ("cascade", "resnest200"): 120_358_028,
    ("cascade", "resnext152"): 186_333_143,
    ("cascade", "small"): 14_049_762,
}
"""Weights of each preset's network."""

VALUES = {
    ("maskrcnn", "resnet50"): 767,
    ("maskrcnn", "resnet50-livecell"): 802,
    ("maskrcnn", "small"): 182,
    ("retinamask", "resnet50"): 788,
    ("retinamask", "thesis"): 779,
    ("retinamask", "small"): 297,
    ("centermask", "v99"): 829,
    ("centermask", "v19-slim-dw"): 287,
    ("centermask", "small"): 329,
    ("cascade", "resnet50"): 767,
    ("cascade", "resnest200"): 3124,
    ("cascade", "resnext152"): 2732,
    ("cascade", "small"): 182,
}
"""Values in the outputs of backbone, pyramid and dense heads for each pixel of the image."""

V2_PARAMETERS = {"resnet50": 1_903_872, "resnet50-livecell": 1_903_872, "small": 119_360}
"""More with heads of the second version, by preset of Mask R-CNN."""
SCORING_PARAMETERS = {"v99": 16_259_329, "v19-slim-dw": 4_066_433, "small": 1_017_409}
"""Of the head of mask scoring, by preset of CenterMask."""
DEFORMABLE_PARAMETERS = {
    "resnet50": 871_263,
    "resnest200": 3_360_933,
    "resnext152": 11_447_541,
    "small": 435_618,
}
"""More with deformable convolutions, by preset of the cascade."""

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
