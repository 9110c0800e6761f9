"""Feature pyramids on a backbone (Lin et al., 2017), and reading boxes from their levels."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork, roi_align
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7

from cellseg.models.detectors import backbones

EXTRA = {"none": 0, "pool": 1, "convolutions": 2}
"""Levels that each way adds above the backbone's."""


class Pyramid(nn.Module):
    """Backbone and pyramid: images ``(N, 1, H, W)`` to a dict of level to ``(N, C, h, w)``."""

    def __init__(self, settings: Mapping) -> None:
        super().__init__()
        self.backbone = backbones.build(settings)
        self.taken = tuple(settings["levels"])
        self.levels = all_levels(settings)
        width = settings["channels"]
        extra = {
            "none": lambda: None,
            "pool": LastLevelMaxPool,
            "convolutions": lambda: LastLevelP6P7(width, width),
        }[settings["extra"]]()
        channels = [self.backbone.channels[level] for level in self.taken]
        norm = backbones.group_norm if settings["norm"] == "group" else None
        self.fpn = FeaturePyramidNetwork(channels, width, extra, norm)

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Maps by level, the finest first."""
        found = self.backbone(images)
        maps = self.fpn({str(level): found[level] for level in self.taken})
        return dict(zip(self.levels, maps.values(), strict=True))


def all_levels(settings: Mapping) -> tuple[int, ...]:
    """Levels of a pyramid with those above the backbone."""
    taken = tuple(settings["levels"])
    return taken + tuple(range(taken[-1] + 1, taken[-1] + 1 + EXTRA[settings["extra"]]))


class Reader(nn.Module):
    """Read boxes from the level that suits their size, by RoIAlign (He et al., 2017).

    Parameters
    ----------
    size : pixels along each side of what is read
    levels : of the pyramid
    canonical_size : side of a box that is read from the coarsest of `levels`, pixels
    """

    def __init__(self, size: int, levels: Sequence[int], canonical_size: float) -> None:
        super().__init__()
        self.size, self.levels, self.canonical_size = size, tuple(levels), canonical_size

    def forward(self, features: Mapping[int, Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Values in boxes of each image: tensor of shape (sum of n, C, size, size)."""
        first = features[self.levels[0]]
        rows = torch.cat(
            [torch.cat([one.new_full((len(one), 1), n), one], 1) for n, one in enumerate(boxes)]
        ).to(first.dtype)
        level = self.level_of(rows[:, 1:])
        read = first.new_zeros((len(rows), first.shape[1], self.size, self.size))
        for number in self.levels:
            here = torch.nonzero(level == number)[:, 0]
            if len(here) == 0:
                continue
            found = roi_align(
                features[number], rows[here], self.size, 1 / 2**number,
                sampling_ratio=2, aligned=True,
            )  # fmt: skip
            read = read.index_put((here,), found.to(read.dtype))
        return read

    def level_of(self, boxes: Tensor) -> Tensor:
        """Level of each box: one finer for each halving of its side."""
        sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3).prod(dim=1).sqrt()
        level = self.levels[-1] + torch.floor(torch.log2(sides / self.canonical_size) + 1e-6)
        return level.clamp(self.levels[0], self.levels[-1]).long()
