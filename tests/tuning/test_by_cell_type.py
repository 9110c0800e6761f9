"""Thresholds by cell type: each type gets what suits its validation images."""

import json

import numpy as np
import pandas as pd
import pytest

import typed_cells
from cellseg.errors import UserError
from cellseg.inference import instance_store
from cellseg.io import atomic
from cellseg.scoring import metrics
from cellseg.segmentation import by_cell_type, methods, painted
from cellseg.targets.instances import Detections
from cellseg.tuning import by_type, grid
from cellseg.tuning import run as tuning_run

KINDS = {"a": "bright", "b": "bright", "c": "dim", "d": "dim", "e": "dim"}


@pytest.fixture
def tune(tmp_path):
    """Tune on made maps; what was chosen and the table of what was tried."""

    def call(kinds=KINDS, types=None, **tuning) -> tuple[dict, pd.DataFrame]:
        typed_cells.write(tmp_path, kinds, types or kinds)
        tuning_run.tune(
            maps=tmp_path / "predictions.zip",
            truths=[tmp_path / "truth.npz"],
            tuning={**typed_cells.TRIED, **tuning},
            segmentation=typed_cells.OWN,
            chosen=tmp_path / "chosen.json",
            tried=tmp_path / "tried.csv",
            threads=1,
            images=[tmp_path / "images.parquet"],
        )
        return json.loads((tmp_path / "chosen.json").read_text()), pd.read_csv(
            tmp_path / "tried.csv", keep_default_na=False, na_values=[""]
        )

    return call


def thresholds(chosen: dict) -> dict[str, float]:
    found = chosen[by_cell_type.KEY].items()
    return {name: settings["interior_threshold"] for name, settings in found}


def test_each_type_gets_the_thresholds_that_suit_it(tune, capsys):
    chosen, _ = tune()
    assert thresholds(chosen) == typed_cells.BEST
    assert chosen["by"] == "cell-type" and chosen[by_cell_type.AS_ALL] == {}
    # All together get what suits most of them.
    assert chosen["segmentation"]["interior_threshold"] == typed_cells.BEST["dim"]
    bright, dim = (chosen["cell_types"][name] for name in ("bright", "dim"))
    assert (bright["images"], dim["images"]) == (2, 3)
    assert bright["mean"] == dim["mean"] == dim["mean with those of all"] == 1
    assert bright["mean with those of all"] < 0.2
    assert dim["mean of the study's own"] == 0
    assert chosen[by_cell_type.MEAN] == 1 and chosen["mean"] < 0.7
    said = capsys.readouterr().out
    assert "bright: mean msa on 2 validation images 0." in said
    assert "1.000 with interior_threshold 0.7." in said
    assert said.endswith("All images with the thresholds of their type: mean msa 1.000.\n")


def test_the_means_are_those_of_images_segmented_one_by_one(tune):
    chosen, _ = tune()
    maps = {"pixelwise": typed_cells.interior("bright")[..., None].repeat(2, axis=-1)}
    labels, _ = methods.segment(maps, chosen["segmentation"])
    expected = metrics.score_image(typed_cells.labels(), labels)[0]["msa"]
    assert chosen["cell_types"]["bright"]["mean with those of all"] == pytest.approx(expected)
    assert chosen["mean"] == pytest.approx((2 * expected + 3) / 5)


def test_the_settings_of_all_are_those_of_the_ordinary_search(tune):
    typed, table = tune()
    plain, tried = tune(by=None)
    assert plain.keys() == typed.keys() - {
        "by", "cell_types", by_cell_type.MEAN, by_cell_type.KEY, by_cell_type.AS_ALL,
    }  # fmt: skip
    assert all(typed[key] == value for key, value in plain.items())
    of_all = table[table["cell_type"] == "all"].drop(columns="cell_type")
    pd.testing.assert_frame_equal(of_all, tried)


