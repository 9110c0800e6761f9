"""The instance detectors that a study can name, as data. Imports no deep-learning library.

A preset is a complete set of a network's settings. A model names its ``family`` and a ``preset``.
It may replace the settings that :data:`OPTIONS` lists for its family (:func:`resolved`).

Lengths are pixels of the image. Levels of the pyramid are numbers n of stride ``2**n``.

``backbone``
    a name in :mod:`cellseg.models.detectors.backbones`
``channels``
    of the pyramid
``levels``, ``extra``
    levels that come from the backbone, and coarser ones above: ``none``, ``pool`` (one, by pooling,
    as in Mask R-CNN) or ``convolutions`` (two, as in RetinaNet)
``mask_levels``, ``mask_convolutions``, ``canonical_size``
    levels that masks are read from, convolutions of the mask head, and the side of a box that is
    read from the coarsest of them
``score_threshold``, ``nms_threshold``, ``detections``
    of predictions; 0.05 and 2,000 in LIVECell's protocol
``candidates``
    boxes before non-maximum suppression and after it, in training and in prediction
``masks``
    largest number of cells of an image that the mask head is trained on in a step
"""

from collections.abc import Mapping
from typing import Any

from cellseg.errors import UserError

LIVECELL_ANCHORS = {"anchor_sizes": [4, 9, 17, 31, 64, 127], "anchor_levels": [2, 2, 3, 4, 5, 6],
                    "anchor_ratios": [0.25, 0.5, 1, 2, 4]}  # fmt: skip
"""Of LIVECell's anchor-based models: P2 twice, once for each of the two smallest sizes."""

PREDICTION = {"score_threshold": 0.05, "nms_threshold": 0.6, "detections": 2000}

# ---------------------------------------------------------------- two stages: proposals, then boxes

TWO_STAGES = {
    **PREDICTION,
    "backbone": "resnet50", "channels": 256, "levels": [2, 3, 4, 5], "extra": "pool",
    "anchor_sizes": [32, 64, 128, 256, 512], "anchor_levels": [2, 3, 4, 5, 6],
    "anchor_ratios": [0.5, 1, 2],
    "candidates": [[2000, 2000], [1000, 1000]], "proposal_nms": 0.7,
    "proposal_convolutions": 1, "proposal_samples": 256,
    "box_head": "two-linear", "box_width": 1024, "box_samples": 512, "stages": [0.5],
    "canonical_size": 224, "mask_levels": [2, 3, 4, 5], "mask_convolutions": 4,
    "mask_width": 256, "mask_norm": False, "masks": 128, "nms_threshold": 0.5, "deformable": False,
}  # fmt: skip
SMALL_TWO_STAGES = {
    **TWO_STAGES,
    "backbone": "resnet18", "channels": 64, "levels": [2, 3, 4], "extra": "none",
    "anchor_sizes": [12, 24, 48], "anchor_levels": [2, 3, 4],
    "box_width": 256, "mask_levels": [2, 3], "mask_convolutions": 2, "mask_width": 64,
    "canonical_size": 48, "candidates": [[1000, 500], [2000, 2000]],
    "proposal_samples": 256, "box_samples": 128, "masks": 64,
}  # fmt: skip
V2 = {"proposal_convolutions": 2, "box_head": "four-convolutions", "mask_norm": True}
"""Heads of the second version of torchvision's Mask R-CNN."""
CASCADE = {**TWO_STAGES, "stages": [0.5, 0.6, 0.7]}

# ---------------------------------------------------------------- one stage: boxes, then masks

