"""Whether a network finds next to nothing, and what a user can do about it.

Nothing is chosen by this: it only warns. After training it looks at validation tiles, and the
scores are looked at once they are made.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg.images.normalization import normalize
from cellseg.io import run_files
from cellseg.io.wording import number_of
from cellseg.study import segmentation_methods

if TYPE_CHECKING:
    from cellseg.training.batches import TileStream
    from cellseg.training.family import Family

LEAST_F1 = 0.05
"""Mean F1 at IoU 0.5 below which a network found almost nothing: one cell in twenty."""
LEAST_CELLS = 10
"""Annotated cells below which nothing is said."""
FEW_STEPS = 1_000
"""Training steps below which the first thing to try is more of them."""
TILES = 8
"""Validation tiles that are looked at after training."""

Tile = tuple[np.ndarray, np.ndarray]


def warning(n_true: int, n_pred: int, f1: float, where: str, steps: int | None) -> str | None:
    """What to say of a network that finds almost nothing; None of one that finds something.

    Parameters
    ----------
    n_true, n_pred : annotated and predicted cells
    f1 : at IoU 0.5, mean over images
    where : what the cells are on, such as ``8 validation tiles``
    steps : of the training; None where that is not known
    """
    if n_true < LEAST_CELLS or f1 >= LEAST_F1:
        return None
    after = "" if steps is None else f" after {steps:,} training steps"
    found = (
        f"Warning: found almost nothing{after}: {n_pred:,} cells are predicted where {n_true:,} "
        f"are annotated, on {where}; F1 at IoU 0.5 is {f1:.3f}. "
    )
    if steps is not None and steps < FEW_STEPS:
        return (
            f"{found}Train longer: raise training.epochs or training.steps to thousands of steps."
        )
    many = " and they do not match" if n_pred > n_true / 2 else ""
    return (
        f"{found}Look at the losses in {run_files.TRAIN.log}: if they still fall, train longer; if "
        f"they do not, lower training.learning_rate. If cells are there{many}, tune the thresholds "
        "(`threshold_searches` in the config), and compare labels with images in the data report."
    )


def say_after_training(
    family: "Family",
    settings: Mapping,
    validation: "TileStream",
    folder: Path,
    steps: int,
    method: str = segmentation_methods.DEFAULT,
) -> None:
    """Print the warning for a network that was just trained, segmented with default thresholds.

    Parameters
    ----------
    family : module of :mod:`cellseg.models`
    settings : of the run
    validation : its validation tiles
    folder : of its weights
    steps : of its training
    method : of the study's segmentation
    """
    try:
        note = _of_tiles(
            _chosen(validation.tiles.tile, validation.index.tolist()),
            family.Predictor(settings, folder),
            settings["training"]["normalization"],
            steps,
            method,
        )
    except Exception as error:  # whatever it is: the training is done, and is not lost for it
        note = f"Note: whether the network finds cells could not be checked ({error})."
    if note:
        print(note, flush=True)


def _of_tiles(
    tiles: Iterator[Tile],
    predict: Callable[[np.ndarray], dict[str, np.ndarray]],
    normalization: str,
    steps: int,
    method: str,
) -> str | None:
    # Compiled when a training has ended, and not before each one begins.
    from cellseg.scoring.objects import match
    from cellseg.segmentation import methods

    n_true, n_pred, f1 = 0, 0, []
    for image, true in tiles:
        maps = predict(normalize(image[None, ..., None], normalization))
        found = {head: values[0] for head, values in maps.items()}
        pred, _ = methods.segment(found, {"method": method})
        n_true += len(np.unique(true[true > 0]))
        n_pred += int(pred.max(initial=0))
        f1.append(match(true, pred, [0.5])[0]["f1"])
    where = number_of(len(f1), "validation tile")
    return warning(n_true, n_pred, float(np.mean(f1)), where, steps) if f1 else None


def _chosen(tile: Callable[[int], Tile], index: Sequence[int]) -> Iterator[Tile]:
    """At most :data:`TILES` tiles with cells, spread over all; few are read for it.

    Parameters
    ----------
    tile : reads one by its number
    index : numbers of the validation tiles
    """
    places = np.unique(np.linspace(0, len(index) - 1, min(len(index), 4 * TILES)).astype(int))
    # A few from everywhere first: every fourth, then those between them.
    ordered = [place for start in range(4) for place in places[start::4]]
    n_found = 0
    for place in ordered:
        image, labels = tile(index[place])
        if labels.any():
            yield image, labels
            n_found += 1
        if n_found == TILES:
            return
