"""Detections of several runs, fused into those of one."""

from pathlib import Path

import numpy as np
import pytest

from cellseg.errors import UserError
from cellseg.inference import fused_run, fusion, instance_store
from cellseg.inference.box_overlap import same_cells
from cellseg.segmentation import instances
from cellseg.targets.instances import HEAD, SIDE, Detections

SHAPE = (60, 80)


def _found(boxes, scores, value=255):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    masks = np.full((len(boxes), SIDE, SIDE), value, np.uint8)
    return Detections(SHAPE, boxes, np.array(scores, np.float32), masks)


def test_equal_detections_stay_as_they_are():
    random = np.random.default_rng(0)
    places = np.array([(x, y) for x in (5, 30, 55) for y in (5, 30)]) + random.uniform(0, 3, (6, 2))
    masks = random.integers(0, 256, (6, SIDE, SIDE)).astype(np.uint8)
    scores = np.sort(random.uniform(0.1, 1, 6).astype(np.float32))[::-1]
    one = Detections(SHAPE, np.hstack([places, places + 15]).astype(np.float32), scores, masks)
    fused = fusion.fuse([one, one, one], [1, 1, 1], 0.5)
    np.testing.assert_allclose(fused.boxes, one.boxes, rtol=1e-6)
    np.testing.assert_allclose(fused.scores, one.scores, rtol=1e-6)
    np.testing.assert_array_equal(fused.probabilities, one.probabilities)


