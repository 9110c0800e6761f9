"""Tracking along flows. Parity with cellpose is tested elsewhere."""

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellpose_cases import label_images, predictions
from cellseg.errors import UserError
from cellseg.export import example
from cellseg.figures import overlay_cases
from cellseg.inference import map_store
from cellseg.io import atomic
from cellseg.segmentation import flow_tracking, methods
from cellseg.segmentation.methods import flow_tracking as method
from cellseg.targets.flows import flows_of
from cellseg.tuning import grid
from made_labels import ellipses

HEADS = ("flows", "fgbg")


def maps_of(labels, seed=None):
    """Perfect maps, or those of a network that is less sure."""
    flows = flows_of(labels)
    if seed is None:
        probability = (labels > 0).astype(np.float32)
    else:
        flows, logits = predictions(labels, flows, seed)[1]
        probability = 1 / (1 + np.exp(-logits))
    return {"flows": flows, "fgbg": np.stack([1 - probability, probability], axis=-1)}


def test_perfect_maps_give_the_cells_back():
    labels = ellipses(12, 120, 140, 3)
    found, scores = methods.segment(maps_of(labels), {"method": "flow-tracking"})
    assert found.dtype == np.int32 and len(scores) == found.max()
    for value in np.unique(labels)[1:]:
        here = labels == value
        most = np.bincount(found[here]).argmax()
        union = np.count_nonzero(here | (found == most))
        assert most > 0 and np.count_nonzero(here & (found == most)) / union > 0.9
    np.testing.assert_allclose(scores, 1)


def test_nothing_is_found_in_nothing():
    nothing = np.zeros((20, 30, 2), np.float32)
    maps = {"flows": nothing, "fgbg": nothing}
    labels, scores = methods.segment(maps, {"method": "flow-tracking"})
    assert labels.shape == (20, 30) and not labels.any() and scores.shape == (0,)
    with pytest.raises(ValueError, match="expected"):
        flow_tracking.segment(nothing, nothing[1:, :, 0])
    with pytest.raises(UserError, match="tracking along flows"):
        methods.segment({"fgbg": nothing}, {"method": "flow-tracking"})


def to_centres(places, shape=(40, 60)):
    """Flows with which each pixel of squares jumps to the middle of its own in one step."""
    flows, probability = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32)
    for row, column, side in places:
        area = np.s_[row : row + side, column : column + side]
        pixels = np.moveaxis(np.indices(shape), 0, -1)[area]
        flows[area] = np.array([row, column]) + side // 2 - pixels
        probability[area] = 0.9
    return flows, probability


def test_thresholds_by_hand():
    flows, probability = to_centres([(2, 2, 5), (2, 20, 3), (20, 30, 12)])
    same = {"flow_threshold": 0, "iterations": 1, "min_size": 0}
    # Nine pixels are too few for a seed.
    assert np.bincount(flow_tracking.segment(flows, probability, **same).ravel())[1:].tolist() == [
        25, 144
    ]  # fmt: skip
    assert not flow_tracking.segment(flows, probability, 0.9, **same).any()
    few = flow_tracking.segment(flows, probability, **{**same, "min_size": 26})
    assert few.max() == 1 and few[25, 35] == 1
    small = flow_tracking.segment(flows, probability, **same, max_size_fraction=100 / 2400)
    assert small.max() == 1 and small[4, 4] == 1
    # Without a step no two pixels meet.
    assert not flow_tracking.segment(flows, probability, **{**same, "iterations": 0}).any()


def test_cells_whose_flows_do_not_fit_are_removed():
    labels = ellipses(12, 120, 140, 3)
    maps = maps_of(labels, seed=1)
    every = flow_tracking.track(maps["flows"], maps["fgbg"][..., 1], 0.5, 200, 0.4)
    errors = flow_tracking.flow_errors(every, maps["flows"])
    middle = float(np.median(errors))
    kept = flow_tracking.segment(
        maps["flows"], maps["fgbg"][..., 1], flow_threshold=middle, min_size=0
    )
    assert 0 < kept.max() <= np.count_nonzero(errors <= middle) < every.max()
    # By hand: the error is the sum over both axes of the mean squared difference.
    shifted = flows_of(labels) + np.float32(0.5)
    np.testing.assert_allclose(
        flow_tracking.flow_errors(labels, shifted)[np.unique(labels)[1:] - 1], 0.5, rtol=1e-5
    )


def test_holes_and_small_cells_by_hand():
    labels = np.zeros((12, 20), np.int32)
    labels[1:8, 1:8] = 1
    labels[3:6, 3:6] = 0  # a hole, with another cell in it
    labels[4, 4] = 2
    labels[1, 10:12] = 3  # two pixels
    labels[3:9, 10:16] = 4
    found = flow_tracking.kept(labels, None, 0, 3)
    assert np.bincount(found.ravel()).tolist() == [240 - 49 - 36, 49, 36]
    assert found[4, 4] == 1 and found[5, 12] == 2 and found[1, 10] == 0


def test_a_cell_whose_error_is_the_threshold_is_kept():
    labels = np.zeros((4, 9), np.int32)
    labels[:, :4], labels[:, 5:] = 1, 2
    found = flow_tracking.kept(labels, np.array([0.4, 0.41]), 0.4, 0)
    np.testing.assert_array_equal(found, labels == 1)