RETINAMASK = {
    **PREDICTION,
    "backbone": "resnet50", "channels": 256, "levels": [3, 4, 5], "extra": "convolutions",
    "anchor_sizes": [32, 64, 128, 256, 512], "anchor_levels": [3, 4, 5, 6, 7],
    "anchor_ratios": [0.5, 1, 2], "anchor_scales": [1, 2 ** (1 / 3), 2 ** (2 / 3)],
    "nms_threshold": 0.5, "candidates": [[1000, 1000], [2000, 2000]],
    "mask_levels": [3, 4, 5], "mask_convolutions": 4, "mask_width": 256, "canonical_size": 224,
    "masks": 128, "mask_scoring": False,
}  # fmt: skip
CENTERMASK = {
    **PREDICTION,
    "backbone": "vovnet99b", "channels": 256, "levels": [3, 4, 5], "extra": "convolutions",
    "ranges": [64, 128, 256, 512], "tower": 4,
    "candidates": [[2000, 15000], [4000, 3000]],
    "mask_levels": [3, 4, 5], "mask_convolutions": 4, "mask_width": 256, "canonical_size": 448,
    "masks": 128, "mask_scoring": True,
}  # fmt: skip

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "maskrcnn": {
        "resnet50": TWO_STAGES,
        "resnet50-livecell": {**TWO_STAGES, **LIVECELL_ANCHORS, "detections": 3000,
                              "candidates": [[12000, 3000], [6000, 3000]]},
        "small": SMALL_TWO_STAGES,
    },
    "retinamask": {
        "resnet50": RETINAMASK,
        # The thesis: "anchors of sizes 16 and 32" on the third and fourth level of the pyramid.
        "thesis": {**RETINAMASK, "levels": [3, 4], "extra": "none", "anchor_sizes": [16, 32],
                   "anchor_levels": [3, 4], "mask_levels": [3, 4], "canonical_size": 64},
        "small": {**RETINAMASK, "backbone": "resnet18", "channels": 64, "levels": [2, 3, 4],
                  "extra": "none", "anchor_sizes": [12, 24, 48], "anchor_levels": [2, 3, 4],
                  "anchor_scales": [1], "mask_levels": [2, 3], "mask_convolutions": 2,
                  "mask_width": 64, "canonical_size": 48, "masks": 64},
    },
    "centermask": {
        "v99": CENTERMASK,
        "v19-slim-dw": {**CENTERMASK, "backbone": "vovnet19b-slim-dw", "channels": 128,
                        "tower": 2, "mask_convolutions": 2, "mask_width": 128},
        "small": {**CENTERMASK, "backbone": "vovnet19b-slim-dw", "channels": 64, "tower": 2,
                  "levels": [2, 3, 4], "extra": "none", "ranges": [24, 48],
                  "candidates": [[1000, 1000], [4000, 3000]], "mask_levels": [2, 3],
                  "mask_convolutions": 2, "mask_width": 64, "canonical_size": 48, "masks": 64},
    },
    "cascade": {
        "resnet50": CASCADE,
        "resnest200": {**CASCADE, **LIVECELL_ANCHORS, "backbone": "resnest200",
                       "candidates": [[12000, 3000], [6000, 3000]], "detections": 3000,
                       "box_head": "four-convolutions"},
        # Anchors of the write-up: "smaller anchor sizes (8, 16, 32, 64, 128)".
        "resnext152": {**CASCADE, "backbone": "resnext152",
                       "anchor_sizes": [8, 16, 32, 64, 128], "box_head": "four-convolutions",
                       "mask_convolutions": 8, "mask_norm": True, "deformable": True},
        "small": {**SMALL_TWO_STAGES, "stages": [0.5, 0.6, 0.7]},
    },
}  # fmt: skip
"""By family and name; the first of each family is the default."""

COMMON = ("norm", "pretrained", "score_threshold", "nms_threshold", "detections", "masks")
OPTIONS = {
    "maskrcnn": (*COMMON, "v2_heads"),
    "retinamask": COMMON,
    "centermask": (*COMMON, "mask_scoring"),
    "cascade": (*COMMON, "deformable"),
}
"""Settings of a model that replace those of its preset, by family.

``norm``
    ``frozen`` batch norm, as it was pretrained, or ``group`` norm, for training from scratch; by
    default frozen with pretrained weights and group without
``pretrained``
    whether the backbone starts from pretrained weights
``v2_heads``
    heads of torchvision's second version (:data:`V2`)
``mask_scoring``
    scores multiplied by a predicted IoU of the mask
``deformable``
    deformable convolutions in C3 to C5
"""


def preset_name(model: Mapping) -> str:
    """The preset of a model: the one it names or its family's first."""
    return model.get("preset") or next(iter(PRESETS[model["family"]]))


def with_pretrained(model: Mapping) -> dict[str, Any]:
    """An entry of ``models`` for :func:`resolved`: its norms depend on its `weights`."""
    return {**model, "pretrained": model.get("weights") is not None}


def of_backbone(model: Mapping) -> dict[str, Any]:
    """Settings that the layers of the backbone of an entry of ``models`` depend on."""
    settings = resolved(with_pretrained(model))
    return {key: settings.get(key, False) for key in ("backbone", "norm", "deformable")}


def resolved(model: Mapping) -> dict[str, Any]:
    """All settings of a network.

    Parameters
    ----------
    model : ``family``, and any of ``preset`` and the family's :data:`OPTIONS`

    Raises
    ------
    UserError
        The family has no such preset.
    """
    family, name = model["family"], preset_name(model)
    if name not in PRESETS[family]:
        raise UserError(
            f"preset {name!r} of family {family!r} is unknown. Use one of "
            f"{', '.join(sorted(PRESETS[family]))}."
        )
    given = {key: model[key] for key in OPTIONS[family] if model.get(key) is not None}
    heads = V2 if given.pop("v2_heads", False) else {}
    settings = {**PRESETS[family][name], **heads, **given}
    settings.setdefault("pretrained", False)
    settings.setdefault("norm", "frozen" if settings["pretrained"] else "group")
    return settings
