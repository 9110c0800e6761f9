"""Detections of several runs, fused: boxes, masks and scores of the same cell are averaged.

What the runs stored is enough: none of their networks is needed. Images that no run has stored are
predicted by :mod:`.fused_run`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cellseg.errors import UserError
from cellseg.inference import instance_store
from cellseg.inference.box_overlap import same_cells
from cellseg.targets.instances import HEAD, SIDE, WHITE, Detections, rounded

SAME = 0.5
"""IoU of boxes from which they are the same cell, where no study says another."""
MOST = 2000
"""Detections of an image that are kept, the best: as many as COCO scores look at."""


def fuse_runs(
    paths: Sequence[str | Path], weights: Sequence[float], iou: float, output: str | Path
) -> list[str]:
    """Fuse the detections of those images that all runs predicted.

    Parameters
    ----------
    paths : detections of each run, see :mod:`cellseg.inference.instance_store`
    weights : of each run
    iou : of a box and the mean box of a cell, from which they are the same
    output : to write, of the same kind; it says how the runs were predicted

    Returns
    -------
    list of str : the images, sorted

    Raises
    ------
    UserError
        The runs have no image in common, or one of another size, or were predicted in different
        ways; a file is damaged.
    """
    stores = [instance_store.open(path) for path in paths]
    images = sorted(set.intersection(*(set(store.images) for store in stores)))
    if not images:
        raise UserError(
            f"{paths[0]} and the {len(paths) - 1} other runs to fuse have no image in common. Fuse "
            "runs of the same images: leave `seed` of `members` out, or use a subset that draws no "
            "images by seed."
        )

    for path, store in zip(paths, stores, strict=True):
        if store.prediction != stores[0].prediction:
            raise UserError(
                f"{path} was predicted with {store.prediction}, and {paths[0]} with "
                f"{stores[0].prediction}: what is fused would have no settings of a prediction. "
                f"Predict both under one config: snakemake --cores 4 {path} {paths[0]}"
            )

    def fused() -> Iterator[tuple[str, Detections]]:
        for image in images:
            found = [store.read(image)[HEAD] for store in stores]
            if len({one.shape for one in found}) > 1:
                raise UserError(
                    f"{image} has {found[0].shape} pixels in {paths[0]} and another size in other "
                    "runs to fuse. Predict them again from the same images."
                )
            yield image, fuse(found, weights, iou)

    instance_store.write(output, fused(), stores[0].prediction)
    return images


def fuse(found: Sequence[Detections], weights: Sequence[float], iou: float) -> Detections:
    """Fuse the detections of several detectors in one image.

    Boxes of the same cell (:func:`cellseg.inference.box_overlap.same_cells`) and their masks are
    averaged, weighted by score and detector. A cell's score is the weighted mean of the scores of
    *all* detectors, 0 for one that has not found it: what few of them find is less certain.

    Parameters
    ----------
    found : of each detector, in an image of the same shape
    weights : of each detector, above 0
    iou : see :func:`fuse_runs`

    Returns
    -------
    Detections
        The best :data:`MOST`, best first.
    """
    boxes, scores, masks = (
        np.concatenate([getattr(one, name) for one in found])
        for name in ("boxes", "scores", "probabilities")
    )
    members = np.repeat(np.arange(len(found)), [len(one.scores) for one in found])
    trust = np.asarray(weights, np.float64)[members] * scores
    cells = same_cells(boxes, trust, members, iou)
    number = int(cells.max()) + 1 if len(cells) else 0
    sums = np.bincount(cells, trust, number)
    kept = np.argsort(-sums, kind="stable")[:MOST]
    # Scores of 0 alone have equal shares.
    equal = 1 / np.bincount(cells, minlength=number)
    shares = np.where(sums[cells] > 0, trust / np.where(sums > 0, sums, 1)[cells], equal[cells])
    mean = np.zeros((number, 4))
    np.add.at(mean, cells, shares[:, None] * boxes)
    probabilities = np.zeros((number, SIDE, SIDE), np.float32)
    moved = _moved(masks.astype(np.float32) / np.float32(WHITE), boxes, mean[cells])
    np.add.at(probabilities, cells, shares[:, None, None].astype(np.float32) * moved)
    return Detections(
        found[0].shape,
        mean[kept].astype(np.float32),
        (sums[kept] / np.sum(weights)).astype(np.float32),
        rounded(probabilities[kept]),
    )


def _moved(masks: np.ndarray, boxes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Masks of boxes as they are in other boxes: (n, m, m), float32.

    Interpolated bilinearly, and 0 beyond the outermost centres, as cells are painted.
    """
    rows, columns = (
        _interpolation(boxes[:, [axis, axis + 2]], targets[:, [axis, axis + 2]], masks.shape[1])
        for axis in (1, 0)
    )
    return rows @ masks @ columns.transpose(0, 2, 1)


def _interpolation(sides: np.ndarray, targets: np.ndarray, size: int) -> np.ndarray:
    """Along one axis, the share of each pixel of a side in each pixel of its target: (n, m, m)."""
    sides, targets = sides.astype(np.float64), targets.astype(np.float64)
    centres = (np.arange(size) + 0.5) / size
    places = targets[:, :1] + centres * (targets[:, 1:] - targets[:, :1])
    lengths = np.maximum(sides[:, 1:] - sides[:, :1], 1e-6)
    at = (places - sides[:, :1]) / lengths * size - 0.5
    return np.maximum(0, 1 - np.abs(at[:, :, None] - np.arange(size))).astype(np.float32)
