"""The watershed's kernels give what SciPy and scikit-image give, pixel for pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import label
from skimage.morphology import disk, h_maxima
from skimage.segmentation import relabel_sequential, watershed

from cellseg.segmentation import cleanup, flooding, smoothing
from cellseg.segmentation import h_maxima as peaks
from cellseg.targets import distances

KINDS = ("noise", "smooth", "steps", "few levels", "saturated", "nearly flat", "near ties")
seeds = st.integers(0, 2**32 - 1)


def map_of(kind: str, random: np.random.Generator) -> np.ndarray:
    """A map of up to 40 pixels a side, float32 or float64."""
    shape = tuple(random.integers(1, 40, 2))
    smooth = ndimage.gaussian_filter(random.random(shape), 1.5)
    values = {
        "noise": random.normal(size=shape),
        "smooth": 3 * smooth,
        "steps": np.round(smooth * 40) / 10,
        "few levels": random.integers(0, random.integers(1, 6), shape) / 4,
        "saturated": np.minimum(smooth, 0.5),
        "nearly flat": 0.5 + 1e-5 * ndimage.gaussian_filter(random.normal(size=shape), 2),
        "near ties": 0.1 * random.integers(0, 3, shape) + 1e-7 * random.normal(size=shape),
    }[kind]
    return values.astype(random.choice([np.float32, np.float64]))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_h_maxima(kind, seed):
    random = np.random.default_rng(seed)
    image = map_of(kind, random)
    height = float(random.choice([1e-6, 0.02, 0.1, 0.3, 0.5]))
    radius = int(random.choice([1, 2, 3, 10]))
    expected = label(h_maxima(image, height, disk(radius)))
    found = peaks.h_maxima(image, height, radius)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)


def test_a_peak_must_rise_from_all_around_it():
    image = np.zeros((9, 15), np.float32)
    image[4, 3], image[4, 11], image[4, 4:11] = 1.0, 0.8, 0.75
    assert peaks.h_maxima(image, 0.1, 1).max() == 1  # 0.8 is 0.05 above the bridge
    image[4, 7] = 0.6
    found = peaks.h_maxima(image, 0.1, 1)
    assert found[4, 3] == 1 and found[4, 11] == 2
    assert peaks.h_maxima(image, 0.1, 2).max() == 1  # a step of two pixels leaps over the gap


@pytest.mark.parametrize(("height", "radius"), [(0, 2), (0.1, 0)])
def test_peaks_need_a_height_and_a_radius(height, radius):
    with pytest.raises(ValueError, match="positive"):
        peaks.h_maxima(np.zeros((3, 3), np.float32), height, radius)


def flooded(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    random = np.random.default_rng(seed)
    height = map_of(kind, random)
    markers = label(random.random(height.shape) < random.choice([0.01, 0.05, 0.3]))
    return height, markers.astype(np.int32), height > np.quantile(height, 0.2), random


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_flood(kind, seed):
    """Also where many markers are equally high, and scikit-image's heap decides."""
    height, markers, mask, random = flooded(kind, seed)
    if random.random() < 0.5:
        mask = random.random(height.shape) < 0.8
    found = flooding.flood(height, markers, mask)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, watershed(-height, markers, mask=mask))


@pytest.mark.parametrize("kind", ["noise", "smooth", "saturated"])
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_one_flood_for_all_thresholds(kind, seed):
    height, markers, mask, _ = flooded(kind, seed)
    floods = flooding.flood_of_all_thresholds(height, markers, mask)
    marked = height[(markers > 0) & mask]
    assert (floods is None) == (len(np.unique(marked)) < len(marked))
    for threshold in np.quantile(height, [0.2, 0.4, 0.6, 0.9]) if floods else ():
        expected = watershed(-height, markers, mask=mask & (height > threshold))
        np.testing.assert_array_equal(flooding.above(*floods, float(threshold)), expected)


