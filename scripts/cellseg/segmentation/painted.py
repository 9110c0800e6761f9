"""The cells of an image's detections, and which detections became cells, by a run's settings."""

from collections.abc import Mapping

import numpy as np

from cellseg.segmentation import instances
from cellseg.targets.instances import Detections

DEFAULTS = {"score_threshold": 0.5, "mask_threshold": 0.5, "min_size": 0}


def paint(found: Detections, settings: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Label image, and the detection that each cell is painted from.

    Parameters
    ----------
    settings : see :func:`cellseg.segmentation.methods.painting.segment`

    Returns
    -------
    labels : ndarray of shape (H, W), int32; cells 1..n
    chosen : ndarray of shape (n,), int
    """
    options = {name: settings.get(name, default) for name, default in DEFAULTS.items()}
    return instances.painted(found.boxes, found.scores, found.probabilities, found.shape, **options)


def detections(found: Detections, settings: Mapping) -> Detections:
    """Those that became cells, in the order of their labels; parameters as of :func:`paint`."""
    _, chosen = paint(found, settings)
    arrays = (found.boxes, found.scores, found.probabilities)
    return Detections(found.shape, *(array[chosen] for array in arrays))
