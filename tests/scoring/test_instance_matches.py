"""COCO scores of detections whose masks overlap, against pycocotools."""

import numpy as np
import pytest
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cellseg.data.true_cells import draw
from cellseg.scoring.coco_average_precision import coco_scores
from cellseg.scoring.instance_matches import SCORE_FLOOR, match_instances
from cellseg.segmentation import instances
from cellseg.targets.instances import Detections, rounded

SHAPE = (96, 120)


def _ellipse(random, at=None):
    y, x = (random.uniform(0, 96), random.uniform(0, 120)) if at is None else at
    rows, columns = np.indices(SHAPE)
    a, b = random.uniform(4, 20, 2)
    return ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 <= 1, (y, x)


def _image(seed):
    """True cells that overlap, and detections near them, in any order."""
    random = np.random.default_rng(seed)
    drawn = [_ellipse(random) for _ in range(30)]
    boxes = []
    for _, (y, x) in drawn:
        for _ in range(2):
            y0, x0 = y - random.uniform(4, 18), x - random.uniform(4, 18)
            boxes.append([x0, y0, x0 + random.uniform(8, 36), y0 + random.uniform(8, 36)])
    side = np.indices((28, 28)) - 13.5
    disc = ((side**2).sum(axis=0) <= 13.5**2) * random.uniform(0.4, 1, (len(boxes), 1, 1))
    scores = random.choice([0.02, 0.3, 0.5, 0.9], len(boxes)) + random.integers(3) * 0.01
    found = Detections(
        SHAPE, np.float32(boxes), scores.astype(np.float32), rounded(disc.astype(np.float32))
    )
    return [mask for mask, _ in drawn if mask.any()], found


def _rle(mask):
    return masks.encode(np.asfortranarray(mask.astype(np.uint8)))


def _whole(found, number):
    mask = np.zeros(found.shape, bool)
    probabilities = found.probabilities[number].astype(np.float32) / np.float32(255)
    crop, (row, column) = instances.paste(found.boxes[number], probabilities, found.shape)
    mask[row : row + crop.shape[0], column : column + crop.shape[1]] = crop >= 0.5
    return mask


def _reference(images):
    truth = {"images": [], "annotations": [], "categories": [{"id": 1}]}
    results = []
    for number, (true, found) in enumerate(images, start=1):
        truth["images"].append({"id": number, "height": SHAPE[0], "width": SHAPE[1]})
        for mask in true:
            truth["annotations"].append(
                {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": 1,
                 "iscrowd": 0, "area": int(mask.sum()), "segmentation": _rle(mask)}
            )  # fmt: skip
        results += [
            {"image_id": number, "category_id": 1, "score": float(found.scores[one]),
             "segmentation": _rle(_whole(found, one))}
            for one in range(len(found.scores)) if found.scores[one] >= SCORE_FLOOR
        ]  # fmt: skip
    coco = COCO()
    coco.dataset = truth
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes(results), "segm")
    evaluation.params.maxDets = [1, 100, 2000]
    evaluation.params.areaRng = [[0, 1e10], [0, 324], [324, 961], [961, 1e10]]
    evaluation.evaluate()
    evaluation.accumulate()
    precision, recall = (evaluation.eval[name] for name in ("precision", "recall"))

    def mean(values):
        return float(values[values > -1].mean()) if (values > -1).any() else np.nan

    best = precision[:, :, 0, :, -1]
    return {
        "ap": mean(best[..., 0]), "ap50": mean(best[0, :, 0]), "ap75": mean(best[5, :, 0]),
        "aps": mean(best[..., 1]), "apm": mean(best[..., 2]), "apl": mean(best[..., 3]),
        "ar2000": mean(recall[:, 0, 0, -1]),
    }  # fmt: skip


@pytest.mark.parity
def test_scores_of_overlapping_masks_are_those_of_pycocotools():
    images = [_image(seed) for seed in range(4)]
    assert any(np.add.reduce(true).max() > 1 for true, _ in images)
    matches = [
        match_instances(draw([_rle(mask) for mask in true], *SHAPE), found)[0]
        for true, found in images
    ]
    scores = coco_scores(matches)
    for name, value in _reference(images).items():
        assert scores[name] == pytest.approx(value, abs=1e-12, nan_ok=True), name
    assert scores["afnr"] == 1 - scores["ar2000"]
    assert 0.05 < scores["ap50"] < 0.95


def test_small_cells_of_both_kinds_are_removed_and_none_counts_below_the_floor():
    true, found = _image(0)
    cells = draw([_rle(mask) for mask in true], *SHAPE)
    all_sizes, large = match_instances(cells, found, (0, 400))
    counted = found.scores >= np.float32(SCORE_FLOOR)
    assert len(all_sizes.score) == counted.sum() < len(found.scores)
    sizes = np.array([_whole(found, one).sum() for one in np.flatnonzero(counted)])
    assert len(large.score) == np.count_nonzero(sizes >= 400)
    assert large.n_true[0] == np.count_nonzero(cells.pixels >= 400)


def test_nothing_found_and_nothing_there():
    nothing = Detections(SHAPE, np.zeros((0, 4), np.float32), np.zeros(0, np.float32),
                         np.zeros((0, 28, 28), np.uint8))  # fmt: skip
    matches = match_instances(draw([], *SHAPE), nothing)[0]
    assert matches.outcome.shape == (0, 4, 10) and matches.n_true.sum() == 0
