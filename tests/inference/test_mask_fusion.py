"""Detections of several networks fused into one set of cells."""

import numpy as np
import pytest

from cellseg.inference import mask_fusion
from cellseg.targets.instances import Detections

SHAPE = (60, 80)


def found(*cells):
    """Detections of (box, score, part of the mask that is cell: rows from, to), or whole masks."""
    masks = np.zeros((len(cells), 28, 28), np.uint8)
    for number, (_, _, *rows) in enumerate(cells):
        start, end = rows[0] if rows else (0, 28)
        masks[number, start:end] = 255
    boxes = np.float32([box for box, _, *_ in cells]).reshape(-1, 4)
    return Detections(SHAPE, boxes, np.float32([score for _, score, *_ in cells]), masks)


def test_a_cell_of_all_networks_has_the_mean_by_the_scores():
    one, two = found(((10, 10, 20, 20), 0.8)), found(((12, 10, 22, 20), 0.4))
    fused = mask_fusion.fused([one, two])
    np.testing.assert_allclose(fused.boxes, [[10 + 2 / 3, 10, 20 + 2 / 3, 20]], rtol=1e-6)
    np.testing.assert_allclose(fused.scores, [0.6], rtol=1e-6)
    # From 12 on both say cell; before, only the first, which has two thirds of the weight.
    assert (fused.probabilities[0, :, 5:24] == 255).all()
    np.testing.assert_allclose(fused.probabilities[0, :, :3], 170, atol=1)
    assert fused.shape == SHAPE


def test_equal_detections_stay_and_one_of_few_networks_loses_score():
    cells = found(((10, 10, 30, 20), 0.9, (4, 20)), ((40, 30, 60, 50), 0.5))
    same = mask_fusion.fused([cells, cells, cells])
    np.testing.assert_allclose(same.scores, cells.scores, rtol=1e-6)
    np.testing.assert_allclose(same.boxes, cells.boxes, rtol=1e-6)
    assert np.abs(same.probabilities.astype(int) - cells.probabilities).max() <= 1
    alone = mask_fusion.fused([cells, found(), found()])
    np.testing.assert_allclose(alone.scores, cells.scores / 3, rtol=1e-6)


def test_masks_decide_not_boxes():
    """Two cells in one box, as long ones that cross: each network's are kept apart."""
    upper, lower = ((10, 10, 30, 30), 0.9, (0, 12)), ((10, 10, 30, 30), 0.8, (16, 28))
    fused = mask_fusion.fused([found(upper, lower), found(lower, upper)])
    np.testing.assert_allclose(fused.scores, [0.9, 0.8], rtol=1e-6)
    assert (fused.probabilities[0, :12] == 255).all() and not fused.probabilities[0, 16:].any()
    apart = mask_fusion.fused([found(upper), found(lower)])
    np.testing.assert_allclose(apart.scores, [0.45, 0.4], rtol=1e-6)


def test_of_each_network_one_joins_that_overlaps_most():
    """Two of one network are two cells, as its own suppression left them."""
    first = found(((10, 10, 20, 20), 0.9))
    second = found(((13, 10, 23, 20), 0.8), ((10, 11, 20, 21), 0.7))
    fused = mask_fusion.fused([first, second])
    np.testing.assert_allclose(sorted(fused.scores), [0.4, 0.8], rtol=1e-6)
    assert fused.boxes[0][0] == 10 and fused.boxes[1][0] == 13


def test_the_order_of_networks_changes_nothing():
    random = np.random.default_rng(0)
    corners = random.uniform(0, 40, (30, 2))
    sets = []
    for number in range(3):
        cells = [((*(at + random.normal(0, 1, 2)), *(at + 12)), random.uniform(0.1, 1))
                 for at in corners[number:]]  # fmt: skip
        sets.append(found(*cells))
    one, other = mask_fusion.fused(sets), mask_fusion.fused(sets[::-1])
    assert 20 < len(one.scores) < 60
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-6)
    np.testing.assert_allclose(one.boxes, other.boxes, rtol=1e-5)
    assert (np.diff(one.scores) <= 0).all()


def test_no_cells_and_low_scores():
    assert len(mask_fusion.fused([found(), found()]).scores) == 0
    low = found(((10, 10, 20, 20), 0.08))
    assert len(mask_fusion.fused([low, found()]).scores) == 0
    empty = found(((10, 10, 20, 20), 0.9, (0, 0)), ((30, 30, 30, 40), 0.9))
    fused = mask_fusion.fused([empty, empty])
    assert len(fused.scores) == 4 and np.isfinite(fused.boxes).all()
    assert fused.probabilities.dtype == np.uint8


@pytest.mark.slow
def test_a_crowded_image_takes_seconds():
    random = np.random.default_rng(0)
    corners = random.uniform(0, 700, (3000, 2))
    cells = [((*at, *(at + 20)), 0.9) for at in corners]
    fused = mask_fusion.fused([found(*cells)] * 5)
    assert len(fused.scores) > 1000
