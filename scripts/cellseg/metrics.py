"""All scores in one place, for those who score without the workflow.

Its rules take each score from the module that computes it, so that they watch no others.
"""

from cellseg.average_precision import coco_scores, image_matches
from cellseg.object_scores import (
    error_counts,
    match,
    pixel_scores,
    score_image,
    score_table,
)
from cellseg.pooled_pixels import pixel_counts, pooled_scores
from cellseg.score_names import (
    ACCURACIES,
    COCO_SCORES,
    COLUMNS,
    COUNTS,
    SCORES,
    SIZES,
    THRESHOLDS,
)

__all__ = [
    "ACCURACIES",
    "COCO_SCORES",
    "COLUMNS",
    "COUNTS",
    "SCORES",
    "SIZES",
    "THRESHOLDS",
    "coco_scores",
    "error_counts",
    "image_matches",
    "match",
    "pixel_counts",
    "pixel_scores",
    "pooled_scores",
    "score_image",
    "score_table",
]
