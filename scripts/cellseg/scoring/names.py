"""Names of all scores, in the order of the tables; docs/reference/scores.md defines them."""

# Literals, not np.arange: 0.6000000000000001 would refuse an IoU of exactly 3/5.
THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)

CONDITION = ("dataset", "model", "heads", "subset", "seed")
"""Columns that say which run a row belongs to."""

ALL_TYPES = "all"
"""In the column cell_type: all cell types together."""

NO_TUNING = "-"
"""In the column tuning, of runs segmented with the study's own settings."""

SCORES = (
    "pixel_iou",
    "pixel_f1",
    *(
        f"{name}_{round(100 * threshold)}"
        for threshold in THRESHOLDS
        for name in ("precision", "recall", "f1")
    ),
    *("precision", "recall", "f1"),
)
COUNTS = ("missed", "gained", "merge", "split", "catastrophe", "correct")
ACCURACIES = ("msa", "sa50", "sa75")
SIZES = ("n_true", "n_pred")
COLUMNS = (*SCORES, *COUNTS, *ACCURACIES, *SIZES)
"""Scores of an image, the columns of ``metrics.csv``."""

COCO_SCORES = ("ap", "ap50", "ap75", "aps", "apm", "apl", "ar2000", "afnr")
"""Scores of the cells of many images together, the columns of ``coco.csv``."""

BY_RANK = ("ap", "ap50", "ap75", "aps", "apm", "apl")
"""Those of them that depend on the order of the cells' scores."""
