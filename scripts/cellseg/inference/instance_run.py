"""From one image to its detections, by an instance detector."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg.images.normalization import normalize
from cellseg.inference.detections import Views, Windows
from cellseg.targets.instances import Detections, detected

if TYPE_CHECKING:
    from cellseg.training.family import Family

AT_ONCE = 1024
"""Pixels of a side up to which an image is predicted at once, unless the options say otherwise."""


def image_detector(
    run: Mapping, family: "Family", folder: Path, options: Mapping
) -> Callable[[np.ndarray], Detections]:
    """From whole image, (H, W) uint8, to its detections.

    Images are normalised whole. `options` decide whether they are predicted at once, in overlapping
    windows, and in which views.

    Parameters
    ----------
    run : settings of the run
    family : an instance family
    folder : holds its weights
    options : of the prediction, see :func:`cellseg.inference.run.predict`
    """
    predictor = family.Predictor(run, folder)
    normalization = run["training"]["normalization"]
    views = options["test_time_augmentation"]
    if options["window"] != "image":
        # A detector takes any size, so that by default an image is cut only if it is large.
        window = options["window"] or AT_ONCE
        predictor = Windows(predictor, window, round(options["window_overlap"] * window))
    if views["flips"] or views["rotations"] or list(views["scales"]) != [1]:
        predictor = Views(predictor, views["flips"], views["rotations"], views["scales"])

    def detect_image(image: np.ndarray) -> Detections:
        return detected(predictor, normalize(image[None, ..., None], normalization)[0, ..., 0])

    return detect_image