def test_a_single_type_gets_the_settings_of_all(tune):
    chosen, table = tune({name: "bright" for name in "abc"})
    assert chosen[by_cell_type.KEY] == {"bright": chosen["segmentation"]}
    assert chosen[by_cell_type.MEAN] == chosen["mean"] == 1
    of_all, of_type = (
        table[table["cell_type"] == name].drop(columns="cell_type").reset_index(drop=True)
        for name in ("all", "bright")
    )
    pd.testing.assert_frame_equal(of_all, of_type)


def test_the_table_has_the_combinations_of_each_type(tune):
    _, table = tune()
    assert table["cell_type"].tolist() == ["all"] * 3 + ["bright"] * 3 + ["dim"] * 3
    best = table[table["chosen"]].set_index("cell_type")["interior_threshold"]
    assert best.to_dict() == {"all": 0.3, **typed_cells.BEST}
    assert table.loc[table["cell_type"] == "dim", "msa"].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("types", "name", "why"),
    [
        ({"z": "rare"}, "rare", "no validation image"),
        ({"e": "blank"}, "blank", "no annotated cell in its validation images"),
        ({"d": "cells"}, "cells", "unknown type"),
        ({"d": None}, "cells", "unknown type"),
        ({"d": ""}, "cells", "unknown type"),
    ],
)
def test_other_types_get_the_settings_of_all_and_the_log_says_why(tune, capsys, types, name, why):
    kinds = {**KINDS, "e": "empty"}
    chosen, table = tune(kinds, {**kinds, "e": "dim", **types})
    assert thresholds(chosen) == typed_cells.BEST
    assert chosen[by_cell_type.AS_ALL] == {name: why}
    assert name not in set(table["cell_type"]) and name not in chosen["cell_types"]
    assert f"{name}: the thresholds of all ({why}).\n" in capsys.readouterr().out


def test_of_equal_ones_those_of_all_are_chosen():
    """Else the first, as for all images together."""
    scores = np.array([[0.2, 0.9, 0.5], [0.6, 0.6, 0.6], [0.5, 0.1, 0.5]])
    assert grid.best(scores) == 2 - 1
    found = by_type.choose(scores, np.ones(3), ["a", "b", "c"], [], 1)
    assert [found[name].number for name in "abc"] == [1, 1, 0]


def test_an_image_without_a_known_row_is_named(tune):
    with pytest.raises(UserError, match=r"image e of .*predictions\.zip is in no table of images"):
        tune(KINDS, {name: kind for name, kind in KINDS.items() if name != "e"})


def test_detectors_too(tmp_path):
    """One type has small false detections, the other small cells."""
    boxes = np.float32([[2, 4, 12, 14], [20, 4, 24, 8], [40, 4, 44, 8]])
    masks = np.full((3, 28, 28), 255, np.uint8)
    found = Detections((40, 60), boxes, np.float32([0.9, 0.8, 0.7]), masks)
    cells = {"large": 1, "small": 3}
    truth = {}
    for name, number in cells.items():
        truth[name] = np.zeros((40, 60), np.int32)
        for cell, (left, top, right, bottom) in enumerate(boxes[:number].astype(int), 1):
            truth[name][top:bottom, left:right] = cell
    instance_store.write(tmp_path / "instances.zip", [(name, found) for name in cells])
    atomic.write_stack(tmp_path / "truth.npz", list(truth.items()))
    table = pd.DataFrame({"image": list(cells), "cell_type": list(cells)})
    table.to_parquet(tmp_path / "images.parquet")
    tuning_run.tune(
        maps=tmp_path / "instances.zip",
        truths=[tmp_path / "truth.npz"],
        tuning={"min_size": [0, 30], "score": "msa", "by": "cell-type"},
        segmentation={"method": "painting", **painted.DEFAULTS},
        chosen=tmp_path / "chosen.json",
        tried=tmp_path / "tried.csv",
        threads=1,
        images=[tmp_path / "images.parquet"],
    )
    chosen = json.loads((tmp_path / "chosen.json").read_text())
    found = {name: one["min_size"] for name, one in chosen[by_cell_type.KEY].items()}
    assert found == {"large": 30, "small": 0} and chosen[by_cell_type.MEAN] == 1