def test_the_size_error_of_cellpose_by_hand():
    """Of three cells the first has bad flows, and the third is small: it removes the second."""
    labels = np.zeros((10, 20), np.int32)
    labels[1:4, 1:4], labels[1:5, 6:10], labels[1:3, 12:14] = 1, 2, 3
    errors = np.array([9.0, 0, 0])
    right = flow_tracking.kept(labels, errors, 0.4, 5)
    np.testing.assert_array_equal(right, labels == 2)
    assert not flow_tracking.kept(labels, errors, 0.4, 5, cellpose_size_error=True).any()


@pytest.mark.parametrize("iterations", [0, 1, 5, 12, 13, 24, 200, 2001])
def test_rounds_that_are_left_out_change_nothing(iterations, monkeypatch):
    """Pixels end where they end if each is followed step by step."""
    labels = label_images(2)["touching"]
    maps = maps_of(labels, seed=5)
    is_cell = maps["fgbg"][..., 1] > 0.5
    down, right = (np.where(is_cell, maps["flows"][..., k], 0).astype(np.float32) for k in (0, 1))
    found = flow_tracking._ends(down, right, is_cell, iterations)
    rows, columns = np.nonzero(is_cell)
    y, x = rows.astype(np.float32), columns.astype(np.float32)
    for _ in range(iterations):
        flow_tracking._move(down, right, y, x, len(y))
    expected = y.astype(int) * labels.shape[1] + x.astype(int)
    np.testing.assert_array_equal(found[is_cell], expected)
    assert (found[~is_cell] == -1).all()


def test_a_search_finds_what_each_setting_does():
    labels = ellipses(30, 90, 100, 4)
    maps = maps_of(labels, seed=1)
    search = {"cell_threshold": [0.3, 0.7], "flow_threshold": [0, 0.2, 0.8], "min_size": [0, 40],
              "iterations": [20], "score": "msa"}  # fmt: skip
    study = {"method": "flow-tracking", "cell_threshold": 0.5, "flow_threshold": 0.4,
             "iterations": 200, "min_size": 15}  # fmt: skip
    settings = grid.combinations(search, study, HEADS)
    assert len(settings) == 13 and settings[0] == study
    found = dict(methods.segment_all(maps, settings))
    assert sorted(found) == list(range(13))
    for number, one in enumerate(settings):
        np.testing.assert_array_equal(found[number], methods.segment(maps, one)[0])
    assert len({array.tobytes() for array in found.values()}) > 3


def test_defaults_are_those_of_the_function():
    labels = ellipses(30, 90, 100, 4)
    maps = maps_of(labels, seed=1)
    flows, probability = method.chosen_maps(maps)
    expected = flow_tracking.segment(flows, probability)
    [(_, found)] = method.segment_all(maps, [{}])
    np.testing.assert_array_equal(found, expected)


def test_the_example_of_an_export_finds_the_cells():
    labels = ellipses(12, 120, 140, 3)
    maps = maps_of(labels)
    source = example.example(HEADS, {"method": "flow-tracking", "iterations": 50})
    compile(source, "example.py", "exec")
    steps = source[source.index("from scipy") : source.index("np.savez")]
    namespace = {"maps": maps, "np": np}
    exec("from skimage import morphology\n" + steps, namespace)
    found = namespace["cells"]
    right = methods.segment(maps, {"method": "flow-tracking", "flow_threshold": 0})[0]
    assert abs(len(np.unique(found)) - 1 - right.max()) <= 2
    np.testing.assert_allclose((found > 0).mean(), (right > 0).mean(), rtol=0.05)


def test_pictures_show_the_lengths_of_flows(tmp_path):
    labels = ellipses(12, 60, 70, 3)
    maps = maps_of(labels)
    stack = np.concatenate([maps["flows"], maps["fgbg"][..., 1:]], axis=-1)
    names = ["flows/0", "flows/1", "fgbg/1"]
    map_store.write(tmp_path / "maps.zip", names, [("a", stack)], precise=names[:2])
    atomic.write_stack(tmp_path / "truth.npz", [("a", labels)])
    row = {"image": ["a"], "f1_50": [0.5], "n_true": 2, "n_pred": 1, "small_objects": "kept"}
    pd.DataFrame(row).to_csv(tmp_path / "metrics.csv", index=False)
    tifffile.imwrite(tmp_path / "a.tif", labels.astype(np.uint8))
    table = pd.DataFrame({"image": ["a"], "path": [str(tmp_path / "a.tif")]})
    table.to_parquet(tmp_path / "images.parquet")
    [case] = overlay_cases.load(
        tmp_path / "maps.zip", tmp_path / "truth.npz", tmp_path / "truth.npz",
        tmp_path / "metrics.csv", tmp_path / "images.parquet", method="flow-tracking",
    )  # fmt: skip
    name, shown = case.markers
    assert name == "length of flows" and case.interior[0] == "fgbg"
    lengths = np.hypot(*np.moveaxis(maps["flows"], -1, 0))
    np.testing.assert_allclose(shown, lengths, atol=1e-3)
