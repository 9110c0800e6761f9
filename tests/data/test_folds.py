"""Images dealt to folds and splits, and subsets of a fold."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellseg.data import folds, subsets
from cellseg.errors import UserError

SUBSET = {"cell_types": [], "fraction": 1, "selection": "every-nth", "validation": "official"}


def table(**counts):
    """Images of some cell types, two in each well, alternately of train, val and test."""
    rows = [
        {"image": f"{cell_type}-{number:03}", "cell_type": cell_type, "well": f"W{number // 2}",
         "split": ("train", "val", "test")[number % 3], "order": number}
        for cell_type, count in counts.items()
        for number in range(count)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(2, 7), st.integers(0, 9)
)  # fmt: skip
def test_folds_of_a_type_and_of_all_differ_by_at_most_one_image(counts, count, seed):
    """Also of types with fewer images than there are folds."""
    images = table(**{f"type{number}": n for number, n in enumerate([*counts, 7])})
    fold = folds.assign(images, count, None, seed)
    assert set(fold) == set(range(1, count + 1))
    for own in [fold, *(rows for _, rows in fold.groupby(images["cell_type"]))]:
        sizes = own.value_counts().reindex(range(1, count + 1), fill_value=0)
        assert sizes.max() - sizes.min() <= 1


def test_the_order_of_the_rows_changes_no_fold_and_the_seed_does():
    images = table(cort=20, astro=13)
    fold = folds.assign(images, 5, None, 0)
    shuffled = images.sample(frac=1, random_state=1)
    assert folds.assign(shuffled, 5, None, 0).sort_index().equals(fold)
    assert not folds.assign(images, 5, None, 1).equals(fold)


def test_wells_stay_together_if_asked_for():
    images = table(cort=20, astro=13)
    fold = folds.assign(images, 4, "well", 0)
    assert (fold.groupby([images["cell_type"], images["well"]]).nunique() == 1).all()
    alone = folds.assign(images, 4, None, 0)
    assert (alone.groupby([images["cell_type"], images["well"]]).nunique() > 1).any()


def test_a_large_well_does_not_make_a_fold_larger_than_it_must():
    images = table(cort=20)
    images["well"] = ["big"] * 8 + [f"W{number}" for number in range(12)]
    assert sorted(folds.assign(images, 4, "well", 3).value_counts()) == [4, 4, 4, 8]


def test_wells_of_a_type_are_spread_before_folds_are_levelled():
    images = table(astro=6, cort=2)
    images["well"] = ["big"] * 5 + ["small", "W1", "W2"]
    fold = folds.assign(images, 2, "well", 0)
    assert set(fold[images["cell_type"] == "cort"]) == {1, 2}


def test_too_few_images_or_wells_and_images_without_a_well_are_refused():
    with pytest.raises(UserError, match=r"there are 4 images, fewer than the 5 folds"):
        folds.assign(table(cort=1, astro=3), 5, None, 0)
    with pytest.raises(UserError, match=r"there are 5 wells.*group: null"):
        folds.assign(table(cort=9), 6, "well", 0)
    images = table(cort=9).assign(well=None)
    with pytest.raises(UserError, match=r"no well \(first: cort-000\)"):
        folds.assign(images, 3, "well", 0)


def test_splits_are_drawn_by_share_from_each_type():
    images = table(cort=20, astro=40).assign(split=None)
    chosen = folds.split(images, {"val": 0.1, "test": 0.2}, None, 0)
    counts = pd.crosstab(images["cell_type"], chosen).to_dict("index")
    assert counts == {
        "astro": {"test": 8, "train": 28, "val": 4},
        "cort": {"test": 4, "train": 14, "val": 2},
    }


def test_splits_that_the_data_set_knows_are_kept():
    images = table(cort=20)
    images["split"] = [None] * 15 + ["test"] * 5
    chosen = folds.split(images, {"val": 0.2, "test": 0.5}, None, 0)
    assert (chosen[15:] == "test").all() and chosen[:15].value_counts()["val"] == 3
    assert "test" not in set(chosen[:15])


def test_splits_keep_wells_together():
    images = table(cort=20, astro=40).assign(split=None)
    chosen = folds.split(images, {"val": 0.2, "test": 0.2}, "well", 0)
    assert (chosen.groupby([images["cell_type"], images["well"]]).nunique() == 1).all()


def test_too_few_images_for_three_splits_are_refused():
    with pytest.raises(UserError, match="too few images to draw the split"):
        folds.split(table(cort=2).assign(split=None), {"val": 0.2, "test": 0.2}, None, 0)


# --- subsets


def fold_of(number, **more):
    return {"count": 5, "fold": number, "group": None, "seed": 0, "images": "all",
            "validation": "next", **more}  # fmt: skip


def test_every_image_is_held_out_once_and_never_trained_on_or_validated_with_there():
    images = table(cort=20, astro=13)
    seen = []
    for number in range(1, 6):
        chosen = subsets.select(images, {**SUBSET, "folds": fold_of(number)}, seed=number)
        scored = subsets.held_out(images, fold_of(number))["image"].tolist()
        assert sorted([*scored, *chosen["train"], *chosen["val"]]) == sorted(images["image"])
        seen += scored
    assert sorted(seen) == sorted(images["image"])


def test_the_next_fold_validates_or_the_held_out_one():
    images = table(cort=20)
    for number, following in ((1, 2), (5, 1)):
        chosen = subsets.select(images, {**SUBSET, "folds": fold_of(number)}, 0)
        assert sorted(chosen["val"]) == sorted(
            subsets.held_out(images, fold_of(following))["image"]
        )
    both = fold_of(2, validation="held-out")
    chosen = subsets.select(images, {**SUBSET, "folds": both}, 0)
    assert sorted(chosen["val"]) == sorted(subsets.held_out(images, both)["image"])
    assert len(chosen["train"]) == 16


def test_test_images_are_left_to_none_if_folds_are_of_training_images():
    images = table(cort=30)
    own = fold_of(1, images="training")
    chosen = subsets.select(images[images["split"] != "test"], {**SUBSET, "folds": own}, 0)
    test = set(images.loc[images["split"] == "test", "image"])
    assert not test & {*chosen["train"], *chosen["val"], *subsets.held_out(images, own)["image"]}


def test_cell_types_are_chosen_after_the_deal():
    images = table(cort=20, astro=13)
    whole = subsets.select(images, {**SUBSET, "folds": fold_of(3)}, 0)
    part = subsets.select(images, {**SUBSET, "cell_types": ["astro"], "folds": fold_of(3)}, 0)
    assert part["val"] == [name for name in whole["val"] if name.startswith("astro")]
