"""What the networks of all folds predict together.

An export of such a run holds a copy of this module and of what it imports.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg.inference import fusion, test_time_augmentation
from cellseg.io import exports, fold_networks
from cellseg.targets.instances import Detections

if TYPE_CHECKING:
    from cellseg.training.family import Family

Predicted = Detections | dict[str, np.ndarray]
Predict = Callable[[np.ndarray], Predicted]
Make = Callable[[Mapping, "Family", Path, Mapping], Predict]
"""From settings, family, folder of weights and options to a predictor of images."""


def together(each: Sequence[Predict]) -> Predict:
    """What predicts with several networks: maps are averaged, detections fused.

    Parameters
    ----------
    each : what predicts with each of them
    """

    def predict(image: np.ndarray) -> Predicted:
        found = (one(image) for one in each)
        first = next(found)
        if isinstance(first, Detections):
            return fusion.fuse([first, *found], [1.0] * len(each), fusion.SAME)
        return test_time_augmentation.mean(_with(first, found), len(each))

    return predict


def of_export(
    make: Make, run: Mapping, family: "Family", folder: Path, options: Mapping
) -> Predict:
    """What predicts an image by an export, in which each network has a folder.

    Parameters
    ----------
    run : settings of the run
    folder : of the unpacked export
    options : of the prediction, see :func:`cellseg.inference.run.predict`
    """
    folders = [folder / exports.MEMBERS / name for name in fold_networks.names(run)]
    if not folders:
        return make(run, family, folder, options)
    return together([make(run, family, one, options) for one in folders])


def _with(first: Predicted, others: Iterator[Predicted]) -> Iterator[Predicted]:
    yield first
    yield from others
