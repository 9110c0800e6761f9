"""Names of torchvision's detectors on a ResNet, in those of the detectors here."""

import re
from collections.abc import Mapping

from torch import Tensor

PARTS = {"backbone.body.": "features.backbone.", "backbone.fpn.": "features.fpn."}
"""Beginnings of the names of backbone and pyramid; the heads tell COCO's classes apart."""
FIRST = "features.backbone.conv1.weight"
_BLOCK = re.compile(r"(features\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)")
"""Of published files, from before convolutions of the pyramid could have a norm."""


def renamed(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """A state dict of torchvision under our names; any other as it is.

    The first convolution, of three colours, is summed, which is what it gives for a grey image in
    all three.
    """
    if not any(name.startswith(tuple(PARTS)) for name in state):
        return state
    found = {}
    for name, value in state.items():
        for theirs, ours in PARTS.items():
            if name.startswith(theirs):
                name = _BLOCK.sub(r"\1.0.\2", ours + name.removeprefix(theirs))
        found[name] = value
    if FIRST in found and found[FIRST].shape[1] > 1:
        found[FIRST] = found[FIRST].sum(dim=1, keepdim=True)
    return found
