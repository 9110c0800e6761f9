"""Scores of all folds together, and files of all splits together."""

import numpy as np
import pandas as pd
import pytest

from cellseg.data import annotation_tables, pooled
from cellseg.errors import UserError
from cellseg.io import atomic
from cellseg.tables import folds

SUBSETS = {"five-fold-1": "five", "five-fold-2": "five"}


def rows(*cases):
    columns = ["subset", "image", "f1_50"]
    about = {"dataset": "d", "model": "m", "heads": "h", "seed": 0, "small_objects": "kept"}
    return pd.DataFrame(cases, columns=columns).assign(**about)


def test_folds_of_different_sizes_count_by_their_images():
    images = rows(("five-fold-1", "a", 1.0), ("five-fold-2", "b", 0.0), ("five-fold-2", "c", 0.5))
    together = folds.pooled(images, SUBSETS)
    assert set(together["subset"]) == {"five"} and together["f1_50"].mean() == 0.5
    assert images["subset"].tolist() == ["five-fold-1", "five-fold-2", "five-fold-2"]


def test_an_image_of_two_folds_is_refused():
    images = rows(("five-fold-1", "a", 1.0), ("five-fold-2", "a", 0.0))
    with pytest.raises(UserError, match="image a is scored by more than one fold of five"):
        folds.pooled(images, SUBSETS)


def test_folds_are_one_condition_next_to_others():
    runs = rows(("five-fold-1", "-", 1.0), ("five-fold-2", "-", 0.0), ("full", "-", 0.25))
    together = rows(("five", "-", 0.5))
    merged, training = folds.as_one_run(runs, runs, together, SUBSETS)
    assert dict(zip(merged["subset"], merged["f1_50"], strict=True)) == {"full": 0.25, "five": 0.5}
    assert training["subset"].tolist() == ["five", "five", "full"]


def test_splits_are_put_together(tmp_path):
    fields = [field.name for field in annotation_tables.IMAGE_SCHEMA]
    for number, split in enumerate(("train", "test")):
        values = {"image": split, "split": split, "image_id": number, "path": f"{split}.png",
                  "height": 4, "width": 5, "n_cells": 1, "order": 0, "incomplete": False,
                  "cell_type": "cort", "sha256": "0"}  # fmt: skip
        values |= {"well": "A1", "channel": 2} if split == "train" else {}
        table = pd.DataFrame([values]).reindex(columns=fields)
        annotation_tables.write_images(tmp_path / f"{split}.parquet", table)
        atomic.write_stack(tmp_path / f"{split}.npz", [(split, np.full((4, 5), number))])
    paths = [tmp_path / "train.parquet", tmp_path / "test.parquet"]
    pooled.write_images(paths, tmp_path / "pooled.parquet")
    table = pd.read_parquet(tmp_path / "pooled.parquet")
    assert table["image"].tolist() == ["train", "test"]
    assert table["well"].fillna("none").tolist() == ["A1", "none"]
    assert table["channel"].fillna(0).tolist() == [2, 0]
    pooled.write_stack([path.with_suffix(".npz") for path in paths], tmp_path / "pooled.npz")
    stack = np.load(tmp_path / "pooled.npz")
    assert sorted(stack.files) == ["test", "train"] and (stack["test"] == 1).all()
