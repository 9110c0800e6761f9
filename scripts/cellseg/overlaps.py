"""How many pixels the cells of two label images share, as one sparse table."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array


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
        The shapes differ.
    """
    if true.shape != pred.shape:
        raise ValueError(f"label images of shapes {true.shape} and {pred.shape} cannot be compared")
    true, pred = np.ravel(true), np.ravel(pred)
    # Labels seldom change along a row: count runs of pixels, some ten times fewer than pixels.
    changed = (true[1:] != true[:-1]) | (pred[1:] != pred[:-1])
    starts = np.flatnonzero(np.concatenate([np.ones(min(true.size, 1), bool), changed]))
    lengths = np.diff(starts, append=true.size)
    runs = _moderate(true[starts]), _moderate(pred[starts])
    # The sparse matrix adds up the runs of a pair in linear time; row and column 0: background.
    pairs = (
        coo_array((lengths, runs)).tocsr().tocoo()
        if len(lengths)
        else coo_array((1, 1), dtype=np.int64)
    )
    true_area, true_position = _areas(pairs.row, pairs.data)
    pred_area, pred_position = _areas(pairs.col, pairs.data)
    cells = (pairs.row > 0) & (pairs.col > 0)
    return Overlaps(
        true_area,
        pred_area,
        true_position[pairs.row[cells]],
        pred_position[pairs.col[cells]],
        pairs.data[cells],
    )


def _moderate(labels: np.ndarray) -> np.ndarray:
    """Renumber labels so large that an array with a place for each would be a burden."""
    if labels.max(initial=0) <= 1_000_000:
        return labels.astype(np.int64)
    present = np.unique(np.append(labels, 0))
    return np.searchsorted(present, labels)


def _areas(labels: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area of each cell that is there, and by label its position among these."""
    area = np.bincount(labels, pixels).astype(np.int64)
    cells = area > 0
    cells[:1] = False  # the background
    return area[cells], np.cumsum(cells) - 1
