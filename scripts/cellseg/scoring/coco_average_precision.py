"""Average precision and recall of COCO with the settings of LIVECell, number for number.

The protocol of Lin et al., "Microsoft COCO" (ECCV 2014), as its reference pycocotools carries it
out, with the settings of Edlund et al., "LIVECell" (Nature Methods 2021): one class, the 2,000 best
cells of an image, IoU 0.5 to 0.95, sizes cut at 324 and 961 pixels. True cells are the published
outlines, which may overlap; predicted cells come as a label image, so none of them overlap and one
walk over the true cells finds all pairs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from cellseg.data.true_cells import TrueCells, draw
from cellseg.scoring.names import COCO_SCORES

# These very floats decide at equality: 0.9 is 0.8999999999999999 here, and 35 % is not 35 / 100.
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
# All, small, medium, large; in pixels, both ends belong to the range.
AREA_RANGES = np.array([[0.0, 1e10], [0.0, 324.0], [324.0, 961.0], [961.0, 1e10]])
MAX_DETECTIONS = 2000

IGNORED, HIT, FALSE = range(3)


@dataclass(frozen=True)
class ImageMatches:
    """What an image adds to the scores of a data set.

    Attributes
    ----------
    score : ndarray of shape (n,), float64
        Of the predicted cells that count, at most 2,000, descending.
    outcome : ndarray of shape (n, 4, 10), uint8
        IGNORED, HIT or FALSE in each area range (all, small, medium, large) and at each IoU.
    n_true : ndarray of shape (4,), int64
        True cells in each area range.
    """

    score: np.ndarray
    outcome: np.ndarray
    n_true: np.ndarray


def image_matches(
    segmentations: Sequence[Any],
    areas: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    smallest: int = 0,
) -> ImageMatches:
    """Match the predicted with the true cells of one image, in all area ranges and at each IoU.

    :func:`cellseg.data.true_cells.draw` and :func:`match_cells` in one. Call these to
    score an image often.

    Parameters
    ----------
    segmentations, areas : see :func:`cellseg.data.true_cells.draw`
    labels, scores, smallest : see :func:`match_cells`
    """
    return match_cells(draw(segmentations, *labels.shape, areas), labels, scores, smallest)


def match_cells(
    cells: TrueCells, labels: np.ndarray, scores: np.ndarray, smallest: int = 0
) -> ImageMatches:
    """Match the predicted with the true cells of one image, in all area ranges and at each IoU.

    Predicted cells choose in the order of their scores, of equal ones the smaller label first: each
    takes, of the true cells still free with an IoU of at least the threshold, the best one inside
    the area range, else the best one outside, of equal ones the last. The pair is a hit, or ignored
    where the true cell lies outside the range. A cell left alone is false, or ignored if it lies
    outside the range itself.

    Parameters
    ----------
    cells : from :func:`cellseg.data.true_cells.draw`
    labels : ndarray of shape (H, W), integer
        0 is background; a value without a pixel is no cell.
    scores : ndarray of shape (n,), float64
        The score of label value v at v - 1.
    smallest : int
        True cells with a mask of fewer pixels and predicted cells of fewer are removed first.

    Raises
    ------
    ValueError
        The shape of `labels` is not that of the image, a label is negative, or the score of a cell
        is missing or NaN.
    """
    if labels.shape != (cells.height, cells.width):
        raise ValueError(f"labels of shape {labels.shape}, not {(cells.height, cells.width)}")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min(initial=0) < 0:
        raise ValueError("labels must be whole numbers, 0 or more")
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or labels.max(initial=0) > len(scores):
        raise ValueError(f"scores of shape {scores.shape} for labels up to {labels.max()}")
    labels = np.ascontiguousarray(labels, np.int32)
    pixels = _pixels_of_labels(labels, len(scores))
    present = np.flatnonzero(pixels >= max(smallest, 1))
    if np.any(np.isnan(scores[present])):
        raise ValueError("the score of a predicted cell is NaN")
    best = present[np.argsort(-scores[present], kind="stable")[:MAX_DETECTIONS]]
    rank = np.full(len(scores), -1)
    rank[best] = np.arange(len(best))

    kept = cells.pixels >= smallest
    detection, true, iou = _pairs(
        cells.first_run, cells.start, cells.length, cells.pixels, kept, labels, pixels, rank
    )
    order = np.argsort(detection, kind="stable")  # of a detection, true cells in file order
    true_in_range = in_ranges(cells.area)
    outcome = outcomes(
        detection[order], true[order], iou[order], true_in_range, in_ranges(pixels[best])
    )
    return ImageMatches(scores[best], outcome, np.count_nonzero(true_in_range[kept], axis=0))


def in_ranges(area: np.ndarray) -> np.ndarray:
    """Which areas, ndarray of shape (n,), lie in each range: ndarray of shape (n, 4), bool."""
    return (area[:, None] >= AREA_RANGES[:, 0]) & (area[:, None] <= AREA_RANGES[:, 1])


@njit(cache=True, nogil=True)
def _pixels_of_labels(labels, n_labels):
    """Area of label value v at v - 1, int64."""
    pixels = np.zeros(n_labels + 1, np.int64)
    height, width = labels.shape
    for row in range(height if width else 0):
        value, begin = labels[row, 0], 0
        for column in range(1, width):  # neighbours are mostly of one cell
            if labels[row, column] != value:
                pixels[value] += column - begin
                value, begin = labels[row, column], column
        pixels[value] += width - begin
    return pixels[1:]


@njit(cache=True, nogil=True)
def _pairs(first_run, start, length, true_pixels, kept, labels, pixels, rank):
    """Pairs with an IoU of at least 0.5, true cells ascending: rank, true cell and IoU.

    Predicted cells do not overlap, so that at most two have one half of the same true cell.
    """
    height = labels.shape[0]
    detection = np.empty(2 * len(kept), np.int64)
    true = np.empty(2 * len(kept), np.int64)
    iou = np.empty(2 * len(kept), np.float64)
    n_pairs = 0
    shared = np.zeros(len(rank) + 1, np.int64)
    met = np.empty(len(rank), np.int64)
    for cell in range(len(kept)):
        if not kept[cell]:
            continue
        n_met = 0
        for run in range(first_run[cell], first_run[cell + 1]):
            column, row = divmod(start[run], height)
            for _ in range(length[run]):
                value = labels[row, column]
                if value:
                    if shared[value] == 0:
                        met[n_met] = value
                        n_met += 1
                    shared[value] += 1
                row += 1
                if row == height:
                    row = 0
                    column += 1
        for value in met[:n_met]:
            both = shared[value]
            shared[value] = 0
            either = true_pixels[cell] + pixels[value - 1] - both
            if 2 * both >= either and rank[value - 1] >= 0:
                detection[n_pairs], true[n_pairs] = rank[value - 1], cell
                iou[n_pairs] = both / either
                n_pairs += 1
    return detection[:n_pairs], true[:n_pairs], iou[:n_pairs]


@njit(cache=True, nogil=True)
def outcomes(detection, true, iou, true_in_range, detection_in_range):
    """Match greedily; pairs are sorted by detection, the best first, then by true cell."""
    n_detections, n_ranges = detection_in_range.shape
    n_thresholds = len(THRESHOLDS)
    outcome = np.empty((n_detections, n_ranges, n_thresholds), np.uint8)
    for cell in range(n_detections):
        for area in range(n_ranges):
            outcome[cell, area] = FALSE if detection_in_range[cell, area] else IGNORED
    is_taken = np.zeros((len(true_in_range), n_ranges, n_thresholds), np.bool_)
    first = 0
    while first < len(detection):
        end = first + 1
        while end < len(detection) and detection[end] == detection[first]:
            end += 1
        for area in range(n_ranges):
            for level in range(n_thresholds):
                for in_range in (True, False):
                    best, enough = -1, THRESHOLDS[level]
                    for pair in range(first, end):
                        cell = true[pair]
                        if true_in_range[cell, area] != in_range or is_taken[cell, area, level]:
                            continue
                        if iou[pair] >= enough:
                            best, enough = cell, iou[pair]
                    if best >= 0:
                        is_taken[best, area, level] = True
                        outcome[detection[first], area, level] = HIT if in_range else IGNORED
                        break
        first = end
    return outcome


def coco_scores(matches: Iterable[ImageMatches]) -> dict[str, float]:
    """Average precision and recall over the cells of many images.

    Parameters
    ----------
    matches : in the order of the image ids
        The order matters where cells of different images have the same score.

    Returns
    -------
    dict of str to float, see :data:`cellseg.scoring.names.COCO_SCORES`
        ap is the mean over the thresholds of the IoU of the precision at 101 points of recall, in
        all area ranges; ap50 and ap75 are at one threshold, aps, apm and apl of small, medium and
        large cells. ar2000 is the mean over the thresholds of the part of the true cells that is
        found, and afnr = 1 - ar2000. 0 where there is nothing but true cells; NaN where no true
        cell is in the area range (pycocotools: -1).
    """
    images = list(matches)
    nothing = np.zeros((0, len(AREA_RANGES), len(THRESHOLDS)), np.uint8)
    score = np.concatenate([np.zeros(0), *(image.score for image in images)])
    outcome = np.concatenate([nothing, *(image.outcome for image in images)])
    n_true = sum((image.n_true for image in images), np.zeros(len(AREA_RANGES), np.int64))
    # By division, not by multiplication: rounding decides whether 7 of 10 reach a recall of 0.7.
    recalls = (np.arange(n + 1) / max(n, 1) for n in n_true.tolist())
    needed = np.array([np.searchsorted(recall, RECALLS) for recall in recalls])
    hits, precision = _precision(outcome, np.argsort(-score, kind="stable"), needed)
    # The precision at a point of recall is the largest of any recall from there on.
    precision = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    precision[n_true == 0] = np.nan
    everything, small, medium, large = precision.mean(axis=(1, 2))
    at_50, at_75 = precision[0, [0, 5]].mean(axis=1)
    recall = np.mean(hits[0] / n_true[0]) if n_true[0] else np.nan
    values = (everything, at_50, at_75, small, medium, large, recall, 1 - recall)
    return {name: float(value) for name, value in zip(COCO_SCORES, values, strict=True)}


@njit(cache=True, nogil=True)
def _precision(outcome, order, needed):
    """Hits in each area range and at each IoU, and the best precision up to the next recall point.

    `needed` is the number of hits that reach a point of recall. Only hits are looked at: the cells
    between them lower the precision.
    """
    _, n_ranges, n_thresholds = outcome.shape
    n_points = needed.shape[1]
    hits = np.zeros((n_ranges, n_thresholds), np.int64)
    false = np.zeros((n_ranges, n_thresholds), np.int64)
    point = np.zeros((n_ranges, n_thresholds), np.int64)  # the last one reached
    precision = np.zeros((n_ranges, n_thresholds, n_points), np.float64)
    for cell in order:
        for area in range(n_ranges):
            for level in range(n_thresholds):
                if outcome[cell, area, level] == FALSE:
                    false[area, level] += 1
                elif outcome[cell, area, level] == HIT:
                    hits[area, level] += 1
                    n, at = hits[area, level], point[area, level]
                    while at + 1 < n_points and needed[area, at + 1] <= n:
                        at += 1
                    point[area, level] = at
                    value = n / (n + false[area, level])
                    precision[area, level, at] = max(precision[area, level, at], value)
    return hits, precision
