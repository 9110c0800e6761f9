"""What the network sees of pictures that are deeper than 8 bits."""

import numpy as np
import pytest

from cellseg.errors import UserError
from cellseg.images import grey_values


def picture(seed=0, shape=(60, 70)):
    return np.random.default_rng(seed).integers(400, 3000, shape).astype(np.uint16)


def test_one_hot_or_dead_pixel_changes_no_other():
    plain = picture()
    outlying = plain.copy()
    outlying[3, 5], outlying[40, 50] = 65535, 0
    difference = grey_values.to_8_bit(plain, "a").astype(int) - grey_values.to_8_bit(outlying, "a")
    difference[3, 5] = difference[40, 50] = 0
    assert np.abs(difference).max() <= 1  # each moves the percentile by one pixel
    assert grey_values.levels(plain, "a") != (plain.min(), plain.max())


def test_8_bits_are_not_touched():
    grey = picture().astype(np.uint8)
    assert grey_values.to_8_bit(grey, "a") is grey
    assert grey_values.levels(grey, "a") == (0, 255)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (np.full((3, 4), 700, np.uint16), (700, 700)),
        (np.array([[-5]], np.int16), (-5, -5)),
        (np.array([[100, 1100], [600, 600]], np.uint16), (100, 1100)),
        (np.pad(np.array([[4000]], np.uint16), 40), (0, 4000)),  # one pixel of 6,561 is a cell
        (np.array([[False, True]]), (0, 1)),
        (np.array([[-1.7e308, 1.7e308]]), (-1.7e308, 1.7e308)),
        (np.array([[0, 2**64 - 1]], np.uint64), (0, 2**64 - 1)),
    ],
)
def test_levels_of_small_empty_and_extreme_pictures(values, levels):
    assert grey_values.levels(values, "a") == pytest.approx(levels)
    shown = grey_values.to_8_bit(values, "a")
    assert shown.dtype == np.uint8 and shown.min() == 0
    assert shown.max() == (255 if levels[0] < levels[1] else 0)


def test_a_picture_in_blocks_is_stretched_as_a_whole(monkeypatch):
    whole = grey_values.to_8_bit(picture(), "a")
    monkeypatch.setattr(grey_values, "BLOCK", 200)
    np.testing.assert_array_equal(grey_values.to_8_bit(picture(), "a"), whole)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    values = picture().astype(np.float32)
    values[0, 0] = value
    with pytest.raises(UserError, match=r"a\.tif holds values that are not finite"):
        grey_values.to_8_bit(values, "a.tif")


@pytest.mark.parametrize(
    "outlying",
    [
        (slice(7, 8), slice(None), 65535),  # a row, as of a camera
        (slice(None), slice(9, 10), 60000),
        (slice(300, 310), slice(20, 120), 65535),  # a scale bar
        (slice(7, 8), slice(None), 0),
    ],
)
def test_rows_and_bars_far_from_all_other_values_do_not_set_the_contrast(outlying):
    plain = picture(shape=(320, 400)) + np.uint16(20000)
    rows, columns, value = outlying
    marked = plain.copy()
    marked[rows, columns] = value
    np.testing.assert_allclose(
        grey_values.levels(marked, "a"), grey_values.levels(plain, "a"), atol=5
    )


def test_specks_next_to_a_bar_do_not_set_the_contrast_either():
    plain = picture(shape=(320, 400)) + np.uint16(20000)
    plain[100, :60] = 24000  # less than a tenth of a percent
    marked = plain.copy()
    marked[7] = 65535
    np.testing.assert_allclose(
        grey_values.levels(marked, "a"), grey_values.levels(plain, "a"), atol=5
    )


def test_a_few_bright_cells_are_no_outliers():
    down, across = np.mgrid[:320, :400]
    cells = 30000 * np.exp(-((down - 90) ** 2 + (across - 200) ** 2) / 50)
    values = (picture(shape=(320, 400)) / 100 + cells).astype(np.uint16)
    assert grey_values.levels(values, "a")[1] == np.percentile(values, 99.9, method="higher")
