"""Detections of several networks as one: cells that they agree on, fused.

As weighted boxes fusion (Solovyev, Wang and Gabruseva, 2021), with masks: two detections are one
cell if their masks overlap, and boxes, masks and scores of a cell are means weighted by the scores.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit

from cellseg.targets.instances import SIDE, WHITE, Detections, rounded

SAME = 0.5
"""IoU of masks from which two detections are the same cell."""
FLOOR = 0.05
"""Detections with a lower fused score are dropped; that of LIVECell's protocol."""


def fused(found: Sequence[Detections]) -> Detections:
    """The cells of an image that several networks found.

    The most confident detection that is left begins a cell. Of each other network joins the one
    whose mask overlaps its mask most, by an IoU of 0.5 or more.

    Parameters
    ----------
    found : of each network, in the same image

    Returns
    -------
    Detections
        The best first. The score of a cell is the sum of its scores by the number of networks, so
        that one that few networks found has a low one. The box is the mean by the scores, and so
        are the probabilities of the mask; where a detection's box ends, its mask is background.
    """
    shape = found[0].shape
    boxes = np.concatenate([one.boxes for one in found]).astype(np.float64)
    scores = np.concatenate([one.scores for one in found]).astype(np.float64)
    masks = np.concatenate([one.probabilities for one in found])
    network = np.repeat(np.arange(len(found)), [len(one.scores) for one in found])
    order = np.argsort(-scores, kind="stable")
    boxes, scores, masks, network = boxes[order], scores[order], masks[order], network[order]
    cell = _cells(boxes, masks, network, len(found), SAME)
    number = int(cell.max(initial=-1)) + 1
    total = np.bincount(cell, scores, number)
    weight = scores / np.maximum(total[cell], np.finfo(float).tiny)
    mean = np.stack([np.bincount(cell, weight * side, number) for side in boxes.T], axis=1)
    probability = np.zeros((number, SIDE, SIDE), np.float32)
    _add_masks(boxes, masks, weight, cell, mean, probability)
    fused_scores = total / len(found)
    kept = np.argsort(-fused_scores, kind="stable")
    kept = kept[fused_scores[kept] >= FLOOR]
    return Detections(
        shape,
        mean[kept].astype(np.float32),
        fused_scores[kept].astype(np.float32),
        rounded(probability[kept] / WHITE),
    )


@njit(cache=True, nogil=True)
def _cells(boxes, masks, network, networks, same):
    """Number of the cell of each detection; the best first."""
    cell = np.full(len(boxes), -1, np.int64)
    pixel = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / SIDE**2
    area = np.empty(len(boxes))
    for one in range(len(boxes)):
        area[one] = pixel[one] * (2 * masks[one].astype(np.int64) >= WHITE).sum()
    number = 0
    best = np.empty(networks, np.int64)
    overlap = np.empty(networks)
    for first in range(len(boxes)):
        if cell[first] >= 0:
            continue
        cell[first] = number
        best[:], overlap[:] = -1, same
        for other in range(first + 1, len(boxes)):
            whose = network[other]
            if cell[other] >= 0 or whose == network[first]:
                continue
            shared = _shared(boxes[first], boxes[other])
            smaller = min(area[first], area[other])
            if shared < overlap[whose] * max(area[first], area[other]) or smaller == 0:
                continue
            both = pixel[first] * _both(boxes[first], masks[first], boxes[other], masks[other])
            iou = both / (area[first] + area[other] - both)
            if iou >= overlap[whose]:
                if best[whose] < 0 or iou > overlap[whose]:
                    best[whose] = other
                overlap[whose] = iou
        for other in best:
            if other >= 0:
                cell[other] = number
        number += 1
    return cell


@njit(cache=True, nogil=True)
def _shared(a, b):
    """Area that two boxes share."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


@njit(cache=True, nogil=True)
def _both(box, mask, other, other_mask):
    """Pixels of a mask, in its box, that are cell in both."""
    number = 0
    for row in range(SIDE):
        y = box[1] + (row + 0.5) * (box[3] - box[1]) / SIDE
        for column in range(SIDE):
            if 2 * np.int64(mask[row, column]) < WHITE:
                continue
            x = box[0] + (column + 0.5) * (box[2] - box[0]) / SIDE
            if 2 * _value(other, other_mask, x, y) >= WHITE:
                number += 1
    return number


@njit(cache=True, nogil=True)
def _add_masks(boxes, masks, weight, cell, mean, probability):
    """Add each mask, by its weight, to that of its cell in the mean box."""
    for one in range(len(boxes)):
        target = mean[cell[one]]
        for row in range(SIDE):
            y = target[1] + (row + 0.5) * (target[3] - target[1]) / SIDE
            for column in range(SIDE):
                x = target[0] + (column + 0.5) * (target[2] - target[0]) / SIDE
                value = weight[one] * _value(boxes[one], masks[one], x, y)
                probability[cell[one], row, column] += value


@njit(cache=True, nogil=True)
def _value(box, mask, x, y):
    """A mask at a place of the image, between its pixels; 0 outside its box."""
    if not (box[0] <= x <= box[2] and box[1] <= y <= box[3]):
        return 0.0
    width, height = box[2] - box[0], box[3] - box[1]
    if width <= 0 or height <= 0:
        return 0.0
    u = min(max((x - box[0]) / width * SIDE - 0.5, 0.0), SIDE - 1.0)
    v = min(max((y - box[1]) / height * SIDE - 0.5, 0.0), SIDE - 1.0)
    left, upper = min(int(u), SIDE - 2), min(int(v), SIDE - 2)
    s, t = u - left, v - upper
    above = (1 - s) * mask[upper, left] + s * mask[upper, left + 1]
    below = (1 - s) * mask[upper + 1, left] + s * mask[upper + 1, left + 1]
    return (1 - t) * above + t * below
