"""Which images a run is trained and validated on."""

import itertools

import pandas as pd
import pytest

from cellseg.data.subsets import sampled, select
from cellseg.errors import UserError

ALL = {"cell_types": [], "fraction": 1, "selection": "every-nth", "validation": "official"}


@pytest.fixture
def images():
    """Two cell types; 20 training images each in 10 wells, 4 validation images each in 2."""
    rows = []
    for split, count in (("train", 40), ("val", 8)):
        for order in range(count):
            cell_type = ("A172", "BV2")[order % 2]
            rows.append(
                {
                    "image": f"{cell_type}-{split}-{order}",
                    "split": split,
                    "order": order,
                    "cell_type": cell_type,
                    "well": f"{split[0].upper()}{order // 4}",
                }
            )
    return pd.DataFrame(rows)


def test_all_images_by_default(images):
    chosen = select(images, ALL, seed=0)
    assert len(chosen["train"]) == 40 and len(chosen["val"]) == 8


def test_every_nth_follows_the_order_of_the_json(images):
    shuffled = images.sample(frac=1, random_state=1)
    chosen = select(shuffled, {**ALL, "fraction": 0.25}, seed=0)
    assert [name.rpartition("-")[2] for name in chosen["train"]] == [
        str(order) for order in range(0, 40, 4)
    ]


def test_cell_types(images):
    chosen = select(images, {**ALL, "cell_types": ["BV2"]}, seed=0)
    assert len(chosen["train"]) == 20
    assert all(name.startswith("BV2") for names in chosen.values() for name in names)


def test_seeded_selections_are_nested_and_keep_the_share_of_each_type(images):
    def seeded(fraction, seed=0):
        subset = {**ALL, "fraction": fraction, "selection": "seeded"}
        return set(select(images, subset, seed)["train"])

    small, large = seeded(0.1), seeded(0.5)
    assert len(small) == 4 and len(large) == 20 and small < large
    assert sum(name.startswith("A172") for name in large) == 10
    assert seeded(0.1) == small
    assert seeded(0.5, seed=1) != large


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_fraction_lies_in_the_next_up_to_all(images, seed):
    """So that data sizes differ in nothing but what is added."""
    fractions = (0.01, 0.1, 0.25, 0.5, 0.7, 1)
    chosen = [
        select(images, {**ALL, "fraction": fraction, "selection": "seeded"}, seed)
        for fraction in fractions
    ]
    for split in ("train", "val"):
        of_split = [set(one[split]) for one in [*chosen, select(images, ALL, seed)]]
        assert all(small <= large for small, large in itertools.pairwise(of_split))
        assert of_split[-2] == of_split[-1]
    assert len({len(one["train"]) for one in chosen}) == len(fractions)


def test_drawn_validation_shares_no_well_with_training(images):
    subset = {**ALL, "validation": "by-well"}
    chosen = select(images, subset, seed=3)
    wells = images.set_index("image")[["cell_type", "well"]]
    sides = [{tuple(wells.loc[name]) for name in chosen[split]} for split in ("train", "val")]
    assert not sides[0] & sides[1]
    assert len(chosen["train"]) + len(chosen["val"]) == 48
    assert select(images, subset, seed=4) != chosen


def test_drawn_validation_is_a_seventh_of_the_wells(images):
    """Two of the twelve wells of each cell type, as the official split has 15 %."""
    chosen = select(images, {**ALL, "validation": "by-well"}, seed=3)
    wells = images.set_index("image")[["cell_type", "well"]]
    drawn = {tuple(wells.loc[name]) for name in chosen["val"]}
    assert sorted(cell_type for cell_type, _ in drawn) == ["A172", "A172", "BV2", "BV2"]
    whole = images[[(row.cell_type, row.well) in drawn for row in images.itertuples()]]
    assert sorted(chosen["val"]) == sorted(whole["image"])


@pytest.mark.parametrize(("selection", "kept"), [("every-nth", 4), ("seeded", 4)])
def test_a_fraction_is_of_the_validation_images_too(images, selection, kept):
    chosen = select(images, {**ALL, "fraction": 0.5, "selection": selection}, seed=0)
    assert len(chosen["train"]) == 20 and len(chosen["val"]) == kept


def test_errors_say_what_to_do(images):
    with pytest.raises(UserError, match="no image is of cell type HeLa; there are A172, BV2"):
        select(images, {**ALL, "cell_types": ["HeLa"]}, seed=0)
    train_only = images[(images["split"] == "train") | (images["cell_type"] == "BV2")]
    with pytest.raises(UserError, match="no image is left in the val split"):
        select(train_only, {**ALL, "cell_types": ["A172"]}, seed=0)
    with pytest.raises(UserError, match="needs wells"):
        select(images.assign(well=None), {**ALL, "validation": "by-well"}, seed=0)


def test_a_sample_takes_a_share_of_each_cell_type_by_the_seed(images):
    test = images[images["split"] == "train"]
    one, again, other = (sampled(test, 0.25, seed) for seed in (0, 0, 1))
    assert one["cell_type"].value_counts().to_dict() == {"A172": 5, "BV2": 5}
    assert one.equals(again) and set(one["image"]) != set(other["image"])
    shuffled = test.sample(frac=1, random_state=1)
    assert set(sampled(shuffled, 0.25, 0)["image"]) == set(one["image"])
    few = sampled(test, 0.01, 0)
    assert few["cell_type"].tolist() == ["A172", "BV2"]  # at least one of each
