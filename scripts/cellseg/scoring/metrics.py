"""All scores in one place, for those who score without the workflow.

Its rules take each score from the module that computes it, so that they watch no others.
"""

from cellseg.scoring.coco_average_precision import coco_scores, image_matches
from cellseg.scoring.names import (
    ACCURACIES,
    COCO_SCORES,
    COLUMNS,
    COUNTS,
    SCORES,
    SIZES,
    THRESHOLDS,
)
from cellseg.scoring.objects import error_counts, match, pixel_scores, score_image, score_table
from cellseg.scoring.pooled_pixels import pixel_counts, pooled_scores

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
