"""From one image to its maps, by a network of maps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg.inference import sliding_window, test_time_augmentation
from cellseg.targets import heads

if TYPE_CHECKING:
    from cellseg.training.family import Family


def image_predictor(
    run: Mapping, family: "Family", folder: Path, options: Mapping
) -> Callable[[np.ndarray], sliding_window.Maps]:
    """From whole image, (H, W) uint8, to maps, the way the network saw images in training.

    Parameters
    ----------
    run : settings of the run
    family : a family of maps
    folder : holds its weights
    options : of the prediction, see :func:`cellseg.inference.run.predict`
    """
    normalization = run["training"]["normalization"]
    size = run["tiling"]["size"]
    grid = heads.common_grid(run["heads"])
    views = options["test_time_augmentation"]
    predict = test_time_augmentation.averaged(
        family.Predictor(run, folder), views["flips"], views["rotations"]
    )

    def predict_image(image: np.ndarray) -> sliding_window.Maps:
        if run["tiling"]["mode"] == "resize":
            return sliding_window.predict_resized(predict, image, size, normalization)
        if options["window"] == "image":
            return sliding_window.predict_whole(predict, image, normalization)
        window = options["window"] or size
        overlap = round(options["window_overlap"] * window)
        return sliding_window.predict_image(
            predict, image, window, overlap, normalization, options["batch_size"], grid
        )

    return test_time_augmentation.over_scales(predict_image, views["scales"])
