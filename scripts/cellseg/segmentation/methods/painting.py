"""Segmentation by painting the detections of an instance detector, the most confident on top."""

from collections.abc import Mapping

import numpy as np

from cellseg.segmentation import painted
from cellseg.targets.instances import HEAD


def segment(maps: Mapping, settings: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Cells of one image.

    Parameters
    ----------
    maps : ``instances`` are :class:`cellseg.targets.instances.Detections`
    settings : ``score_threshold`` drops detections; ``mask_threshold`` makes masks of
        probabilities; cells with fewer than ``min_size`` pixels left by better ones are removed

    Returns
    -------
    labels : ndarray of shape (H, W), int32; cells 1..n
    scores : ndarray of shape (n,), float64
    """
    return painted.cells(maps[HEAD], settings)
