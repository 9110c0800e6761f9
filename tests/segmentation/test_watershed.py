"""From maps to cells, on maps of a few cells, and from a run's maps to its labels and cells."""

import numpy as np
import pytest

from cellseg.errors import UserError
from cellseg.inference import map_store
from cellseg.segmentation import cleanup, confidence, run, watershed
from cellseg.targets import heads as transforms


@pytest.fixture
def labels() -> np.ndarray:
    """Three cells, the first two touching."""
    row, column = np.mgrid[:34, :44]
    labels = np.zeros((34, 44), np.int32)
    for value, (y, x) in enumerate([(10, 10), (10, 23), (25, 32)], start=1):
        labels[(row - y) ** 2 + (column - x) ** 2 < 50] = value
    return labels


@pytest.fixture
def maps(labels) -> dict[str, np.ndarray]:
    """Perfect maps of all heads."""
    return {
        "inner-distance": transforms.inner_distance(labels)[..., None],
        "outer-distance": transforms.outer_distance(labels)[..., None],
        "fgbg": transforms.foreground(labels).astype(np.float32),
        "pixelwise": transforms.pixelwise(labels).astype(np.float32),
    }


def same_cells(found: np.ndarray, labels: np.ndarray, least: float = 0.6) -> bool:
    """Each true cell is covered to at least `least` by one found cell of its own."""
    best = [np.bincount(found[labels == value], minlength=2) for value in (1, 2, 3)]
    covered = [counts[1:].max() / counts.sum() >= least for counts in best]
    return all(covered) and len({counts[1:].argmax() for counts in best}) == 3


@pytest.mark.parametrize("peaks", ["h_maxima", "local_maxima"])
@pytest.mark.parametrize("combination", [
    "inner-distance+pixelwise",
    "inner-distance+fgbg",
    "outer-distance+pixelwise",
    "outer-distance+fgbg",
    "inner-distance+outer-distance",
    "inner-distance",
    "outer-distance",
    "inner-distance+outer-distance+fgbg+pixelwise",
])  # fmt: skip
def test_perfect_maps_give_the_cells_back(maps, labels, combination, peaks):
    chosen = {head: maps[head] for head in combination.split("+")}
    settings = {"peaks": peaks, "radius": 4}
    found = watershed.segment_maps(chosen, settings)
    assert found.dtype == np.int32
    assert found.max() == 3
    assert same_cells(found, labels)


@pytest.mark.parametrize("head", ["inner-distance", "outer-distance"])
def test_a_distance_as_mask_has_a_threshold_of_its_own(head):
    row, column = np.mgrid[-20:20, -20:20]
    disk = row**2 + column**2 < 12**2
    disks = np.kron([[1, 2], [3, 4]], disk).astype(np.int32)
    target = {
        "inner-distance": transforms.inner_distance,
        "outer-distance": transforms.outer_distance,
    }
    perfect = {head: target[head](disks)[..., None]}

    def pixel_iou(**settings) -> float:
        found = watershed.segment_maps(perfect, settings)
        assert found.max() == 4
        return ((found > 0) & (disks > 0)).sum() / ((found > 0) | (disks > 0)).sum()

    assert pixel_iou() > 0.9
    # The threshold of probabilities would leave the core of each cell only, and has no say here.
    assert pixel_iou(distance_threshold=0.3) < 0.5
    assert pixel_iou(interior_threshold=0.3) == pixel_iou()


def test_threshold_of_distances_leaves_probabilities_alone(maps):
    both = {head: maps[head] for head in ("inner-distance", "pixelwise")}
    found = watershed.segment_maps(both, {"interior_threshold": 0.3})
    other = watershed.segment_maps(both, {"interior_threshold": 0.3, "distance_threshold": 0.9})
    assert np.array_equal(found, other)


def test_heads_choose_markers_and_mask(maps):
    empty = np.zeros_like(maps["inner-distance"])
    without_markers = {**maps, "inner-distance": empty}
    assert not watershed.segment_maps(without_markers, {}).any()
    without_mask = {**maps, "pixelwise": np.zeros_like(maps["pixelwise"])}
    assert not watershed.segment_maps(without_mask, {}).any()
    # Outer distance and foreground are there, but not the first choice.
    others = {**maps, "outer-distance": empty, "fgbg": np.zeros_like(maps["fgbg"])}
    assert watershed.segment_maps(others, {}).max() == 3


def test_interior_alone_serves_for_both(maps, labels):
    found = watershed.segment_maps({"pixelwise": maps["pixelwise"]}, {})
    assert found.max() == 3
    assert same_cells(found, labels)


def test_a_sure_network_of_foreground_alone_gives_each_patch_once(labels):
    """It says 1 in several places of a cell, and a little less between them."""
    patches = np.isin(labels, [1, 3]).astype(np.float32)
    patches[:, [10, 32]] *= 0.9999
    found = watershed.segment_maps({"fgbg": np.stack([1 - patches, patches], axis=-1)}, {})
    assert found.max() == 2
    assert (found[labels == 1] == 1).mean() > 0.9 and (found[labels == 3] == 2).mean() > 0.9


def test_unknown_heads_are_refused(maps):
    with pytest.raises(UserError, match="contour"):
        watershed.segment_maps({"contour": maps["fgbg"]}, {})


@pytest.mark.parametrize("peaks", ["h_maxima", "local_maxima"])
def test_empty_maps_give_no_cells(peaks):
    zero = np.zeros((12, 15), np.float32)
    assert not watershed.segment(zero, zero, peaks=peaks).any()
    assert not watershed.segment(zero, zero + 1, peaks=peaks).any()


