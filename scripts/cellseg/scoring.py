"""The label images of a run to ``metrics.csv``."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.errors import UserError
from cellseg.files import replacing
from cellseg.metrics import score_image
from cellseg.parallel import ordered_map

CONDITION = ("dataset", "model", "heads", "subset", "seed")
"""Columns that say which run a row belongs to."""


def score_run(
    truth: str | Path,
    images: str | Path,
    predicted: str | Path,
    output: str | Path,
    condition: Mapping[str, object],
    data_split: str,
    small_objects_threshold: int,
    threads: int,
) -> None:
    """Score every predicted image of a run against the truth.

    Parameters
    ----------
    truth, predicted : npz; member ``<image>`` is an ndarray of shape (H, W), int32
        Every predicted image needs a true one. True images that were not predicted are passed
        over: prediction chooses which images are scored.
    images : Parquet with columns image and cell_type
    output : CSV of two rows an image, sorted by image
        Columns are :data:`CONDITION`, data_split, image, cell_type, small_objects and
        :data:`cellseg.metrics.COLUMNS`.
    condition : dataset, model, heads, subset and seed of the run
    data_split : the split that the images are of
    small_objects_threshold : pixels, see :func:`cellseg.metrics.score_image`
    threads : number of processes; the result is the same for any

    Raises
    ------
    UserError
        An image has no true labels, no row in the table, or another shape than its true labels.
    """
    table = pd.read_parquet(images, columns=["image", "cell_type"])
    cell_type = dict(zip(table["image"], table["cell_type"], strict=True))
    with np.load(predicted) as stack:
        names = sorted(stack.files)
    if not names:
        raise UserError(f"{predicted} holds no image. Delete it and run again.")
    with np.load(truth) as stack:
        _require(names, stack.files, predicted, truth)
    _require(names, cell_type, predicted, images)

    work = partial(_score_image, truth, predicted, small_objects_threshold)
    rows = []
    for name, scores in zip(names, ordered_map(work, names, threads), strict=True):
        about = {"data_split": data_split, "image": name, "cell_type": cell_type[name]}
        rows += [
            {**{axis: condition[axis] for axis in CONDITION}, **about, **score} for score in scores
        ]
    scores = pd.DataFrame(rows)
    with replacing(output) as temporary:
        scores.to_csv(temporary, index=False)
    kept = scores[scores["small_objects"] == "kept"]
    print(
        f"Scored {len(names)} images, {kept['n_true'].sum()} true and {kept['n_pred'].sum()} "
        f"predicted cells: F1 at IoU 0.5 {kept['f1_50'].mean():.3f}, "
        f"pixel IoU {kept['pixel_iou'].mean():.3f}, both means over images."
    )


def _score_image(
    truth: str | Path, predicted: str | Path, small_objects_threshold: int, image: str
) -> list[dict]:
    with np.load(truth) as true_stack, np.load(predicted) as pred_stack:
        true, pred = true_stack[image], pred_stack[image]
    if true.shape != pred.shape:
        raise UserError(
            f"image {image} is {pred.shape[0]} x {pred.shape[1]} pixels in {predicted} but "
            f"{true.shape[0]} x {true.shape[1]} in {truth}. They come from different data: delete "
            "the older of the two files and run again."
        )
    return score_image(true, pred, small_objects_threshold)


def _require(names: list[str], known, predicted: str | Path, where: str | Path) -> None:
    known = set(known)
    missing = [name for name in names if name not in known]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(
            f"{len(missing)} of {len(names)} images of {predicted} are not in {where}: "
            f"{', '.join(missing[:3])}{more}. The data set has changed since the prediction: "
            "delete the prediction and run again."
        )
