"""COCO run lengths, decoded and painted without a mask for each cell."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask

from cellseg.data import rasterize
from cellseg.data.run_lengths import foreground_runs, of_cell, paint


def test_two_cells_by_eye():
    masks = np.array([[[0, 1, 0], [0, 1, 1]], [[1, 0, 0], [1, 0, 0]]], np.uint8)
    counts = [mask.encode(np.asfortranarray(one))["counts"] for one in masks]
    cell, start, length = foreground_runs(counts)
    # Columns one below the other: the first cell is pixels 2, 3 and 5, the second 0 and 1.
    assert list(zip(cell.tolist(), start.tolist(), length.tolist(), strict=True)) == [
        (0, 2, 2), (0, 5, 1), (1, 0, 2)
    ]  # fmt: skip
    painted = paint(cell, start, length, np.array([0, 1]), 2, 3)
    np.testing.assert_array_equal(painted, [[2, 1, 0], [2, 1, 1]])


def test_the_order_decides_who_is_on_top():
    cell, start, length = np.array([0, 1]), np.array([0, 1]), np.array([3, 3])
    assert paint(cell, start, length, np.array([0, 1]), 4, 1).ravel().tolist() == [1, 2, 2, 2]
    assert paint(cell, start, length, np.array([1, 0]), 4, 1).ravel().tolist() == [1, 1, 1, 2]


def test_nothing():
    assert all(len(part) == 0 for part in foreground_runs([]))
    empty = mask.encode(np.zeros((3, 4), np.uint8, order="F"))["counts"]
    cell, start, length = foreground_runs([empty, empty])
    assert not paint(cell, start, length, np.array([0, 1]), 3, 4).any()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.3, 0.7, 0.98]), st.booleans())
def test_random_masks_come_back(seed, density, as_text):
    random = np.random.default_rng(seed)
    height, width = (int(size) for size in random.integers(1, 90, 2))
    masks = random.random((int(random.integers(1, 6)), height, width)) < density
    counts = [mask.encode(np.asfortranarray(one.astype(np.uint8)))["counts"] for one in masks]
    if as_text:
        counts = [one.decode() for one in counts]
    cell, start, length = foreground_runs(counts)
    for number, one in enumerate(masks):
        own = cell == number
        painted = paint(cell[own] * 0, start[own], length[own], np.array([0]), height, width)
        np.testing.assert_array_equal(painted > 0, one)


@pytest.mark.parametrize("overlap", rasterize.OVERLAP)
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_equals_masks_painted_one_by_one(overlap, seed):
    """Polygons of one and of several parts, partly outside the frame, and run lengths."""
    random = np.random.default_rng(seed)
    height, width = (int(size) for size in random.integers(3, 60, 2))
    segmentations = []
    for _ in range(int(random.integers(0, 25))):
        if random.random() < 0.2:
            noise = (random.random((height, width)) < 0.3).astype(np.uint8)
            segmentations.append(mask.encode(np.asfortranarray(noise)))
        else:
            sizes = random.integers(3, 12, int(random.integers(1, 3)))
            parts = [random.uniform(-5, 70, 2 * int(size)).tolist() for size in sizes]
            segmentations.append(parts)
    rles = [of_cell(one, height, width) for one in segmentations]
    areas = np.array([mask.area(rle) for rle in rles], np.int64)
    expected = np.zeros((height, width), np.int32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        for cell in rasterize.OVERLAP[overlap](areas):
            expected[mask.decode(rles[cell]).astype(bool)] = cell + 1
    found = rasterize.rasterize(segmentations, height, width, overlap)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)


def test_a_cut_off_number_reads_nothing_beyond():
    """The last byte asks for another one; what is there counts, and nobody looks further."""
    cell, start, length = foreground_runs([b"1", b"14p"])
    assert cell.tolist() == [1] and start.tolist() == [1] and length.tolist() == [4]
