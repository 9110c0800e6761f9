"""From whole image to prediction, by one network or by those of all folds together."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg.inference import fusion, test_time_augmentation
from cellseg.io import run_files
from cellseg.targets.instances import Detections
from cellseg.training import ensemble, joined_folds

if TYPE_CHECKING:
    from cellseg.training.family import Family

Predicted = Detections | dict[str, np.ndarray]
Make = Callable[[Mapping, "Family", Path, Mapping], Callable[[np.ndarray], Predicted]]
"""From settings, family, folder of weights and options to a predictor of images."""


@contextmanager
def predictor(
    make: Make, run: Mapping, family: "Family", folder: Path, options: Mapping
) -> Iterator[Callable[[np.ndarray], Predicted]]:
    """Yield what predicts an image; of a run of all folds, with each network.

    Maps are averaged, detections fused (:func:`cellseg.inference.fusion.fuse`).

    Parameters
    ----------
    run : settings of the run
    folder : holds its weights
    options : of the prediction, see :func:`cellseg.inference.run.predict`
    """
    names = joined_folds.members(run)
    if not names:
        yield make(run, family, folder, options)
        return
    with ExitStack() as stack:
        weights = folder / run_files.WEIGHTS
        folders = [stack.enter_context(ensemble.part(weights, name)) for name in names]
        each = [make(run, family, one, options) for one in folders]

        def predict(image: np.ndarray) -> Predicted:
            found = (one(image) for one in each)
            first = next(found)
            if isinstance(first, Detections):
                return fusion.fuse([first, *found], [1.0] * len(each), fusion.SAME)
            return test_time_augmentation.mean(_with(first, found), len(each))

        yield predict


def _with(first: Predicted, others: Iterator[Predicted]) -> Iterator[Predicted]:
    yield first
    yield from others
