"""Pasting and painting of instances against a plain reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from cellseg.segmentation import painted
from cellseg.segmentation.instances import paint, paste
from cellseg.segmentation.methods import painting
from cellseg.targets.instances import Detections

SHAPE = (40, 50)


def pasted_plainly(box, mask, shape):
    """The whole image of one instance, by scipy, and where it is defined."""
    size = len(mask)
    rows, columns = np.indices(shape) + 0.5
    x0, y0, x1, y1 = box
    at = (rows - y0) / (y1 - y0) * size - 0.5, (columns - x0) / (x1 - x0) * size - 0.5
    inside = (rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1)
    framed = np.pad(mask.astype(float), 1)
    values = map_coordinates(framed, [axis + 1 for axis in at], order=1, mode="constant")
    return np.where(inside, values, 0)


def painted_plainly(boxes, scores, masks, shape, mask_threshold, score_threshold, min_size):
    labels = np.zeros(shape, int)
    order = [n for n in np.argsort(-scores, kind="stable") if scores[n] >= score_threshold]
    for number, at in enumerate(order, 1):
        values = pasted_plainly(boxes[at], masks[at], shape)
        labels[(values >= mask_threshold) & (values > 0) & (labels == 0)] = number
    kept, result = [], np.zeros(shape, int)
    for number, at in enumerate(order, 1):
        if (labels == number).sum() >= max(1, min_size):
            kept.append(scores[at])
            result[labels == number] = len(kept)
    return result, np.array(kept)


def drawn(seed, number, shape=SHAPE, size=28):
    """Boxes, also beyond the image and a pixel small, with scores and smooth masks."""
    random = np.random.default_rng(seed)
    middle = random.uniform(-5, 55, (number, 2))
    half = random.uniform(0.3, 15, (number, 2))
    boxes = np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)
    scores = random.choice([0.02, 0.3, 0.5, 0.9], number)
    return boxes, scores, random.random((number, size, size)).astype(np.float32)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6))
def test_pasting_equals_a_plain_reference(seed):
    boxes, _, masks = drawn(seed, 1)
    crop, (row, column) = paste(boxes[0], masks[0], SHAPE)
    whole = np.zeros(SHAPE)
    whole[row : row + crop.shape[0], column : column + crop.shape[1]] = crop
    np.testing.assert_allclose(whole, pasted_plainly(boxes[0], masks[0], SHAPE), atol=2e-5)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(0, 12), st.sampled_from([0, 30]))
def test_painting_equals_a_plain_reference(seed, number, min_size):
    boxes, scores, masks = drawn(seed, number)
    masks = np.rint(masks * 255).astype(np.uint8)  # as they are stored
    options = {"mask_threshold": 0.4501, "score_threshold": 0.3, "min_size": min_size}
    labels, kept = paint(boxes, scores, masks, SHAPE, **options)
    plain, plainly_kept = painted_plainly(boxes, scores, masks / 255, SHAPE, **options)
    assert labels.dtype == np.int32
    # A pixel may differ where a float32 probability is the threshold but for rounding.
    assert (labels != plain).sum() <= 1
    np.testing.assert_array_equal(kept, plainly_kept)


def test_the_more_confident_instance_owns_the_overlap():
    boxes = np.array([[0, 0, 20, 10], [10, 0, 30, 10]])
    labels, scores = paint(boxes, np.array([0.6, 0.9]), np.ones((2, 28, 28)), (10, 30))
    assert (labels[:, 10:30] == 1).all() and (labels[:, :10] != 1).all()
    assert scores.tolist() == [0.9, 0.6]


def test_a_cell_that_is_left_small_is_removed_and_numbers_have_no_gap():
    boxes = np.array([[0, 0, 20, 20], [1, 1, 19, 21.6], [25, 0, 35, 10]])
    labels, scores = paint(
        boxes, np.array([0.9, 0.8, 0.7]), np.ones((3, 28, 28)), (30, 40), min_size=40
    )
    assert np.unique(labels).tolist() == [0, 1, 2]
    assert scores.tolist() == [0.9, 0.7]


def test_painted_detections_go_with_their_labels():
    boxes, scores, masks = drawn(seed=4, number=12)
    found = Detections(SHAPE, boxes, scores.astype(np.float32), np.rint(masks * 255).astype("u1"))
    settings_of_run = {"method": "painting", "score_threshold": 0.3, "min_size": 5}
    labels, kept = painting.segment({"instances": found}, settings_of_run)
    chosen = painted.detections(found, settings_of_run)
    assert 1 < labels.max() == len(chosen.scores) < 12
    np.testing.assert_array_equal(chosen.scores, kept)
    for label, (left, upper, right, lower) in enumerate(chosen.boxes, 1):
        rows, columns = np.nonzero(labels == label)
        assert left <= columns.min() + 0.5 and columns.max() + 0.5 < right
        assert upper <= rows.min() + 0.5 and rows.max() + 0.5 < lower


def test_no_instances():
    labels, scores = paint(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 28, 28)), (5, 6))
    assert labels.shape == (5, 6) and not labels.any() and len(scores) == 0


@pytest.mark.parametrize(
    "boxes, scores, masks",
    [
        (np.zeros((2, 4)), np.zeros(1), np.zeros((2, 28, 28))),
        (np.zeros((1, 4)), np.zeros(1), np.zeros((1, 28, 27))),
        (np.full((1, 4), np.nan), np.zeros(1), np.zeros((1, 28, 28))),
    ],
)
def test_arrays_that_do_not_fit_are_refused(boxes, scores, masks):
    with pytest.raises(ValueError):
        paint(boxes, scores, masks, (5, 6))


def test_a_box_without_area_paints_nothing():
    boxes = np.array([[3.0, 3, 3, 8], [8, 8, 2, 2]])
    labels, _ = paint(boxes, np.ones(2), np.ones((2, 28, 28)), (10, 10))
    assert not labels.any()


def test_values_at_the_thresholds_are_kept():
    boxes, masks = np.float32([[0, 0, 8, 8]]), np.full((1, 8, 8), 0.5, np.float32)
    at = {"mask_threshold": 0.5, "score_threshold": 0.25, "min_size": 64}
    labels, scores = paint(boxes, np.float32([0.25]), masks, (8, 8), **at)
    assert (labels == 1).all() and scores.tolist() == [0.25]
    for name, above in (("mask_threshold", 0.51), ("score_threshold", 0.26), ("min_size", 65)):
        assert not paint(boxes, np.float32([0.25]), masks, (8, 8), **{**at, name: above})[0].any()
