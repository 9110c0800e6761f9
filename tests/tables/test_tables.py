"""Tables of an experiment from made-up scores."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from cellseg.errors import UserError
from cellseg.io import run_format
from cellseg.scoring import metrics, pooled_pixels
from cellseg.tables import collect


def rows(seed: int, scores: dict[str, tuple[str, float]], heads: str = "fgbg") -> pd.DataFrame:
    """metrics.csv of one run; `scores` is image to cell type and score."""
    table = pd.DataFrame(
        [
            {
                **{"dataset": "d", "model": "m", "heads": heads, "subset": "full", "seed": seed},
                **{"data_split": "test", "image": image, "cell_type": cell_type},
                **{"small_objects": small},
                **dict.fromkeys((*metrics.COLUMNS, *pooled_pixels.COUNTS), 0),
                **{"f1_50": score, "n_true": 10, "missed": 2},
            }
            for image, (cell_type, score) in scores.items()
            for small in ("kept", "removed")
        ]
    )
    return table.astype({"f1_50": float})


@pytest.fixture
def images() -> pd.DataFrame:
    """Two seeds of one condition, one of another."""
    return pd.concat(
        [
            rows(0, {"a": ("BV2", 0.2), "b": ("BV2", 0.4), "c": ("A172", 0.9)}, "pixelwise"),
            rows(1, {"a": ("BV2", 0.4), "b": ("BV2", 0.4), "c": ("A172", 0.7)}, "pixelwise"),
            rows(0, {"a": ("BV2", 1), "b": ("BV2", math.nan), "c": ("A172", 0)}),
        ],
        ignore_index=True,
    )


def test_per_run_averages_scores_and_adds_up_counts(images):
    runs = collect.per_run(images)
    kept = runs[runs["small_objects"] == "kept"]
    assert kept["cell_type"].tolist() == ["all", "A172", "BV2"] * 3
    assert kept["f1_50"].tolist() == pytest.approx([0.5, 0.9, 0.3, 0.5, 0.7, 0.4, 0.5, 0, 1])
    assert kept["n_images"].tolist() == [3, 1, 2] * 3
    assert kept["n_true"].tolist() == [30, 10, 20] * 3
    assert kept["missed"].tolist() == [6, 2, 4] * 3
    assert runs["small_objects"].tolist() == ["kept", "removed"] * 9
    condition = "dataset model heads subset seed data_split cell_type small_objects"
    assert list(runs) == [*condition.split(), "n_images", *metrics.COLUMNS]
    # Runs stay in the order of the configuration, not of the alphabet.
    assert kept["heads"].tolist() == ["pixelwise"] * 6 + ["fgbg"] * 3


def test_pixels_are_pooled_over_the_images_of_a_row(images):
    """Image a has 30 of 100 pixels in common, b 1 of 2, c none at all."""
    counts = {"a": (60, 70, 30), "b": (1, 2, 1), "c": (0, 0, 0)}
    images[list(pooled_pixels.COUNTS)] = [counts[image] for image in images["image"]]
    runs = collect.per_run(images)
    pooled = collect.with_pooled_pixels(runs, images)
    assert list(pooled) == [*runs, "pixel_iou_pooled", "pixel_f1_pooled"]
    pd.testing.assert_frame_equal(pooled[list(runs)], runs)
    one = pooled[(pooled["heads"] == "fgbg") & (pooled["small_objects"] == "kept")]
    assert one["cell_type"].tolist() == ["all", "A172", "BV2"]
    nothing = math.nan
    both = [31 / 102, nothing, 31 / 102]
    assert one["pixel_iou_pooled"].tolist() == pytest.approx(both, nan_ok=True)
    both = [62 / 133, nothing, 62 / 133]
    assert one["pixel_f1_pooled"].tolist() == pytest.approx(both, nan_ok=True)
    summary = collect.summarise(pooled)
    summary = summary[(summary["heads"] == "pixelwise") & (summary["cell_type"] == "all")]
    assert summary["pixel_iou_pooled_mean"].tolist() == pytest.approx([31 / 102] * 2)
    assert summary["pixel_f1_pooled_std"].tolist() == pytest.approx([0, 0])


def test_images_without_true_cells_are_in_no_mean_but_in_the_counts(images):
    empty = pd.concat(
        [
            rows(seed, {"d": ("BV2", math.nan)}, heads).assign(n_true=0, missed=0, gained=seed)
            for seed, heads in ((0, "pixelwise"), (1, "pixelwise"), (0, "fgbg"))
        ]
    )
    both = collect.per_run(pd.concat([images, empty], ignore_index=True))
    without = collect.per_run(images)
    assert both["n_images"].tolist() == without["n_images"].tolist()
    assert both["f1_50"].tolist() == without["f1_50"].tolist()
    kept = both[both["small_objects"] == "kept"]
    assert kept["gained"].tolist() == [0, 0, 0, 1, 0, 1, 0, 0, 0]


def test_summary_over_seeds(images):
    summary = collect.summarise(collect.per_run(images))
    kept = summary[summary["small_objects"] == "kept"].set_index(["heads", "cell_type"])
    row = kept.loc[("pixelwise", "BV2")]
    assert (row["n_seeds"], row["n_images"]) == (2, 2)
    assert row["f1_50_mean"] == pytest.approx(0.35)
    assert row["f1_50_std"] == pytest.approx(0.1 / math.sqrt(2))
    # Two seeds: t is 12.706, the standard error 0.05.
    assert row["f1_50_high"] - 0.35 == pytest.approx(12.706 * 0.05, rel=1e-4)
    assert 0.35 - row["f1_50_low"] == pytest.approx(12.706 * 0.05, rel=1e-4)
    assert row["n_true_mean"] == 20
    alone = kept.loc[("fgbg", "all")]
    assert alone["n_seeds"] == 1
    assert alone["f1_50_mean"] == 0.5
    assert np.isnan(alone[["f1_50_std", "f1_50_low", "f1_50_high"]].astype(float)).all()
    expected = [f"{s}_{n}" for s in metrics.COLUMNS for n in ("mean", "std", "low", "high")]
    assert [name for name in summary if name.rsplit("_", 1)[-1] in ("mean", "std", "low", "high")
            ] == expected  # fmt: skip
    assert not summary.duplicated(["heads", "cell_type", "small_objects"]).any()


def test_a_summary_has_the_fewest_images_of_its_seeds(images):
    """Where seeds draw the scored images, one may have fewer."""
    fewer = images[(images["seed"] == 0) | (images["image"] != "b")]
    summary = collect.summarise(collect.per_run(fewer)).set_index(["heads", "cell_type"])
    assert summary.loc[("pixelwise", "BV2"), "n_images"].tolist() == [1, 1]
    assert summary.loc[("pixelwise", "A172"), "n_images"].tolist() == [1, 1]


def test_order_of_rows_does_not_change_the_numbers(images):
    shuffled = images.sample(frac=1, random_state=4)
    keys = [*collect.RUN, *collect.GROUP]
    first, second = (
        collect.per_run(table).sort_values(keys, ignore_index=True) for table in (images, shuffled)
    )
    pd.testing.assert_frame_equal(first, second)


@pytest.fixture
def run_folders(tmp_path):
    """Files of two runs."""
    for seed in (0, 1):
        folder = tmp_path / f"seed-{seed}"
        folder.mkdir()
        rows(seed, {"007": ("NA", 0.1 + 0.2)}).to_csv(folder / "metrics.csv", index=False)
        history = pd.DataFrame({"epoch": [1, 2], "loss": [0.5, 0.25 + seed], "step_ms": 40.0})
        history.to_csv(folder / "history.csv", index=False)
        settings = {"model": {"backbone": "resnet50", "family": "deepcell"}, "seed": seed}
        settings["model"] |= {"location": False, "weights": "imagenet"} if seed else {}
        settings["subset"] = {"cell_types": ["A172", "BV2"] if seed else [], "fraction": 1}
        settings["subset"] |= {"validation": "by-well"} if seed else {}
        (folder / "settings.json").write_text(json.dumps(run_format.stamped(settings)))
        provenance = {"parameters": 1234, "device": "cpu", "train_images": ["a", "b", "c"]}
        provenance |= {"synthetic_images": 15, "train_cells": 99} if seed else {}
        provenance |= {"pseudo_labels": {"images": 4, "cells": 70, "run": {}}} if seed else {}
        (folder / "provenance.json").write_text(json.dumps(provenance))

    def of(name: str) -> list:
        return [tmp_path / f"seed-{seed}" / name for seed in (1, 0)]

    return of


def test_images_are_read_as_written(run_folders):
    table = collect.images(run_folders("metrics.csv"))
    assert table["seed"].tolist() == [1, 1, 0, 0]
    assert set(table["image"]) == {"007"}
    assert set(table["cell_type"]) == {"NA"}
    assert set(table["f1_50"]) == {0.1 + 0.2}


def test_runs_of_an_older_version_are_not_collected(run_folders, tmp_path):
    record = {"condition": {}, "tuning": None, "segmentation": {}}
    path = tmp_path / "segmentation.json"
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"segmentation\.json was made by an older version"):
        collect.with_segmentation(pd.DataFrame(), [path])
    settings = run_folders("settings.json")[1]
    content = json.loads(settings.read_text())
    settings.write_text(json.dumps({**content, "format": 3}))
    with pytest.raises(UserError, match=r"seed-0/settings\.json was made by a newer version"):
        collect.training(*(run_folders(name) for name in names()))


def names() -> tuple[str, ...]:
    return "metrics.csv", "history.csv", "settings.json", "provenance.json"


def test_training_table(run_folders):
    table = collect.training(*map(run_folders, names()))
    assert list(table) == [
        *(*collect.RUN, "epoch", "loss", "step_ms", "backbone", "parameters", "device"),
        *("train_images", "train_cells", "synthetic_images", "pseudo_images", "pseudo_cells"),
        *("cell_types", "fraction", "location", "weights", "validation"),
    ]
    assert table["seed"].tolist() == [1, 1, 0, 0]
    assert table["loss"].tolist() == [0.5, 1.25, 0.5, 0.25]
    assert table.iloc[0][["backbone", "parameters", "device", "train_images"]].tolist() == [
        "resnet50", 1234, "cpu", 3,
    ]  # fmt: skip
    assert table["cell_types"].tolist() == ["A172+BV2", "A172+BV2", "", ""]
    assert table["synthetic_images"].tolist() == [15, 15, 0, 0]
    assert table["pseudo_images"].tolist() == [4, 4, 0, 0]
    assert table["pseudo_cells"].tolist() == [70, 70, 0, 0]
    shown = table[["train_cells", "fraction", "location", "weights"]].iloc[1:3]
    assert shown.iloc[0].tolist() == [99, 1, False, "imagenet"]
    assert shown.iloc[1].isna().tolist() == [True, False, True, True]
    assert table["validation"].tolist()[1:3] == ["by-well", None]


def test_what_cannot_be_collected_is_explained(run_folders, tmp_path):
    with pytest.raises(UserError, match="no runs"):
        collect.images([])
    with pytest.raises(UserError, match="one file each"):
        collect.training(run_folders("metrics.csv"), [], [], [])
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(UserError, match=r"empty\.csv"):
        collect.images([empty])
    old = tmp_path / "old.csv"
    rows(0, {"a": ("BV2", 1)}).drop(columns="msa").to_csv(old, index=False)
    with pytest.raises(UserError, match="msa"):
        collect.images([old])
    rows(0, {"a": ("BV2", 1)}).drop(columns=list(pooled_pixels.COUNTS)).to_csv(old, index=False)
    with pytest.raises(UserError, match=r"old\.csv lacks the columns true_pixels.* Delete it and"):
        collect.images([old])
