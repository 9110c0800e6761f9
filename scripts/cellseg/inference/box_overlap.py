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