def test_nothing_to_flood():
    height = np.ones((4, 5), np.float32)
    none, every = np.zeros((4, 5), np.int32), np.ones((4, 5), bool)
    assert not flooding.flood(height, none, every).any()
    assert not flooding.flood(height, none + 1, ~every).any()
    assert (flooding.flood(height, none + 7, every) == 7).all()


@settings(max_examples=100, deadline=None)
@given(seed=seeds, deviation=st.sampled_from([0.3, 0.5, 1, 1.5, 2, 5]))
def test_gaussian(seed, deviation):
    random = np.random.default_rng(seed)
    image = random.random(random.integers(1, 60, 2)).astype(random.choice(["f4", "f8"]))
    expected = ndimage.gaussian_filter(image, deviation)
    found = smoothing.gaussian(image, deviation)
    assert found.dtype == image.dtype
    np.testing.assert_array_equal(found, expected)


def test_no_gaussian():
    image = np.eye(3, dtype=np.float32)
    assert smoothing.gaussian(image, 0) is image


def labels_of(random: np.random.Generator) -> np.ndarray:
    """Cells that touch, with holes, in pieces."""
    shape, n_cells = random.integers(1, 40, 2), int(random.integers(1, 9))
    if random.random() < 0.3:
        noise = random.integers(0, n_cells + 1, shape)
        return np.where(random.random(shape) < 0.8, noise, 0).astype(np.int32)
    fields = ndimage.gaussian_filter(random.random((n_cells + 1, *shape)), (0, 1.2, 1.2))
    return np.argmax(fields, axis=0).astype(np.int32)


@settings(max_examples=100, deadline=None)
@given(seed=seeds)
def test_distance_to_background(seed):
    labels = labels_of(np.random.default_rng(seed))
    labels.flat[0] = 0
    expected = ndimage.distance_transform_edt(labels).astype(np.float32)
    np.testing.assert_array_equal(distances.distance_to_background(labels), expected)


def test_distances_across_a_long_image():
    labels = np.ones((24_000, 3), np.int32)
    labels[:, 0] = 0
    np.testing.assert_array_equal(distances.distance_to_background(labels)[::5999], [[0, 1, 2]] * 5)


@settings(max_examples=100, deadline=None)
@given(seed=seeds)
def test_pieces(seed):
    labels = labels_of(np.random.default_rng(seed))
    row, start, end, piece, n_pieces = distances.runs_of_pieces(labels)
    numbers = np.zeros(labels.shape, int)
    for run in range(len(piece)):
        numbers[row[run], start[run] : end[run]] = piece[run] + 1
    expected, count = label(labels, return_num=True, connectivity=2)
    assert n_pieces == count
    np.testing.assert_array_equal(numbers, expected)


@settings(max_examples=100, deadline=None)
@given(seed=seeds, threshold=st.sampled_from([0, 1, 3, 15]))
def test_cells_are_numbered_anew_and_small_ones_removed(seed, threshold):
    labels = 3 * labels_of(np.random.default_rng(seed))
    np.testing.assert_array_equal(cleanup.numbered_anew(labels), relabel_sequential(labels)[0])
    area = np.bincount(labels.ravel())[labels]
    expected = np.where(area < threshold, 0, labels)
    np.testing.assert_array_equal(cleanup.remove_small(labels, threshold), expected)


@settings(max_examples=100, deadline=None)
@given(seed=seeds, threshold=st.sampled_from([0, 2, 9, 60]))
def test_holes_are_filled_one_cell_after_the_other(seed, threshold):
    from skimage.measure import euler_number

    labels = labels_of(np.random.default_rng(seed))
    expected = labels.copy()
    for value, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None or euler_number(labels[box] == value, connectivity=2) > 0:
            continue
        gaps, count = ndimage.label(expected[box] != value)
        for gap in range(1, count + 1):
            if np.count_nonzero(gaps == gap) < threshold:
                expected[box][gaps == gap] = value
    np.testing.assert_array_equal(cleanup.fill_holes(labels, threshold), expected)
