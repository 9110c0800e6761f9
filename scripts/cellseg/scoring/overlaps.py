"""How many pixels the cells of two label images share, as one sparse table."""

from dataclasses import dataclass

import numpy as np
from numba import njit


@dataclass(frozen=True)
class Overlaps:
    """Areas of the cells of two label images, and of their intersections, all in pixels.

    Attributes
    ----------
    true_area : ndarray of shape (n_true,), int64
    pred_area : ndarray of shape (n_pred,), int64
    true, pred : ndarray of shape (n_pairs,), int64
        Positions in the two above, of the pairs that share a pixel.
    shared : ndarray of shape (n_pairs,), int64
    """

    true_area: np.ndarray
    pred_area: np.ndarray
    true: np.ndarray
    pred: np.ndarray
    shared: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        """Intersection over union of each pair, float64."""
        return self.shared / (self.true_area[self.true] + self.pred_area[self.pred] - self.shared)

    @property
    def containment(self) -> np.ndarray:
        """Of each pair, how much of the smaller cell lies within the larger, 0..1."""
        smaller = np.minimum(self.true_area[self.true], self.pred_area[self.pred])
        return self.shared / smaller

    def without_small(self, area: int) -> "Overlaps":
        """Drop the cells of fewer than `area` pixels, true and predicted alike."""
        true_kept, pred_kept = self.true_area >= area, self.pred_area >= area
        pairs = true_kept[self.true] & pred_kept[self.pred]
        return Overlaps(
            self.true_area[true_kept],
            self.pred_area[pred_kept],
            (np.cumsum(true_kept) - 1)[self.true[pairs]],
            (np.cumsum(pred_kept) - 1)[self.pred[pairs]],
            self.shared[pairs],
        )


def overlaps(true: np.ndarray, pred: np.ndarray) -> Overlaps:
    """Count the pixels that the cells of two label images share.

    Parameters
    ----------
    true, pred : ndarray of shape (H, W), integer
        0 is background; other values need not be consecutive.

    Raises
    ------
    ValueError
        The shapes differ, or a label is negative or no whole number.
    """
    if true.shape != pred.shape:
        raise ValueError(f"label images of shapes {true.shape} and {pred.shape} cannot be compared")
    true, n_true = _moderate(true)
    pred, n_pred = _moderate(pred)
    return Overlaps(*_count(true, pred, n_true, n_pred))


def treatments(true: np.ndarray, pred: np.ndarray, min_size: int) -> dict[str, Overlaps]:
    """Overlaps with small objects "kept" and "removed", see :meth:`Overlaps.without_small`."""
    table = overlaps(true, pred)
    return {"kept": table, "removed": table.without_small(min_size)}


def _moderate(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels as int32, renumbered if an array with a place for each would be a burden; largest."""
    # The kernel checks no bounds.
    if labels.dtype.kind not in "iub" or labels.min(initial=0) < 0:
        raise ValueError("labels must be whole numbers, 0 or more")
    largest = int(labels.max(initial=0))
    if largest > 1_000_000:
        present = np.unique(np.append(labels.ravel(), 0))
        labels = np.searchsorted(present, labels)
        largest = len(present) - 1
    return np.ascontiguousarray(labels, np.int32).ravel(), largest


@njit(cache=True, nogil=True)
def _count(true, pred, n_true, n_pred):
    """Areas of cells and of their intersections, the pairs in the order of true, then predicted."""
    true_area, pred_area = np.zeros(n_true + 1, np.int64), np.zeros(n_pred + 1, np.int64)
    # Each true cell has a list of the predicted ones that it meets, by rising label: mostly one.
    first = np.full(n_true + 1, -1, np.int64)
    capacity = n_true + n_pred + 16
    met, following = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    shared = np.empty(capacity, np.int64)
    n_pairs = 0
    start = 0
    while start < len(true):
        row, column = true[start], pred[start]
        end = start + 1
        while end < len(true) and true[end] == row and pred[end] == column:
            end += 1  # labels seldom change along a row of pixels
        length = end - start
        start = end
        true_area[row] += length
        pred_area[column] += length
        if row == 0 or column == 0:
            continue
        before, pair = -1, first[row]
        while pair >= 0 and met[pair] < column:
            before, pair = pair, following[pair]
        if pair >= 0 and met[pair] == column:
            shared[pair] += length
            continue
        if n_pairs == capacity:
            capacity *= 2
            met = np.concatenate((met, np.empty_like(met)))
            following = np.concatenate((following, np.empty_like(following)))
            shared = np.concatenate((shared, np.empty_like(shared)))
        met[n_pairs], following[n_pairs], shared[n_pairs] = column, pair, length
        if before < 0:
            first[row] = n_pairs
        else:
            following[before] = n_pairs
        n_pairs += 1

    true_area[0] = pred_area[0] = 0
    true_place, pred_place = np.cumsum(true_area > 0) - 1, np.cumsum(pred_area > 0) - 1
    pair_true, pair_pred = np.empty(n_pairs, np.int64), np.empty(n_pairs, np.int64)
    pair_shared = np.empty(n_pairs, np.int64)
    n_pairs = 0
    for row in range(1, n_true + 1):
        pair = first[row]
        while pair >= 0:
            pair_true[n_pairs], pair_pred[n_pairs] = true_place[row], pred_place[met[pair]]
            pair_shared[n_pairs] = shared[pair]
            n_pairs += 1
            pair = following[pair]
    return (
        true_area[true_area > 0], pred_area[pred_area > 0], pair_true, pair_pred, pair_shared
    )  # fmt: skip
