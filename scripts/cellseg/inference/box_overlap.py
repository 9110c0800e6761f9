"""Boxes that overlap others: those of one image, and those of neighbouring windows."""

import numpy as np
from numba import njit

SAME = 0.5
"""IoU from which boxes of two windows may be the same cell."""
PART = 0.5
"""Share of a cut box within another from which it is a part of that cell."""

SLACK = 1.5
"""Pixels by which two windows may disagree on where a cell ends: of a cut one, slivers remain."""


def suppressed(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Non-maximum suppression.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4); x0, y0, x1, y1
    scores : ndarray of shape (n,)
    threshold : of two boxes with a larger IoU the less confident is dropped

    Returns
    -------
    ndarray of shape (k,), int64 : indices of the boxes kept, best first, of equal ones the first
    """
    order = np.argsort(-scores, kind="stable")
    return order[_suppress(np.ascontiguousarray(boxes[order], np.float64), threshold)]


def merged_windows(
    boxes: np.ndarray,
    scores: np.ndarray,
    windows: np.ndarray,
    whole: np.ndarray,
    edges: np.ndarray,
) -> np.ndarray:
    """Choose among boxes that overlapping windows found.

    Boxes of one window are never dropped for one another: the detector has done that. Of whole
    boxes, best first, each represents at most one box of every other window, that with the largest
    IoU: a neighbour that happens to overlap much is not lost. Cut boxes follow, the largest first;
    they are dropped where they are mostly part of a box of another window.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4); in the image
    scores : ndarray of shape (n,)
    windows : ndarray of shape (n,), int64; number of the window of each box, ascending
    whole : ndarray of shape (n,), bool; whether it is away from the inner edges of its window
    edges : ndarray of shape (windows, 4); boxes of the windows

    Returns
    -------
    ndarray of shape (k,), int64 : indices of the boxes kept
    """
    boxes = np.ascontiguousarray(boxes, np.float64)
    first = np.searchsorted(windows, np.arange(len(edges) + 1))
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = np.lexsort((-np.where(whole, scores, area), ~whole))
    kept = _merge(boxes, windows.astype(np.int64), whole, edges, first, order)
    return np.flatnonzero(kept)


def same_cells(
    boxes: np.ndarray, weights: np.ndarray, members: np.ndarray, threshold: float
) -> np.ndarray:
    """Number the cells that several detectors found, each at most once.

    After weighted boxes fusion (Solovyev, Wang, Gabruseva, Image and Vision Computing 107, 2021):
    boxes are taken the weightiest first, and each joins the cell whose mean box it overlaps most,
    of those cells that its detector has not found yet. The mean is weighted.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4); x0, y0, x1, y1
    weights : ndarray of shape (n,); at least 0
    members : ndarray of shape (n,), int64; number of the detector of each box, from 0
    threshold : IoU from which a box belongs to a cell

    Returns
    -------
    ndarray of shape (n,), int64 : number of the cell of each box, from 0, the weightiest first
    """
    order = np.argsort(-weights, kind="stable")
    n_members = int(members.max()) + 1 if len(members) else 0
    cells = np.empty(len(boxes), np.int64)
    cells[order] = _joined(
        np.ascontiguousarray(boxes[order], np.float64),
        np.ascontiguousarray(weights[order], np.float64),
        np.ascontiguousarray(members[order], np.int64),
        n_members,
        threshold,
    )
    return cells


@njit(cache=True, nogil=True)
def _shared(a, b):
    """Area that two boxes share."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


@njit(cache=True, nogil=True)
def _size(a):
    return (a[2] - a[0]) * (a[3] - a[1])


@njit(cache=True, nogil=True)
def _suppress(boxes, threshold):
    """Indices of the boxes that no kept one before them overlaps by more than a threshold."""
    kept = np.empty(len(boxes), np.int64)
    number = 0
    for here in range(len(boxes)):
        free = True
        for other in kept[:number]:
            both = _shared(boxes[here], boxes[other])
            if both > threshold * (_size(boxes[here]) + _size(boxes[other]) - both):
                free = False
                break
        if free:
            kept[number] = here
            number += 1
    return kept[:number]


@njit(cache=True, nogil=True)
def _merge(boxes, windows, whole, edges, first, order):
    kept, dropped = np.zeros(len(boxes), np.bool_), np.zeros(len(boxes), np.bool_)
    margin = np.array([-SLACK, -SLACK, SLACK, SLACK])
    for here in order:
        if dropped[here]:
            continue
        kept[here] = True
        around = boxes[here] + margin
        for window in range(len(edges)):
            if window == windows[here] or _shared(boxes[here], edges[window]) <= 0:
                continue
            best, same = -1, SAME
            for other in range(first[window], first[window + 1]):
                if dropped[other] or kept[other]:
                    continue
                if not whole[other]:
                    both = _shared(around, boxes[other])
                    dropped[other] = both > 0 and both >= PART * _size(boxes[other])
                    continue
                both = _shared(boxes[here], boxes[other])
                if whole[here] and both > 0:
                    iou = both / (_size(boxes[here]) + _size(boxes[other]) - both)
                    if iou >= same:
                        best, same = other, iou
            if best >= 0:
                dropped[best] = True
    return kept


@njit(cache=True, nogil=True)
def _joined(boxes, weights, members, n_members, threshold):
    """Cell of each box, the boxes being sorted by weight."""
    cells = np.empty(len(boxes), np.int64)
    means, sums = np.empty_like(boxes), np.zeros(len(boxes))
    found = np.zeros((len(boxes), n_members), np.bool_)
    number = 0
    for here in range(len(boxes)):
        best, most = -1, threshold
        for cell in range(number):
            if found[cell, members[here]]:
                continue
            both = _shared(boxes[here], means[cell])
            if both > 0:
                iou = both / (_size(boxes[here]) + _size(means[cell]) - both)
                if iou >= most:
                    best, most = cell, iou
        if best < 0:
            best = number
            means[best] = boxes[here]
            number += 1
        elif sums[best] + weights[here] > 0:
            share = weights[here] / (sums[best] + weights[here])
            means[best] += share * (boxes[here] - means[best])
        sums[best] += weights[here]
        found[best, members[here]] = True
        cells[here] = best
    return cells
