"""A segmentation method for tests: connected components of a thresholded foreground map."""

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from cellseg.study.segmentation_methods import MASK, Map, Method

ENTRY = Method(
    module="components_method",
    words="connected components",
    channels={"fgbg": (1,), "pixelwise": (1, 0)},
    maps={MASK: Map(("pixelwise", "fgbg"))},
    searched=("threshold",),
)
SETTINGS = {
    "method": True,
    "threshold": {"description": "Least foreground.", "type": "number", "default": 0.3},
}
"""Lines of the schema."""


def segment(maps: Mapping, settings: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Each connected patch above the threshold is a cell; its score is its highest foreground."""
    found = maps[ENTRY.head(MASK, maps)]
    foreground = found[..., 1] if isinstance(found, np.ndarray) else found[1]
    labels, n_cells = ndimage.label(foreground > settings.get("threshold", 0.3))
    scores = ndimage.maximum(foreground, labels, np.arange(1, n_cells + 1))
    return labels.astype(np.int32), np.asarray(scores, np.float64).reshape(-1)
