"""Pixel scores of many images together, as deepcell's ``PixelMetrics`` gives them for a stack.

Each image counts by its foreground here, and the same as any other in a mean over images. The names
are not among :mod:`cellseg.scoring.names`, which tuning watches: it would have to predict again.
"""

from typing import TYPE_CHECKING

from cellseg.scoring.overlaps import Overlaps

if TYPE_CHECKING:
    import pandas as pd

COUNTS = ("true_pixels", "pred_pixels", "shared_pixels")
"""Of an image: foreground pixels of the truth, of the prediction, and of both at once."""
SCORES = ("pixel_iou_pooled", "pixel_f1_pooled")


def pixel_counts(table: Overlaps) -> dict[str, int]:
    """Count the foreground pixels of one image, its :data:`COUNTS`."""
    areas = table.true_area, table.pred_area, table.shared
    return {name: int(area.sum()) for name, area in zip(COUNTS, areas, strict=True)}


def pooled_scores(counts: "pd.DataFrame") -> "pd.DataFrame":
    """Pixel scores from counts that were added up over images.

    Parameters
    ----------
    counts : a row a group of images, with the columns :data:`COUNTS`

    Returns
    -------
    DataFrame of the same rows
        :data:`SCORES`: the Jaccard index J and the Dice index, which is 2 J / (1 + J). NaN where
        no image of the group has foreground, true or predicted.
    """
    import pandas as pd

    true, pred, shared = (counts[name] for name in COUNTS)
    values = shared / (true + pred - shared), 2 * shared / (true + pred)
    return pd.DataFrame(dict(zip(SCORES, values, strict=True)))
