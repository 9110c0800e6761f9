"""Thresholds found on validation images: the same scores as one by one, the best one chosen."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from cellseg.errors import UserError
from cellseg.inference import map_store
from cellseg.io import atomic, run_format
from cellseg.scoring import metrics
from cellseg.segmentation import methods, watershed
from cellseg.targets import heads as transforms
from cellseg.tuning import grid as tuning
from cellseg.tuning import run as tuning_run
from made_labels import ellipses

OWN = {
    "method": "watershed",
    "maxima_threshold": 0.1, "maxima_smooth": 0, "interior_threshold": 0.3,
    "distance_threshold": 0.01, "interior_smooth": 1, "radius": 2, "peaks": "h_maxima",
    "fill_holes_threshold": 15, "min_size": 0,
}  # fmt: skip
GRID = {
    "maxima_threshold": [0.05, 0.2], "maxima_smooth": [0, 1], "interior_smooth": [0, 2],
    "interior_threshold": [0.2, 0.5, 0.7], "min_size": [0, 20],
}  # fmt: skip


def predicted(labels: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Maps of a middling network: blurred, noisy targets."""
    random = np.random.default_rng(seed)

    def spoilt(target: np.ndarray) -> np.ndarray:
        noise = ndimage.gaussian_filter(random.normal(size=target.shape), 1.5)
        return np.clip(ndimage.gaussian_filter(target, 1.0) + 0.6 * noise, 0, 1).astype(np.float32)

    inner = spoilt(transforms.inner_distance(labels))
    interior = spoilt(transforms.pixelwise(labels)[..., 1].astype(np.float32))
    outer = spoilt(transforms.outer_distance(labels))
    return {
        "inner-distance": {0: inner}, "outer-distance": {0: outer}, "pixelwise": {1: interior}
    }  # fmt: skip


def test_the_studys_own_settings_come_first_and_once():
    found = tuning.combinations({"maxima_threshold": [0.05, 0.1]}, OWN, ["pixelwise"])
    assert [one["maxima_threshold"] for one in found] == [0.1, 0.05]
    assert all(one.keys() == OWN.keys() for one in found)


def test_settings_that_mean_the_same_are_tried_once():
    """Without a distance the markers are smoothed at least as much as the mask."""
    grid = {"maxima_smooth": [0, 1, 2], "interior_smooth": [1]}
    assert len(tuning.combinations(grid, OWN, ["pixelwise"])) == 2
    assert len(tuning.combinations(grid, OWN, ["inner-distance", "pixelwise"])) == 3


@pytest.mark.parametrize(
    ("heads", "axis"),
    [(["inner-distance", "pixelwise"], "interior_threshold"),
     (["inner-distance", "outer-distance"], "distance_threshold")],
)  # fmt: skip
def test_only_the_threshold_that_the_mask_has_is_searched(heads, axis):
    grid = {"interior_threshold": [0.4, 0.5], "distance_threshold": [0.1, 0.2, 0.3]}
    found = tuning.combinations(grid, OWN, heads)
    assert len(found) == 1 + len(grid[axis])
    assert {one[axis] for one in found} == {OWN[axis], *grid[axis]}


@pytest.mark.parametrize(
    "heads", [("inner-distance", "pixelwise"), ("pixelwise",), ("inner-distance", "outer-distance")]
)
@pytest.mark.parametrize("levels", [0, 12])
def test_shared_steps_give_the_scores_of_one_by_one(heads, levels):
    """Also with few grey levels, where markers tie and no flood serves two thresholds."""
    true = ellipses(30, 96, 128, 3)
    maps = {head: predicted(true, 4)[head] for head in heads}
    if levels:
        maps = {
            head: {number: np.round(one * levels) / np.float32(levels) for number, one in m.items()}
            for head, m in maps.items()
        }
    settings = tuning.combinations({**GRID, "distance_threshold": [0.05, 0.3]}, OWN, heads)
    found = tuning.score_all(maps, true, settings, ["msa", "f1_50", "n_pred"])
    expected = []
    for one in settings:
        labels = watershed.segment_maps(maps, methods.own(one))
        score = metrics.score_image(true, labels)[0]
        expected.append([score["msa"], score["f1_50"], score["n_pred"]])
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found[:, 0])) > 8


def test_the_highest_mean_wins_and_of_equal_ones_the_first():
    scores = np.array([[0.5, 0.7, 0.6], [0.5, 0.3, 0.6], [np.nan, np.nan, np.nan]])
    assert tuning.best(scores) == 2
    assert tuning.best(scores[:, :2]) == 0
    assert tuning.best(scores[2:]) == 0


@pytest.fixture
def run(tmp_path):
    """Validation maps of three images, whose true labels are in two files."""
    labels = {name: ellipses(25, 80, 96, seed) for seed, name in enumerate("abc")}
    channels = ["inner-distance/0", "pixelwise/1"]
    stacks = []
    for seed, (name, true) in enumerate(labels.items()):
        maps = predicted(true, seed)
        stacks.append((name, np.stack([maps["inner-distance"][0], maps["pixelwise"][1]], -1)))
    map_store.write(tmp_path / "predictions.zip", channels, stacks)
    atomic.write_stack(tmp_path / "train.npz", [("a", labels["a"]), ("z", labels["a"])])
    atomic.write_stack(tmp_path / "val.npz", [("b", labels["b"]), ("c", labels["c"])])

    def tune(threads: int = 1, **grid) -> tuple[dict, pd.DataFrame]:
        tuning_run.tune(
            maps=tmp_path / "predictions.zip",
            truths=[tmp_path / "train.npz", tmp_path / "val.npz"],
            tuning={"score": "msa", **(grid or GRID)},
            segmentation=OWN,
            chosen=tmp_path / "chosen.json",
            tried=tmp_path / "tried.csv",
            threads=threads,
        )
        return json.loads((tmp_path / "chosen.json").read_text()), pd.read_csv(
            tmp_path / "tried.csv"
        )

    return tune


def test_tables_of_a_run(run, capsys):
    chosen, tried = run()
    assert chosen["format"] == run_format.FORMAT
    assert chosen["combinations"] == len(tried) == 1 + 2 * 2 * 2 * 3 * 2
    assert chosen["images"] == ["a", "b", "c"]
    best = tried.loc[tried["chosen"]].iloc[0]
    assert tried["chosen"].sum() == 1 and best["msa"] == tried["msa"].max()
    assert chosen["mean"] == pytest.approx(best["msa"])
    assert chosen["mean of the study's own"] == pytest.approx(tried["msa"][0])
    assert chosen["mean"] > chosen["mean of the study's own"] + 0.02
    for name, value in chosen["segmentation"].items():
        assert best[name] == value
    assert "Tried 49 combinations on 3 validation images" in capsys.readouterr().out


def test_the_number_of_threads_changes_nothing(run, tmp_path):
    run(threads=1)
    shutil.move(tmp_path / "tried.csv", tmp_path / "first.csv")
    run(threads=3)
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "tried.csv").read_bytes()


def test_an_image_without_truth_is_named(run, tmp_path):
    (tmp_path / "train.npz").unlink()
    atomic.write_stack(tmp_path / "train.npz", [("z", np.zeros((80, 96), np.int32))])
    with pytest.raises(UserError, match=r"image a of .*predictions\.zip"):
        run()
