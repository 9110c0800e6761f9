"""How far synthetic images are from real ones, and how much of that is chance."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from cellseg.figures import extension_pca
from cellseg.synthesis import comparison, energy, features, names

WIDTH = len(features.FEATURES)


def tables(n, times, random, shift=0.0, alike=0.5):
    """Made-up features; `alike` is the part of the variance that images of one source share."""
    shared = alike**0.5 * random.standard_normal((n, WIDTH))
    values = [shared + (1 - alike) ** 0.5 * random.standard_normal((n, WIDTH))
              for _ in range(times + 1)]  # fmt: skip
    keys = [f"image-{number}" for number in range(n)]
    found = []
    for number, part in enumerate(values):
        part[:, 0] += shift * (number > 0)
        table = pd.DataFrame(part, columns=list(features.FEATURES))
        table.insert(0, "image", [names.name(key, number) if number else key for key in keys])
        table.insert(1, "cell_type", "BV2")
        found.append(table)
    return found[0], pd.concat(found[1:], ignore_index=True)


def compared(n, times, *args, **kwargs):
    real, synthetic = comparison.standardised(*tables(n, times, *args, **kwargs))
    source = np.tile(np.arange(n), times + 1)
    return energy.compare(np.concatenate([real, synthetic]), source, np.arange(len(source)) < n)


def first_row(*args, **kwargs):
    return comparison.distances(*tables(*args, **kwargs)).iloc[0]


def test_energy_distance_by_hand():
    source = np.array([0, 1, 0, 1])
    real = np.array([True, True, False, False])

    def distance(*values):
        return energy.energy_distances(np.array(values)[:, None], source, real[:, None])[0]

    assert distance(0.0, 0.0, 1.0, 1.0) == pytest.approx(2)
    assert distance(0.0, 1.0, 0.0, 1.0) == pytest.approx(0)
    # Between 0 and 5, and 1 and 3; 2 * (5 + 2) / 2 - 1 - 2.
    assert distance(0.0, 1.0, 3.0, 5.0) == pytest.approx(4)
    one = energy.energy_distances(np.zeros((2, 1)), np.zeros(2, int), np.array([[True], [False]]))
    assert np.isnan(one[0])


@pytest.mark.parametrize(("n", "times", "alike"), [(10, 3, 0.0), (10, 3, 0.8), (25, 1, 0.5)])
def test_images_that_are_alike_are_0_apart_on_average(n, times, alike):
    random = np.random.default_rng(0)
    found = [compared(n, times, random, alike=alike).distance for _ in range(30)]
    error = np.std(found) / len(found) ** 0.5
    assert abs(np.mean(found)) < 3 * error < 0.3


def test_chance_is_as_wide_as_what_is_compared():
    random = np.random.default_rng(0)
    rows = pd.DataFrame([compared(20, 3, random) for _ in range(60)])
    assert (rows["distance"] > rows["high"]).mean() <= 0.15
    assert (rows["p"] < 0.5).mean() == pytest.approx(0.5, abs=0.25)
    assert ((rows["low"] < 0) & (rows["high"] > 0)).all()


def test_a_shift_is_noticed_that_halves_of_the_real_images_hid():
    random = np.random.default_rng(0)
    row = first_row(40, 5, random, shift=0.6)
    assert row["energy_distance"] > row["exchanged_95"] and row["exchanged_p"] <= 0.05


def test_exchanges_keep_sources_and_numbers():
    source = np.array([0, 1, 1, 0, 2, 0, 3])
    is_real = np.array([True, True, False, False, True, False, True])
    drawn = energy.exchanged(source, is_real, 300)
    for number in range(4):
        assert (drawn[source == number].sum(0) == 1).all()
    assert drawn[[0, 3, 5]].mean(1) == pytest.approx(1 / 3, abs=0.1)
    assert drawn[[1, 2]].mean(1) == pytest.approx(1 / 2, abs=0.1)


def test_too_few_exchanges_tell_nothing_of_chance():
    row = first_row(2, 2, np.random.default_rng(0))  # nine
    assert np.isfinite(row["energy_distance"])
    assert row[["exchanged_5", "exchanged_95", "exchanged_p"]].isna().all()
    assert np.isnan(first_row(1, 2, np.random.default_rng(0))["energy_distance"])


def test_distances_take_no_more_memory_than_a_block(monkeypatch):
    values = np.random.default_rng(0).standard_normal((2500, 3))
    source = np.arange(2500) % 500
    marked = (np.arange(2500) < 500)[:, None]
    tracemalloc.start()
    found = energy.energy_distances(values, source, marked)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 0.5 * 8 * 2500**2
    monkeypatch.setattr(energy, "ROWS", 2500)
    assert energy.energy_distances(values, source, marked) == pytest.approx(found)


def test_of_many_images_some_are_compared_always_the_same(monkeypatch):
    monkeypatch.setattr(comparison, "MOST_REAL", 12)
    monkeypatch.setattr(comparison, "MOST_SYNTHETIC", 30)
    real, synthetic = tables(20, 4, np.random.default_rng(0))
    rows = comparison.distances(real, synthetic)
    pd.testing.assert_frame_equal(rows, comparison.distances(real, synthetic))
    counts = rows.iloc[0][["real_images", "synthetic_images"]].tolist()
    compared = rows.iloc[0][["real_images_compared", "synthetic_images_compared"]].tolist()
    assert counts == [20, 80] and compared == [12, 30]
    text = extension_pca.explained(rows)
    assert "(12 and 30 of them, drawn at random)" in text and "chance" in text
    few = comparison.distances(real[:2], synthetic[synthetic["image"].isin(
        names.made_of(synthetic["image"], real["image"][:2]))][:2])  # fmt: skip
    assert "So few images do not show" in extension_pca.explained(few)


def test_distances_to_the_source_and_within_a_type():
    real, synthetic = tables(6, 2, np.random.default_rng(0))
    row = comparison.distances(real, synthetic).iloc[0]
    a, b = comparison.standardised(real, synthetic)
    own = np.linalg.norm(b - np.concatenate([a, a]), axis=1)
    assert row["to_source"] == pytest.approx(np.median(own))
    between = np.linalg.norm(a[:, None] - a, axis=2)[np.triu_indices(6, 1)]
    assert row["to_same_type"] == pytest.approx(np.median(between))