def test_boxes_masks_and_scores_are_weighted_means():
    """A cell in two of three detectors: by hand."""
    first, second = _found([[10, 10, 30, 30]], [0.9], 200), _found([[14, 10, 34, 30]], [0.6], 100)
    fused = fusion.fuse([first, second, _found([], [])], [1, 3, 1], 0.5)
    trust = np.array([0.9, 3 * 0.6])
    shares = trust / trust.sum()
    assert fused.scores == pytest.approx([trust.sum() / 5])
    left = 10 * shares[0] + 14 * shares[1]
    np.testing.assert_allclose(fused.boxes, [[left, 10, left + 20, 30]], rtol=1e-6)
    middle = fused.probabilities[0, SIDE // 2, SIDE // 2]
    assert middle == round(200 * shares[0] + 100 * shares[1])
    # Where the first one's box ends, its mask falls to 0.
    assert fused.probabilities[0, SIDE // 2, -1] == pytest.approx(100 * shares[1], abs=1)


def test_a_mask_in_a_moved_box_is_painted_in_its_place():
    """Masks are moved with their boxes, so that the mean of equal shapes is that shape."""
    random = np.random.default_rng(1)
    blob = np.hypot(*(np.indices((SIDE, SIDE)) - 13.5)) < 10
    one = Detections(SHAPE, np.float32([[12, 8, 52, 44]]), np.float32([0.8]),
                     (255 * blob[None]).astype(np.uint8))  # fmt: skip
    target = one.boxes + random.uniform(-2, 2, 4).astype(np.float32)
    moved = fusion._moved(one.probabilities / np.float32(255), one.boxes, target)
    expected, (row, column) = instances.paste(one.boxes[0], one.probabilities[0] / 255, SHAPE)
    whole = np.zeros(SHAPE, np.float32)
    whole[row : row + expected.shape[0], column : column + expected.shape[1]] = expected
    found, (row, column) = instances.paste(target[0], moved[0], SHAPE)
    again = np.zeros(SHAPE, np.float32)
    again[row : row + found.shape[0], column : column + found.shape[1]] = found
    assert ((whole >= 0.5) != (again >= 0.5)).sum() <= 0.05 * (whole >= 0.5).sum()


def test_touching_cells_of_one_detector_stay_apart():
    """Two of one detector overlap more than either overlaps what the other one found."""
    first = _found([[0, 0, 20, 20], [4, 0, 24, 20]], [0.9, 0.8])
    second = _found([[1, 0, 21, 20], [5, 0, 25, 20]], [0.7, 0.6])
    fused = fusion.fuse([first, second], [1, 1], 0.5)
    assert len(fused.scores) == 2
    np.testing.assert_allclose(fused.scores, [0.8, 0.7])
    assert 0 <= fused.boxes[0, 0] <= 1 and 4 <= fused.boxes[1, 0] <= 5


@pytest.mark.parametrize(("iou", "number"), [(0.5, 1), (0.7, 2)])
def test_the_overlap_decides_what_is_the_same(iou, number):
    boxes = np.float32([[0, 0, 20, 20], [4, 0, 24, 20]])  # IoU 2/3
    cells = same_cells(boxes, np.float32([0.9, 0.5]), np.array([0, 1]), iou)
    assert len(set(cells.tolist())) == number


def test_as_many_cells_are_kept_as_scores_look_at(monkeypatch):
    monkeypatch.setattr(fusion, "MOST", 2)
    boxes = [[20 * n, 0, 20 * n + 15, 15] for n in range(3)]
    fused = fusion.fuse([_found(boxes, [0.3, 0.9, 0.6])], [1], 0.5)
    assert fused.scores == pytest.approx([0.9, 0.6]) and len(fused.boxes) == 2


@pytest.mark.parametrize(("iou", "scores"), [(0.5, [0.5]), (0.7, [0.45, 0.15])])
def test_a_fused_run_is_predicted_as_its_settings_say(iou, scores, monkeypatch):
    """Weights and overlap, as where the rules fuse what members stored."""
    made = {"a": _found([[0, 0, 20, 20]], [0.6]), "b": _found([[4, 0, 24, 20]], [0.2])}
    weighted = [fused_run.Member(Path(name), weight) for name, weight in (("a", 3), ("b", 1))]
    monkeypatch.setattr(fused_run, "members", lambda run, folder: weighted)
    monkeypatch.setattr(fused_run, "read", lambda folder: {"model": {}})
    by = fused_run.by_members(lambda model: None)
    detect = by(lambda own, family, folder, options: lambda image: made[folder.name],
                {"model": {"iou": iou}}, None, Path(), {})  # fmt: skip
    expected = fusion.fuse(list(made.values()), [3, 1], iou)
    found = detect(None)
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert len(found.scores) == len(scores)


def test_nothing_and_scores_of_zero_are_fused():
    empty = fusion.fuse([_found([], []), _found([], [])], [1, 1], 0.5)
    assert empty.boxes.shape == (0, 4) and empty.probabilities.shape == (0, SIDE, SIDE)
    zero = fusion.fuse([_found([[0, 0, 9, 9]], [0]), _found([[1, 0, 10, 9]], [0])], [1, 1], 0.5)
    np.testing.assert_allclose(zero.boxes, [[0.5, 0, 9.5, 9]])
    assert zero.scores.tolist() == [0]


def test_runs_are_fused_on_the_images_that_they_share(tmp_path):
    one = _found([[10, 10, 30, 30]], [0.9])
    instance_store.write(tmp_path / "a.zip", [("x", one), ("y", one)])
    instance_store.write(tmp_path / "b.zip", [("y", one), ("z", one)])
    paths = [tmp_path / "a.zip", tmp_path / "b.zip"]
    assert fusion.fuse_runs(paths, [1, 1], 0.5, tmp_path / "fused.zip") == ["y"]
    store = instance_store.open(tmp_path / "fused.zip")
    assert store.images == ["y"] and store.prediction is None
    assert store.read("y")[HEAD].scores == pytest.approx([0.9])
    instance_store.write(tmp_path / "b.zip", [("y", one)], {"window": 64})
    with pytest.raises(UserError, match=r"b\.zip was predicted with .*64.*, and .*a\.zip"):
        fusion.fuse_runs(paths, [1, 1], 0.5, tmp_path / "fused.zip")
    instance_store.write(tmp_path / "b.zip", [("z", one)])
    with pytest.raises(UserError, match=r"no image in common.*`members`"):
        fusion.fuse_runs(paths, [1, 1], 0.5, tmp_path / "fused.zip")
