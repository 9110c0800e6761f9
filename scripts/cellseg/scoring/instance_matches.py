"""Detections against true cells by COCO's protocol, where cells of both may overlap."""

import numpy as np

from cellseg.data import cell_layers
from cellseg.data.true_cells import TrueCells
from cellseg.scoring.coco_average_precision import (
    MAX_DETECTIONS,
    THRESHOLDS,
    ImageMatches,
    in_ranges,
    outcomes,
)
from cellseg.segmentation import instances
from cellseg.targets.instances import WHITE, Detections

SCORE_FLOOR = 0.05
"""Least score of a detection that counts, as in LIVECell's evaluation: AFNR depends on it."""
MASK_THRESHOLD = 0.5
"""Least probability of a pixel of a detected cell."""


def match_instances(
    cells: TrueCells, found: Detections, smallest: tuple[int, ...] = (0,)
) -> list[ImageMatches]:
    """Match detections with the true cells of one image, in all area ranges and at each IoU.

    As :func:`cellseg.scoring.coco_average_precision.match_cells`, with masks that may overlap.

    Parameters
    ----------
    cells : from :func:`cellseg.data.true_cells.draw`
    found : detections of the image; those below :data:`SCORE_FLOOR` do not count
    smallest : for each result, true and detected cells of fewer pixels are removed first

    Raises
    ------
    ValueError
        The image has another shape, or a score is NaN.
    """
    if tuple(found.shape) != (cells.height, cells.width):
        raise ValueError(f"detections of {found.shape}, not {(cells.height, cells.width)}")
    scores = found.scores.astype(np.float64)
    if np.isnan(scores).any():
        raise ValueError("the score of a detection is NaN")
    counted = np.flatnonzero(scores >= np.float32(SCORE_FLOOR))
    order = counted[np.argsort(-scores[counted], kind="stable")]
    layers = cell_layers.layers(cells)
    pixels = np.zeros(len(order), np.int64)
    rank, true, iou = [], [], []
    for row, number in enumerate(order):
        probabilities = found.probabilities[number].astype(np.float32) / np.float32(WHITE)
        crop, (top, left) = instances.paste(found.boxes[number], probabilities, found.shape)
        mask = crop >= MASK_THRESHOLD
        pixels[row] = np.count_nonzero(mask)
        place = (slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1]))
        for layer in layers:
            met, shared = np.unique(layer[place][mask], return_counts=True)
            for cell, both in zip(met.tolist(), shared.tolist(), strict=True):
                either = pixels[row] + cells.pixels[cell - 1] - both
                if cell and 2 * both >= either:
                    rank.append(row)
                    true.append(cell - 1)
                    iou.append(both / either)
    pairs = np.array(rank, np.int64), np.array(true, np.int64), np.array(iou, np.float64)
    return [_matches(cells, scores[order], pixels, *pairs, least) for least in smallest]


def _matches(
    cells: TrueCells,
    scores: np.ndarray,
    pixels: np.ndarray,
    rank: np.ndarray,
    true: np.ndarray,
    iou: np.ndarray,
    smallest: int,
) -> ImageMatches:
    """What counts of all pairs, when small cells are removed."""
    kept = cells.pixels >= smallest
    best = np.flatnonzero(pixels >= smallest)[:MAX_DETECTIONS]
    new_rank = np.full(len(pixels), -1)
    new_rank[best] = np.arange(len(best))
    used = (new_rank[rank] >= 0) & kept[true] & (iou >= THRESHOLDS[0])
    detection, true, iou = new_rank[rank[used]], true[used], iou[used]
    order = np.lexsort((true, detection))
    true_in_range = in_ranges(cells.area)
    outcome = outcomes(
        detection[order], true[order], iou[order], true_in_range, in_ranges(pixels[best])
    )
    return ImageMatches(scores[best], outcome, np.count_nonzero(true_in_range[kept], axis=0))
