"""From whole image to prediction, by one network or by those of all folds together."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg.inference import of_folds
from cellseg.inference.of_folds import Make, Predict
from cellseg.io import exports, fold_networks, run_files
from cellseg.training import ensemble

if TYPE_CHECKING:
    from cellseg.training.family import Family


@contextmanager
def predictor(
    make: Make, run: Mapping, family: "Family", folder: Path, options: Mapping
) -> Iterator[Predict]:
    """Yield what predicts an image; of a run of all folds, with each network.

    Maps are averaged, detections fused (:func:`cellseg.inference.fusion.fuse`).

    Parameters
    ----------
    run : settings of the run
    folder : holds its weights; of an export, those of each network in a folder of its own
    options : of the prediction, see :func:`cellseg.inference.run.predict`
    """
    if (folder / exports.MEMBERS).is_dir():
        yield of_folds.of_export(make, run, family, folder, options)
        return
    names, weights = fold_networks.names(run), folder / run_files.WEIGHTS
    if not names:
        yield make(run, family, folder, options)
        return
    with ExitStack() as stack:
        folders = [stack.enter_context(ensemble.part(weights, name)) for name in names]
        yield of_folds.together([make(run, family, one, options) for one in folders])
