"""Which conditions differ by more than chance, on scores one can check by eye."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cellseg.errors import UserError
from cellseg.scoring import metrics, pooled_pixels
from cellseg.tables import collect, comparisons, glossary
from score_tables_testing import experiment


def compared(scores, errors=None) -> pd.DataFrame:
    """Comparisons with small objects kept, by score where there is one pair."""
    made = experiment(scores, errors)
    table = comparisons.compare(made["images"], made["runs"])
    assert list(table) == list(comparisons.COLUMNS)
    kept, removed = (table[table["small_objects"] == small] for small in ("kept", "removed"))
    pd.testing.assert_frame_equal(
        kept.drop(columns="small_objects"),
        removed.drop(columns="small_objects").set_axis(kept.index),
    )
    return kept


def seeds(values) -> dict:
    """One image a seed."""
    return {seed: {"x": value} for seed, value in enumerate(values)}


def test_a_difference_that_every_seed_has():
    a, b = [0.70, 0.71, 0.69, 0.72, 0.70], [0.60, 0.62, 0.60, 0.61, 0.60]
    row = compared({"a": seeds(a), "b": seeds(b)}).set_index("score").loc["f1_50"]
    assert (row["model_a"], row["model_b"]) == ("a", "b")
    assert (row["test"], row["pairs"], row["n_pairs"]) == ("paired t test", "seeds", 5)
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((0.704, 0.606))
    assert row["difference"] == pytest.approx(0.098)
    expected = stats.ttest_rel(a, b)
    assert row["p"] == pytest.approx(expected.pvalue) and row["p"] < 0.001
    interval = expected.confidence_interval()
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    assert row["p_corrected"] == row["p"] and row["n_comparisons"] == 1


def test_a_difference_within_the_noise_of_seeds():
    row = compared({"a": seeds([0.7, 0.5, 0.6]), "b": seeds([0.5, 0.7, 0.58])}).iloc[0]
    assert row["difference"] == pytest.approx(0.02 / 3)
    assert row["low"] < 0 < row["high"] and row["p"] > 0.9


def test_one_seed_is_compared_over_images():
    """Eight images, each better: of 2^8 ways to sign the ranks two are as extreme."""
    a = {0: {f"i{n}": 0.5 + 0.01 * n for n in range(1, 9)}}
    b = {0: {f"i{n}": 0.5 for n in range(1, 9)}}
    table = compared({"a": a, "b": b}).set_index("score")
    row = table.loc["msa"]
    assert (row["test"], row["pairs"], row["n_pairs"]) == ("Wilcoxon signed rank", "images", 8)
    assert row["p"] == pytest.approx(2 / 2**8)
    assert row["difference"] == pytest.approx(0.045) and row["low"] > 0
    for name in ("ap", "ap50"):  # of all images together: nothing to pair
        assert (table.loc[name, "test"], table.loc[name, "n_comparisons"]) == ("none", 0)
        assert table.loc[name, ["low", "high", "p", "p_corrected"]].isna().all()
        assert table.loc[name, "difference"] == pytest.approx(0.045)


def test_two_seeds_are_averaged_before_images_are_compared():
    a = {0: {"x": 0.4, "y": 0.6, "z": 0.8}, 1: {"x": 0.6, "y": 0.8, "z": 0.8}}
    b = {0: {"x": 0.4, "y": 0.5, "z": 0.5}}
    row = compared({"a": a, "b": b}).set_index("score").loc["msa"]
    assert (row["pairs"], row["n_pairs"]) == ("images", 3)
    assert row["difference"] == pytest.approx((0.1 + 0.2 + 0.3) / 3)


def test_pairs_with_one_side_only_do_not_count():
    a = {0: {"x": 0.9}, 1: {"x": 0.5}, 2: {"x": 0.6}, 3: {"x": 0.7}}
    b = {1: {"x": 0.4}, 2: {"x": 0.5}, 3: {"x": 0.5}, 4: {"x": 0.1}}
    row = compared({"a": a, "b": b}).iloc[0]
    assert row["n_pairs"] == 3 and row["difference"] == pytest.approx(0.4 / 3)
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((0.675, 0.375))
    # An image without cells has no score in one condition, and one is missing in the other.
    a = {0: {"x": 0.5, "y": np.nan, "z": 0.7}}
    row = compared({"a": a, "b": {0: {"x": 0.4, "y": 0.4}}}).iloc[0]
    assert row["n_pairs"] == 1 and row["difference"] == pytest.approx(0.1)


def test_no_common_image_is_no_test():
    row = compared({"a": {0: {"x": 0.5}}, "b": {0: {"y": 0.5}}}).iloc[0]
    assert (row["test"], row["n_pairs"]) == ("none", 0) and np.isnan(row["p"])


@pytest.mark.parametrize("n_seeds", [1, 4])
def test_equal_scores_do_not_differ(n_seeds):
    same = {seed: {"x": 0.5, "y": 0.1 + 0.2} for seed in range(n_seeds)}
    table = compared({"a": same, "b": same})
    tested = table[table["test"] != "none"]
    assert (tested["p"] == 1).all() and (tested["difference"] == 0).all() and len(tested) >= 5


def test_the_same_difference_with_every_seed_is_no_noise():
    row = compared({"a": seeds([0.75] * 3), "b": seeds([0.5] * 3)}).iloc[0]
    assert row["p"] == 0 and (row["low"], row["high"]) == (0.25, 0.25)


def test_all_pairs_of_a_score_are_corrected_together():
    table = compared(
        {
            "a": seeds([0.70, 0.71, 0.69]),
            "b": seeds([0.60, 0.62, 0.60]),
            "c": seeds([0.61, 0.60, 0.62]),
        }
    )
    own = table[table["score"] == "msa"]
    assert own[["model_a", "model_b"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert (own["n_comparisons"] == 3).all()
    assert own["p_corrected"].tolist() == pytest.approx(comparisons.holm(own["p"].to_numpy()))
    assert (own["p_corrected"] >= own["p"]).all()


def test_tests_over_seeds_and_over_images_are_corrected_apart():
    """c has one seed, and is compared over images with the others."""
    a = {seed: {"x": v, "y": v} for seed, v in enumerate([0.70, 0.71, 0.69])}
    b = {seed: {"x": v, "y": v} for seed, v in enumerate([0.60, 0.62, 0.60])}
    table = compared({"a": a, "b": b, "c": {0: {"x": 0.3, "y": 0.2}}})
    own = table[table["score"] == "msa"]
    assert own["pairs"].tolist() == ["seeds", "images", "images"]
    assert own["n_comparisons"].tolist() == [1, 2, 2]
    assert own["p_corrected"].iloc[0] == own["p"].iloc[0]
    expected = comparisons.holm(own["p"].to_numpy()[1:])
    assert own["p_corrected"].tolist()[1:] == pytest.approx(expected)
    ap = table[table["score"] == "ap"]
    assert ap["test"].tolist() == ["paired t test", "none", "none"]
    assert ap["n_comparisons"].tolist() == [1, 0, 0]


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_means_and_tests_are_of_the_same_images(n_seeds):
    """Ten images, two of them empty; a leaves these empty, b puts a false cell in each."""
    cell = np.zeros((8, 8), np.int32)
    cell[:3, :3] = 1
    rows = [
        {
            **{"dataset": "d", "model": model, "heads": "fgbg", "subset": "full", "seed": seed},
            **{"data_split": "test", "image": f"i{number}", "cell_type": "BV2"},
            **score,
            **dict.fromkeys(pooled_pixels.COUNTS, 9),
        }
        for model in ("a", "b")
        for seed in range(n_seeds)
        for number in range(10)
        for true in [cell if number < 8 else cell * 0]
        for pred in [cell if true.any() or model == "b" else true]
        for score in metrics.score_image(true, pred, 0)
    ]
    images = pd.DataFrame(rows)
    runs = collect.with_pooled_pixels(collect.per_run(images), images)
    runs = runs.assign(**dict.fromkeys(metrics.COCO_SCORES, 0.5))
    assert set(runs["n_images"]) == {8}
    assert runs.groupby("model")["gained"].max().to_dict() == {"a": 0, "b": 2}
    table = comparisons.compare(images, runs)
    rows = table[table["small_objects"] == "kept"].set_index("score")
    for name in ("pixel_iou", "f1_50", "msa"):
        assert rows.loc[name, ["mean_a", "mean_b", "difference"]].tolist() == [1, 1, 0]
        assert rows.loc[name, "n_pairs"] == (8 if n_seeds == 1 else 3)
    assert rows.loc["errors_per_100", ["mean_a", "mean_b"]].tolist() == [0, 25]


def test_holm():
    p = np.array([0.01, 0.04, np.nan, 0.03])
    np.testing.assert_allclose(comparisons.holm(p), [0.03, 0.06, np.nan, 0.06])
    np.testing.assert_allclose(comparisons.holm(np.array([0.6, 0.7])), [1, 1])
    assert comparisons.holm(np.array([])).tolist() == []


def test_errors_count_for_a_hundred_true_cells():
    made = experiment({"a": seeds([0.5])}, {"a": 2})
    runs, images = glossary.of_runs(made["runs"]), made["images"]
    assert set(runs["errors_per_100"]) == {20}
    kept = images[images["small_objects"] == "kept"]
    both = pd.concat([kept.assign(n_true=30, missed=3), kept.assign(n_true=10, split=1, missed=0)])
    shares = glossary.of_images(both)["errors_per_100"]
    assert shares.tolist() == [15, 5] and shares.mean() == 100 * 4 / 40
    assert glossary.of_runs(runs.assign(n_true=0))["errors_per_100"].isna().all()


def test_one_condition_has_nothing_to_be_compared_with():
    assert compared({"a": seeds([0.5, 0.6])}).empty


def test_what_a_table_lacks_is_told():
    made = experiment({"a": seeds([0.5])})
    with pytest.raises(UserError, match=r"runs\.csv lacks the column\(s\) ap50"):
        comparisons.compare(made["images"], made["runs"].drop(columns="ap50"))
    with pytest.raises(UserError, match=r"images\.csv lacks the column\(s\) missed, msa"):
        comparisons.compare(made["images"].drop(columns=["missed", "msa"]), made["runs"])