def test_small_cells_and_holes(maps):
    interior = maps["pixelwise"][..., 1].copy()
    interior[12, 20] = 0
    exact = {"interior_smooth": 0, "fill_holes_threshold": 2}
    inner = maps["inner-distance"][..., 0]
    filled = watershed.segment(inner, interior, **exact)
    assert filled[12, 20] == filled[12, 19] > 0
    assert watershed.segment(inner, interior, **{**exact, "fill_holes_threshold": 1})[12, 20] == 0
    areas = np.bincount(filled.ravel())[1:]
    kept = watershed.segment(inner, interior, **exact, min_size=int(areas.min()))
    assert kept.max() == 3
    fewer = watershed.segment(inner, interior, **exact, min_size=int(areas.min()) + 1)
    assert sorted(np.bincount(fewer.ravel())[1:]) == sorted(areas)[1:]


def test_remove_small_keeps_values():
    labels = np.array([[1, 0, 5, 5, 5, 9, 9]])
    assert cleanup.remove_small(labels, 2).tolist() == [[0, 0, 5, 5, 5, 9, 9]]
    assert cleanup.remove_small(labels, 3).tolist() == [[0, 0, 5, 5, 5, 0, 0]]
    assert cleanup.remove_small(labels, 0).tolist() == labels.tolist()


def test_fill_holes_takes_what_is_enclosed():
    ring = np.zeros((7, 12), np.int32)
    ring[1:6, 1:6] = 3
    ring[3, 3] = 0
    ring[1:6, 7:11] = 4
    ring[3, 10] = 0  # a bay, not a hole
    filled = cleanup.fill_holes(ring, 2)
    assert filled[3, 3] == 3
    assert filled[3, 10] == 0
    assert cleanup.fill_holes(ring, 1)[3, 3] == 0
    nested = ring.copy()
    nested[3, 3] = 8
    assert cleanup.fill_holes(nested, 2)[3, 3] == 3


def test_unfit_arguments():
    zero = np.zeros((5, 5), np.float32)
    with pytest.raises(ValueError, match="peaks"):
        watershed.segment(zero, zero, peaks="highest")
    with pytest.raises(ValueError, match="shape"):
        watershed.segment(zero, zero[1:])


def stored(maps: dict[str, np.ndarray]) -> np.ndarray:
    """Maps as a run stores them: the channels CHANNELS."""
    return np.stack([maps["inner-distance"][..., 0], maps["pixelwise"][..., 1]], axis=-1)


CHANNELS = ["inner-distance/0", "pixelwise/1"]


def test_stored_channels_segment_like_whole_maps(maps, tmp_path):
    map_store.write(tmp_path / "predictions.zip", CHANNELS, [("a", stored(maps))])
    read = map_store.open(tmp_path / "predictions.zip").read("a")
    assert list(read) == ["inner-distance", "pixelwise"]
    whole = {head: maps[head] for head in read}
    assert np.array_equal(watershed.segment_maps(read, {}), watershed.segment_maps(whole, {}))


def segmented(tmp_path, threads: int, **settings) -> tuple[dict, dict]:
    """Label images and scores of cells, by image."""
    settings = {"method": "watershed", **settings}
    labels, cells = tmp_path / f"labels-{threads}.npz", tmp_path / f"cells-{threads}.parquet"
    run.segment_run(tmp_path / "predictions.zip", labels, cells, settings, threads)
    with np.load(labels) as stack:
        return {name: stack[name] for name in stack.files}, confidence.read(cells)


def test_a_run_is_segmented_the_same_by_any_number_of_threads(tmp_path, maps):
    images = [("b", stored(maps)), ("a", stored(maps)[::-1]), ("c", stored(maps) * 0)]
    map_store.write(tmp_path / "predictions.zip", CHANNELS, images)
    settings = {"min_size": 0}
    labels, scores = segmented(tmp_path, 1, **settings)
    assert list(labels) == ["a", "b", "c"] and labels["a"].dtype == np.int32
    assert [int(labels[name].max()) for name in labels] == [3, 3, 0]
    again, scores_again = segmented(tmp_path, 3, **settings)
    for name in labels:
        assert np.array_equal(labels[name], again[name])
        assert scores.keys() == scores_again.keys() == {"a", "b"}
    for number in range(3):
        interior = maps["pixelwise"][::-1, :, 1][labels["a"] == number + 1]
        assert scores["a"][number] == pytest.approx(interior.mean(), abs=0.002)
    one = (tmp_path / f"{kind}" for kind in ("labels-1.npz", "cells-1.parquet"))
    three = (tmp_path / f"{kind}" for kind in ("labels-3.npz", "cells-3.parquet"))
    for first, second in zip(one, three, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_small_cells_stay_unless_the_settings_say_otherwise(tmp_path, maps):
    map_store.write(tmp_path / "predictions.zip", CHANNELS, [("a", stored(maps))])
    labels, scores = segmented(tmp_path, 1, min_size=10_000)
    assert not labels["a"].any() and not scores


def test_maps_that_are_none_or_without_images_are_refused(tmp_path):
    path = tmp_path / "predictions.zip"
    outputs = tmp_path / "labels.npz", tmp_path / "cells.parquet"
    path.write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"predictions\.zip"):
        run.segment_run(path, *outputs, {}, 1)
    map_store.write(path, CHANNELS, [])
    with pytest.raises(UserError, match="no image"):
        run.segment_run(path, *outputs, {}, 1)
    assert not any(output.exists() for output in outputs)
