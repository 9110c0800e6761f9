"""The cells of an image's detections, and which detections became cells, by a run's settings."""

from collections.abc import Mapping

import numpy as np

from cellseg.segmentation import instances
from cellseg.targets.instances import Detections

DEFAULTS = {"score_threshold": 0.5, "mask_threshold": 0.5, "min_size": 0}


def cells(found: Detections, settings: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Label image of an image's detections, and the score of each cell.

    Parameters
    ----------
    settings : see :func:`cellseg.segmentation.methods.painting.segment`

    Returns
    -------
    As :func:`cellseg.segmentation.instances.paint`.
    """
    return instances.paint(*_arrays(found), found.shape, **_thresholds(settings))


def detections(found: Detections, settings: Mapping) -> Detections:
    """Those that became cells, in the order of their labels; parameters as of :func:`cells`."""
    arrays = _arrays(found)
    _, chosen = instances.painted(*arrays, found.shape, **_thresholds(settings))
    return Detections(found.shape, *(array[chosen] for array in arrays))


def _arrays(found: Detections) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return found.boxes, found.scores, found.probabilities


def _thresholds(settings: Mapping) -> dict:
    return {name: settings.get(name, default) for name, default in DEFAULTS.items()}
