"""Scores of all folds together, and files of all splits together."""

import numpy as np
import pandas as pd
import pytest

from cellseg.data import annotation_tables, pooled
from cellseg.errors import UserError
from cellseg.figures import registry, style
from cellseg.io import atomic
from cellseg.scoring import names, pooled_pixels
from cellseg.tables import collect, comparisons, conditions, folds
from cellseg.tables.formatted import captions, content
from cellseg.tables.step_times import step_times

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


@pytest.fixture(scope="module")
def experiment():
    """Two models, one seed; fold 1 holds out an image, fold 2 seven. ``low`` is 0.1 below."""
    images, histories, sizes = [], [], []
    for model, shift in (("high", 0.0), ("low", -0.1)):
        number = 0
        for fold, held_out in (("five-fold-1", 1), ("five-fold-2", 7)):
            run = {"dataset": "d", "model": model, "heads": "fgbg", "subset": fold, "seed": 0}
            for small in ("kept", "removed"):
                about = {**run, "data_split": "held-out", "small_objects": small}
                octaves = [(32, 64), (64, 128)][: 1 + (fold == "five-fold-2")]
                sizes += [{**about, "cell_type": "all", "area_from": low, "area_to": high,
                           "n_true": 10 * held_out, "n_found": 5 * held_out}
                          for low, high in octaves]  # fmt: skip
                for place in range(number, number + held_out):
                    scores = dict.fromkeys(names.COLUMNS, 0.2 + 0.05 * place + shift)
                    scores |= dict.fromkeys(names.COUNTS, 1) | {"n_true": 10, "n_pred": 9}
                    scores |= dict.fromkeys(pooled_pixels.COUNTS, 5)
                    images.append({**about, "image": f"i{place}", "cell_type": "BV2", **scores})
            number += held_out
            facts = {"device": "cpu", "loss": 1.0, "val_loss": 1.0, "backbone": "b"}
            facts |= {"parameters": 1e6, "cell_types": "", "synthetic_images": 0}
            for epoch, step in ((1, 900.0), (2, 50.0)):
                histories.append({**run, "epoch": epoch, "step_ms": step, **facts})
    images = pd.DataFrame(images)
    runs = collect.with_pooled_pixels(collect.per_run(images), images)
    runs = runs.assign(**dict.fromkeys(names.COCO_SCORES, 0.5), tuning="grid", tuned_by="-")
    threshold = runs["subset"].map({"five-fold-1": 0.1, "five-fold-2": 0.2})
    tables = {"images": images, "runs": runs.assign(grow=1, maxima_threshold=threshold),
              "training": pd.DataFrame(histories), "sizes": pd.DataFrame(sizes)}  # fmt: skip
    return tables, folds.joined(tables, SUBSETS)


def test_folds_are_joined_in_every_table(experiment):
    apart, joined = experiment
    assert folds.joined(apart, {}) == apart
    assert all(set(table["subset"]) == {"five"} for table in joined.values())
    runs = conditions.select(joined["runs"])
    # Over 8 images, of which fold 1 holds out one.
    assert runs["f1_50"].round(6).tolist() == [0.375, 0.275]
    assert runs["n_true"].tolist() == [80, 80] and runs["n_images"].tolist() == [8, 8]
    sizes = joined["sizes"]
    sizes = sizes[(sizes["model"] == "high") & (sizes["small_objects"] == "kept")]
    assert sizes[["area_from", "n_true", "n_found"]].to_numpy().tolist() == [
        [32, 80, 40],
        [64, 70, 35],
    ]
    training = joined["training"]
    assert step_times(training[training["model"] == "high"]).to_dict() == {0: 50.0}


def test_joined_folds_have_the_settings_that_they_share_and_no_coco_scores(experiment):
    _, joined = experiment
    runs = joined["runs"]
    assert set(runs["tuning"]) == {"grid"} and set(runs["grow"]) == {1}
    assert runs["maxima_threshold"].isna().all()
    assert runs[list(names.COCO_SCORES)].isna().all(axis=None)
    assert len(runs) == len(runs.drop_duplicates(folds.KEYS)) == 2 * 2 * 2


def test_joined_folds_are_compared_over_all_held_out_images(experiment):
    _, joined = experiment
    compared = comparisons.compare(joined["images"], joined["runs"])
    assert set(compared["subset_a"]) == set(compared["subset_b"]) == {"five"}
    (row,) = compared[
        (compared["score"] == "f1_50") & (compared["small_objects"] == "kept")
    ].to_dict("records")
    assert (row["test"], row["pairs"], row["n_pairs"]) == (
        comparisons.SIGNED_RANK, comparisons.IMAGES, 8,
    )  # fmt: skip
    assert row["difference"] == pytest.approx(0.1)
    assert row["p"] == pytest.approx(2 / 2**8)  # the exact test: all 8 differ in one direction


def test_formatted_tables_have_a_row_for_all_folds(experiment):
    _, joined = experiment
    compared = comparisons.compare(joined["images"], joined["runs"])
    about = captions.Experiment("cv", "Which?", "local", "keep", 1, 10)
    kept, _ = content.build(joined, compared, [], about)
    assert [row.names for row in kept.rows] == [("high",), ("low",)]
    assert "AP50" not in [score.heading for score in kept.scores]
    assert "held-out images of d, 2 folds together: 8 images with 80 true cells" in kept.notes[0]
    assert "COCO scores are in runs.csv by fold" in kept.notes[0]
    assert not any("AP50" in note for note in kept.notes)


@pytest.mark.parametrize(
    "name",
    ["f1-by-heads", "f1-by-cell-type", "backbones", "errors", "f1-by-iou", "score-by-density",
     "score-by-size", "counts"],
)  # fmt: skip
def test_figures_show_folds_as_one_condition(experiment, name):
    _, joined = experiment
    caption = style.caption_of(registry.draw(name, joined, "Which?"))
    where = "Held-out images of d, 2 folds together: 8 images, 80 cells; 1 seed"
    assert where in caption.subtitle
    assert "Training subset: five" in caption.note or "five" in str(caption)
    assert "fold-" not in str(caption)


def test_learning_curves_show_each_fold(experiment):
    apart, _ = experiment
    assert registry.BY_FOLD == ("learning-curves",)
    figure = registry.draw("learning-curves", apart)
    titles = [axes.get_title("left") for axes in figure.axes if axes.get_visible()]
    assert [title for title in titles if "five-fold-2" in title.replace("\n", "")]
    assert len(titles) == 4


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
