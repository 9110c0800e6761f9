"""The label images of a run to ``metrics.csv``, ``coco.csv`` and ``sizes.csv``."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.data import true_cells
from cellseg.errors import UserError
from cellseg.inference import instance_store
from cellseg.io import csv_file, made_files
from cellseg.io.atomic import open_stack
from cellseg.io.wording import number_of
from cellseg.runtime.parallel import ordered_map
from cellseg.scoring import by_size as size_scores
from cellseg.scoring import found_nothing
from cellseg.scoring.coco_average_precision import ImageMatches, coco_scores, match_cells
from cellseg.scoring.instance_matches import match_instances
from cellseg.scoring.names import ALL_TYPES, BY_RANK, CONDITION
from cellseg.scoring.objects import score_tables
from cellseg.scoring.overlaps import treatments
from cellseg.scoring.pooled_pixels import pixel_counts
from cellseg.segmentation import confidence as cell_scores
from cellseg.targets.instances import HEAD

SIZE_COLUMNS = [*CONDITION, "data_split", "cell_type", "small_objects", *size_scores.COLUMNS]

Job = tuple[str, np.ndarray]  # an image and the scores of its predicted cells
Scored = tuple[list[dict], dict[str, ImageMatches], dict[str, np.ndarray]]


def score_run(
    truth: str | Path,
    true_outlines: str | Path,
    images: str | Path,
    predicted: str | Path,
    predicted_cells: str | Path,
    output: str | Path,
    coco_output: str | Path,
    sizes_output: str | Path,
    condition: Mapping[str, object],
    data_split: str,
    min_size: int,
    threads: int,
    steps: int | None = None,
    instances: str | Path | None = None,
) -> None:
    """Score every predicted image of a run against the truth.

    Parameters
    ----------
    truth, predicted : npz; member ``<image>`` is an ndarray of shape (H, W), int32
        Every predicted image needs a true one. True images that were not predicted are passed
        over: prediction chooses which images are scored.
    true_outlines : npz of :func:`cellseg.data.true_cells.arrays`, for the COCO scores
    images : Parquet with columns image and cell_type
    predicted_cells : Parquet of :mod:`cellseg.segmentation.confidence`
    output : CSV of two rows an image, sorted by image
        Columns are ``CONDITION``, data_split, image, cell_type, small_objects, ``COLUMNS`` of
        :mod:`cellseg.scoring.names`, and ``COUNTS`` of :mod:`cellseg.scoring.pooled_pixels`.
    coco_output : CSV of two rows a cell type, and two of all images
        Columns are ``CONDITION``, data_split, cell_type, small_objects and ``COCO_SCORES``, which
        are of the cells of all images together.
    sizes_output : CSV of two rows an octave of area for each cell type, and two of all images
        Columns are ``CONDITION``, data_split, cell_type, small_objects and ``COLUMNS`` of
        :mod:`cellseg.scoring.by_size`.
    condition : dataset, model, heads, subset and seed of the run
    data_split : the split that the images are of
    min_size : pixels, see :func:`cellseg.scoring.objects.score_image`
    threads : processes at once; the result is the same for any
    steps : of the training, named where the network found almost nothing; None for not known
    instances : detections of a detector, :mod:`cellseg.inference.instance_store`. The COCO scores
        are then of all of them, which may overlap, whatever thresholds painted the label images

    Raises
    ------
    UserError
        An image has no true labels, no row in the table, or another shape than its true labels.
    """
    table = made_files.read_parquet(images, columns=["image", "cell_type"])
    cell_type = dict(zip(table["image"], table["cell_type"], strict=True))
    names = sorted(open_stack(predicted).files)
    if not names:
        raise UserError(f"{predicted} holds no image. Delete it and run again.")
    for path in (truth, true_outlines):
        known = {name.removesuffix("/shape") for name in open_stack(path).files}
        _require(names, known, predicted, path)
    _require(names, cell_type, predicted, images)
    confidence = cell_scores.read(predicted_cells)
    # Another program may give no scores. Without an order of cells there is no average precision.
    ranked = all(np.isfinite(scores).all() for scores in confidence.values())
    if not ranked:
        confidence = {image: np.zeros(len(scores)) for image, scores in confidence.items()}

    work = partial(_score_image, truth, true_outlines, predicted, instances, min_size)
    jobs = [(name, confidence.get(name, np.zeros(0))) for name in names]
    about = {axis: condition[axis] for axis in CONDITION} | {"data_split": data_split}
    rows, matches, octaves = [], {}, {}
    for name, (scores, matched, sizes) in zip(names, ordered_map(work, jobs, threads), strict=True):
        image = {**about, "image": name, "cell_type": cell_type[name]}
        rows += [{**image, **score} for score in scores]
        for small_objects, match in matched.items():
            for group in (ALL_TYPES, cell_type[name]):
                matches.setdefault((group, small_objects), []).append(match)
                octaves.setdefault((group, small_objects), []).append(sizes[small_objects])
    scores = pd.DataFrame(rows)
    groups = sorted(matches, key=lambda group: (group[0] != ALL_TYPES, *group))
    coco = pd.DataFrame(
        [
            {**about, "cell_type": group[0], "small_objects": group[1]}
            | _coco_scores(matches[group], ranked)
            for group in groups
        ]
    )
    by_size = size_scores.rows({group: octaves[group] for group in groups})
    sizes = pd.DataFrame([{**about, **row} for row in by_size], columns=SIZE_COLUMNS)
    csv_file.write(sizes_output, sizes)
    csv_file.write(coco_output, coco)
    csv_file.write(output, scores)
    kept = scores[scores["small_objects"] == "kept"]
    print(
        f"Scored {len(names)} images, {kept['n_true'].sum()} true and {kept['n_pred'].sum()} "
        f"predicted cells: F1 at IoU 0.5 {kept['f1_50'].mean():.3f}, "
        f"pixel IoU {kept['pixel_iou'].mean():.3f}, both means over images; "
        + (f"COCO AP {coco['ap'].iloc[0]:.3f}." if ranked else "no COCO AP: cells have no scores.")
    )
    counts = [int(kept[name].sum()) for name in ("n_true", "n_pred")]
    where = f"{number_of(len(names), 'image')} of the {data_split} split"
    said = found_nothing.warning(*counts, kept["f1_50"].mean(), where, steps)
    if said:
        print(said)


def _coco_scores(matches: list[ImageMatches], ranked: bool) -> dict[str, float]:
    """COCO scores; only recalls of cells that have no scores, which precisions rank by."""
    scores = coco_scores(matches)
    return scores if ranked else scores | dict.fromkeys(BY_RANK, np.nan)


def _score_image(
    truth: str | Path,
    true_outlines: str | Path,
    predicted: str | Path,
    instances: str | Path | None,
    min_size: int,
    job: Job,
) -> Scored:
    image, confidence = job
    true, pred = open_stack(truth)[image], open_stack(predicted)[image]
    if true.shape != pred.shape:
        raise UserError(
            f"image {image} is {pred.shape[0]} x {pred.shape[1]} pixels in {predicted} but "
            f"{true.shape[0]} x {true.shape[1]} in {truth}: the image was replaced after it was "
            "annotated. Put the annotated one there, or correct its annotation; then delete "
            f"{predicted} and run again."
        )
    if pred.max(initial=0) != len(confidence):
        raise UserError(
            f"image {image} has {pred.max(initial=0)} cells in {predicted}, and {len(confidence)} "
            "in the table of cells next to it. Delete both and run again."
        )
    outlines = true_cells.read(open_stack(true_outlines), image)
    if instances is None:
        matched = [match_cells(outlines, pred, confidence, least) for least in (0, min_size)]
    else:
        found = instance_store.open(instances).read(image)[HEAD]
        matched = match_instances(outlines, found, (0, min_size))
    matches = dict(zip(("kept", "removed"), matched, strict=True))
    tables = treatments(true, pred, min_size)
    sizes = {name: size_scores.by_octave(table) for name, table in tables.items()}
    scores = [
        score | pixel_counts(table)
        for score, table in zip(score_tables(tables), tables.values(), strict=True)
    ]
    return scores, matches, sizes


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
