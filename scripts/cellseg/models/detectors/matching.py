"""Which true box each anchor, point or proposal learns, in bounded memory.

A frame has some 2,500 cells and 100,000 anchors. Their IoU at once would be a gigabyte; here at
most :data:`PAIRS` pairs are held at a time.
"""

import torch
from torch import Tensor
from torchvision.ops import box_iou

PAIRS = 4_000_000
"""Pairs of a box and an anchor or point that are compared at a time; 16 MB a float of each."""
NONE, BETWEEN = -1, -2
"""An anchor that is background, and one that is ignored."""


def match(
    boxes: Tensor, anchors: Tensor, high: float, low: float, keep_best: bool = False
) -> Tensor:
    """True box of each anchor.

    Parameters
    ----------
    boxes : tensor of shape (n, 4)
    anchors : tensor of shape (m, 4)
    high, low : IoU from which an anchor is a cell, and below which it is background
    keep_best : also match the anchors that overlap a box most of all, whatever their IoU

    Returns
    -------
    tensor of shape (m,), int64 : index of the box, :data:`NONE` or :data:`BETWEEN`
    """
    if len(boxes) == 0:
        return anchors.new_full((len(anchors),), NONE, dtype=torch.int64)
    best_of_anchor, index = [], []
    best_of_box = anchors.new_zeros(len(boxes))
    for part in _parts(anchors, len(boxes)):
        overlaps = box_iou(boxes, part)
        value, at = overlaps.max(dim=0)
        best_of_anchor.append(value)
        index.append(at)
        best_of_box = torch.maximum(best_of_box, overlaps.max(dim=1).values)
    best, nearest = torch.cat(best_of_anchor), torch.cat(index)
    matched = torch.where(best < low, NONE, torch.where(best < high, BETWEEN, nearest))
    if keep_best:
        found = []
        for part in _parts(anchors, len(boxes)):
            overlaps = box_iou(boxes, part)
            found.append(((overlaps == best_of_box[:, None]) & (overlaps > 0)).any(dim=0))
        matched = torch.where(torch.cat(found), nearest, matched)
    return matched


def match_points(
    boxes: Tensor, points: Tensor, smallest: Tensor, largest: Tensor, radius: Tensor
) -> Tensor:
    """True box of each point (Tian et al., 2019, with sampling near the centre).

    A point learns the smallest box whose centre is within `radius` along each axis, that contains
    it, and whose farthest side lies within the range of the point's level.

    Parameters
    ----------
    boxes : tensor of shape (n, 4)
    points : tensor of shape (m, 2); x and y
    smallest, largest, radius : tensors of shape (m,); pixels, by the level of the point

    Returns
    -------
    tensor of shape (m,), int64 : index of the box or :data:`NONE`
    """
    if len(boxes) == 0:
        return points.new_full((len(points),), NONE, dtype=torch.int64)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    centres = (boxes[:, 2:] + boxes[:, :2]) / 2
    found = []
    rows = torch.cat([points, smallest[:, None], largest[:, None], radius[:, None]], dim=1)
    for part in _parts(rows, 4 * len(boxes)):
        at = part[:, None, :2]
        near_side = torch.minimum(at - boxes[None, :, :2], boxes[None, :, 2:] - at).amin(dim=2)
        far_side = torch.maximum(at - boxes[None, :, :2], boxes[None, :, 2:] - at).amax(dim=2)
        away = (at - centres[None]).abs().amax(dim=2)
        fits = (near_side > 0) & (away < part[:, 4:5])
        fits &= (far_side >= part[:, 2:3]) & (far_side < part[:, 3:4])
        area, box = torch.where(fits, areas[None], torch.inf).min(dim=1)
        found.append(torch.where(torch.isinf(area), NONE, box))
    return torch.cat(found)


def sample(matched: Tensor, number: int, share: float) -> tuple[Tensor, Tensor]:
    """Draw cells and background at random: at most a `share` of `number` is cells.

    Returns
    -------
    indices of cells and of background, int64
    """
    cells = _drawn(torch.nonzero(matched >= 0)[:, 0], int(number * share))
    return cells, _drawn(torch.nonzero(matched == NONE)[:, 0], number - len(cells))


def _drawn(indices: Tensor, number: int) -> Tensor:
    if len(indices) <= number:
        return indices
    # Drawn on the CPU, so that the same seed draws the same on any device.
    return indices[torch.randperm(len(indices))[:number].to(indices.device)]


def _parts(rows: Tensor, columns: int) -> tuple[Tensor, ...]:
    return rows.split(max(1, PAIRS // columns))
