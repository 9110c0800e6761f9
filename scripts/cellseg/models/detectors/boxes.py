"""Boxes: anchors, coding against a reference, clipping and suppression."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchvision.ops import batched_nms

WIDEST = math.log(1000 / 16)
"""Of a coded side: no box grows more than that in one step."""


def anchors(features: Mapping[int, Tensor], settings: Mapping) -> list[Tensor]:
    """Anchors of each entry of ``anchor_levels``, centred on the pixels of the level's map.

    Parameters
    ----------
    features : maps by level
    settings : ``anchor_levels``, ``anchor_sizes`` (a side for each), ``anchor_ratios`` (height to
        width) and, where there are several sizes a place, ``anchor_scales``

    Returns
    -------
    list of tensor of shape (rows * columns * anchors of a place, 4), float32
    """
    shapes = [
        (scale / math.sqrt(ratio), scale * math.sqrt(ratio))
        for scale in settings.get("anchor_scales", [1])
        for ratio in settings["anchor_ratios"]
    ]
    found = []
    for level, size in zip(settings["anchor_levels"], settings["anchor_sizes"], strict=True):
        points = centres(features[level], level)
        sides = points.new_tensor(shapes) * size
        whole = torch.cat([-sides / 2, sides / 2], dim=1)
        found.append((points.repeat(1, 2)[:, None] + whole[None]).reshape(-1, 4))
    return found


def anchors_of_place(settings: Mapping) -> int:
    """Number of anchors of each pixel of a map."""
    return len(settings["anchor_ratios"]) * len(settings.get("anchor_scales", [1]))


def centres(feature: Tensor, level: int) -> Tensor:
    """Centres of a map's pixels in the image, row by row: tensor of shape (h * w, 2), x and y."""
    height, width = feature.shape[-2:]
    rows = (torch.arange(height, device=feature.device, dtype=torch.float32) + 0.5) * 2**level
    columns = (torch.arange(width, device=feature.device, dtype=torch.float32) + 0.5) * 2**level
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], dim=1)


def encode(boxes: Tensor, references: Tensor, weights: Sequence[float] = (1, 1)) -> Tensor:
    """Boxes as seen from references (Girshick et al., 2014): tensor of shape (n, 4).

    Parameters
    ----------
    weights : of shifts and of logarithms of sides
    """
    sides = (references[:, 2:] - references[:, :2]).clamp(min=1e-3)
    shift = (boxes[:, 2:] + boxes[:, :2] - references[:, 2:] - references[:, :2]) / 2 / sides
    growth = torch.log((boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3) / sides)
    return torch.cat([weights[0] * shift, weights[1] * growth], dim=1)


def decode(codes: Tensor, references: Tensor, weights: Sequence[float] = (1, 1)) -> Tensor:
    """Boxes from what :func:`encode` gives."""
    codes = codes.float()
    sides = references[:, 2:] - references[:, :2]
    middle = (references[:, 2:] + references[:, :2]) / 2 + codes[:, :2] / weights[0] * sides
    half = torch.exp((codes[:, 2:] / weights[1]).clamp(max=WIDEST)) * sides / 2
    return torch.cat([middle - half, middle + half], dim=1)


def clip(boxes: Tensor, shape: tuple[int, int]) -> Tensor:
    """Boxes cut to an image of `shape` (height, width)."""
    height, width = shape
    limits = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limits)


def suppress(
    boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float, number: int
) -> tuple[Tensor, Tensor]:
    """Non-maximum suppression within groups; the best `number` boxes and scores, best first.

    Boxes without area and scores that are not finite are left out.
    """
    good = ((boxes[:, 2:] - boxes[:, :2]) > 1e-2).all(dim=1) & torch.isfinite(scores)
    boxes, scores, groups = boxes[good], scores[good], groups[good]
    kept = batched_nms(boxes, scores, groups, threshold)[:number]
    return boxes[kept], scores[kept]


def best_of_levels(
    scores: Sequence[Tensor], number: int, floor: float
) -> list[tuple[Tensor, Tensor]]:
    """Indices and scores of the best `number` places of each level, above `floor`."""
    found = []
    for level in scores:
        value, at = level.topk(min(number, len(level)))
        above = value > floor
        found.append((at[above], value[above]))
    return found
