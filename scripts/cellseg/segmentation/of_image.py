"""From one image to its cells, by a trained network and the settings of a segmentation.

An export holds a copy of this module and of what it imports: packages that an export does without
are imported where they are used.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellseg.errors import UserError
from cellseg.inference import instance_run, map_run, map_store, sliding_window
from cellseg.segmentation import methods
from cellseg.study import segmentation_methods
from cellseg.targets.instances import CHANNEL, HEAD

if TYPE_CHECKING:
    from cellseg.training.family import Family

Make = Callable[..., Callable[[np.ndarray], Any]]
"""From settings, family, folder of weights and options to a predictor of images."""
Find = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From an image of shape (H, W), uint8, to labels (H, W), int32, cells 1..n, and their scores (n,),
float64."""


def _by_one_network(make: Make, *of_run: Any) -> Callable[[np.ndarray], Any]:
    return make(*of_run)


def finder(
    run: Mapping,
    segmentation: Mapping,
    options: Mapping,
    family: "Family",
    folder: Path,
    by: Callable[..., Callable[[np.ndarray], Any]] = _by_one_network,
) -> Find:
    """What finds the cells of an image exactly as the workflow finds those of its test images.

    Parameters
    ----------
    run : settings of the run
    segmentation : settings of a segmentation, see :mod:`cellseg.segmentation.methods`
    options : of the prediction, see :func:`cellseg.inference.run.predict`
    family : of the network; a module with its ``Predictor`` is enough
    folder : holds the weights
    by : from what makes a predictor, and what that takes, to the predictor to use; of a run of
        several networks another, see :func:`cellseg.inference.members.predictor`

    Raises
    ------
    UserError
        The network predicts values that are not finite: of an image, not when this is called.
    """
    method = segmentation_methods.METHODS[segmentation["method"]]
    names, precise = method.stored(run["heads"]), method.precise(run["heads"])
    if list(names) == [CHANNEL]:
        detect = by(instance_run.image_detector, run, family, folder, options)

        def find_instances(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = detect(image)
            _check_finite(found.scores, folder)
            return methods.segment({HEAD: found}, segmentation)

        return find_instances
    predict = by(map_run.image_predictor, run, family, folder, options)

    def find(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        stack = sliding_window.stacked(predict(image), names)
        _check_finite(stack, folder)
        # Stored maps are rounded, and cells are those of rounded maps.
        with tempfile.TemporaryDirectory() as temporary:
            path = f"{temporary}/page.zip"
            map_store.write(path, names, [("page", stack)], precise=precise)
            maps = map_store.open(path).read("page")
        return methods.segment(maps, segmentation)

    return find


def _check_finite(values: np.ndarray, folder: Path) -> None:
    if not np.isfinite(values).all():
        raise UserError(f"the network of {folder} predicts values that are not finite.")
