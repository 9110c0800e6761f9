"""Star-convex polygons as a segmentation method: maps in, cells and scores out."""

import numpy as np
import pytest

from cellseg.inference import map_store
from cellseg.segmentation import confidence, methods
from cellseg.segmentation import run as segment_run
from cellseg.study import segmentation_methods
from cellseg.targets import heads
from made_labels import ellipses

METHOD = segmentation_methods.METHODS["star-nms"]
HEADS = ["star-distances", "object-probability"]
LABELS = ellipses(24, 110, 130, 4)


def predicted(labels: np.ndarray) -> dict[str, np.ndarray]:
    """What a perfect network predicts, (H, W, channels)."""
    targets = heads.compute(labels, {"star-distances": {"grid": 1}, "object-probability": {}})
    return {head: targets[head][..., : heads.HEADS[head].channels] for head in HEADS}


MAPS = predicted(LABELS)


def quality(found: np.ndarray) -> float:
    """Share of true cells with a found one of IoU above 0.8."""
    values = np.unique(LABELS)[1:]
    best = []
    for value in values:
        true = np.equal(LABELS, value)
        shares = [
            (true & (found == other)).sum() / (true | (found == other)).sum()
            for other in np.unique(found[true])
            if other
        ]
        best.append(max(shares, default=0) > 0.8)
    return float(np.mean(best))


@pytest.mark.parametrize("grid", [1, 2])
def test_true_maps_give_back_the_cells(grid):
    settings = {"method": "star-nms", "probability_threshold": 0.5, "grid": grid}
    found, scores = methods.segment(MAPS, settings)
    assert found.dtype == np.int32 and scores.dtype == np.float64
    assert np.unique(found).tolist() == list(range(len(scores) + 1))
    assert ((scores > 0.5) & (scores <= 1)).all()
    assert quality(found) > 0.9


def test_stored_maps_give_the_same_cells(tmp_path):
    """16 bits of the probability, 8 of the distances."""
    names = METHOD.stored(HEADS)
    assert len(names) == 33 and METHOD.precise(HEADS) == ["object-probability/0"]
    stack = np.concatenate([MAPS[head] for head in HEADS], axis=-1)
    maps, labels, cells = (tmp_path / name for name in ("maps.zip", "labels.npz", "cells.parquet"))
    map_store.write(maps, names, [("one", stack)], precise=METHOD.precise(HEADS))
    segment_run.segment_run(maps, labels, cells, {"method": "star-nms"}, 1)
    expected, scores = methods.segment(MAPS, {"method": "star-nms"})
    found = np.load(labels)["one"]
    assert found.max() == expected.max()
    assert (found > 0)[expected > 0].mean() > 0.99 and quality(found) > 0.9
    np.testing.assert_allclose(confidence.read(cells)["one"], scores, atol=0.01)


def test_many_settings_give_what_each_gives():
    tries = [
        {"method": "star-nms", "probability_threshold": probability, "nms_threshold": nms,
         "grid": grid, "min_size": size}
        for probability in (0.7, 0.2) for nms in (0.1, 0.5) for grid in (1, 2) for size in (0, 350)
    ]  # fmt: skip
    found = dict(methods.segment_all(MAPS, tries))
    assert sorted(found) == list(range(len(tries)))
    for number, settings in enumerate(tries):
        assert np.array_equal(found[number], methods.segment(MAPS, settings)[0]), settings
    assert len({labels.max() for labels in found.values()}) > 2


def test_small_cells_are_removed():
    found, scores = methods.segment(MAPS, {"method": "star-nms", "min_size": 250})
    assert np.bincount(found.ravel())[1:].min() >= 250
    every, _ = methods.segment(MAPS, {"method": "star-nms"})
    areas = np.bincount(every.ravel())[1:]
    assert areas.min() < 250
    assert len(scores) == found.max() == (areas >= 250).sum()


def test_distances_below_zero_do_no_harm():
    maps = {**MAPS, "star-distances": np.full_like(MAPS["star-distances"], -5)}
    found, scores = methods.segment(maps, {"method": "star-nms"})
    assert len(scores) == found.max() > 10 and np.bincount(found.ravel())[1:].max() == 1


def test_settings_left_out_mean_the_defaults():
    full = {"method": "star-nms", "probability_threshold": 0.5, "nms_threshold": 0.4, "grid": 2,
            "min_size": 0}  # fmt: skip
    assert methods.meaning(HEADS, full) == methods.meaning(HEADS, {"method": "star-nms"})
    assert methods.meaning(HEADS, {**full, "grid": 1}) != methods.meaning(HEADS, full)
    assert np.array_equal(
        methods.segment(MAPS, full)[0], methods.segment(MAPS, {"method": "star-nms"})[0]
    )
