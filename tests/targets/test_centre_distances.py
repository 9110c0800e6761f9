"""Distances to centre and border of a cell, on cells that the eye can measure."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label, regionprops
from skimage.segmentation import find_boundaries

from cellseg.targets import centre_distances, heads
from made_labels import ellipses

NAMES = ("center-distance", "boundary-distance")


def maps(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = heads.compute(labels.astype(np.int32), {name: {} for name in NAMES})
    for target in found.values():
        assert np.array_equal(target[..., 1], labels > 0)
    return found["center-distance"][..., 0], found["boundary-distance"][..., 0]


def test_a_square():
    labels = np.zeros((9, 9), np.int32)
    labels[2:7, 2:7] = 3
    to_centre, to_border = maps(labels)
    corner = 8**0.5
    assert to_centre[4, 2:7].tolist() == pytest.approx(
        [2 / corner, 1 / corner, 0, 1 / corner, 2 / corner]
    )
    assert to_border[4, 2:7].tolist() == [0, 0.5, 1, 0.5, 0]
    assert to_centre[2, 2] == 1 and (to_centre[labels == 0] == 1).all()
    assert not to_border[labels == 0].any()


def test_pieces_and_touching_cells_have_their_own():
    labels = np.zeros((7, 20), np.int32)
    labels[1:6, 0:5], labels[1:6, 5:10], labels[1:6, 13:18] = 1, 2, 1
    to_centre, to_border = maps(labels)
    for start in (5, 13):
        np.testing.assert_array_equal(to_centre[1:6, start : start + 5], to_centre[1:6, :5])
    assert to_border[3, 5:10].tolist() == [0, 0.5, 1, 0.5, 0]
    assert to_border[3, 0:5].tolist() == pytest.approx([2 / 3, 2 / 3, 1, 0.5, 0], abs=0.4)


def test_cells_without_an_inside():
    labels = np.zeros((8, 8), np.int32)
    labels[1, 1], labels[4:6, 2:6] = 1, 2
    to_centre, to_border = maps(labels)
    assert np.array_equal(to_border, labels > 0)  # all pixels are equally far inside
    assert to_centre[1, 1] == 0 and to_centre[4, 2] == 1
    to_centre, to_border = maps(np.zeros((8, 8)))
    assert not to_border.any() and (to_centre == 1).all()
    to_centre, to_border = maps(np.ones((9, 9)))
    assert (to_border == 1).all() and to_centre[4, 4] == 0 and to_centre[0, 0] == 1


def test_a_centre_outside_of_the_cell_is_its_thickest_pixel():
    labels = np.zeros((30, 40), np.int32)
    labels[2:28, 2:8], labels[2:8, 2:38], labels[20:28, 2:38] = 1, 1, 1  # open to the right
    labels[18:29, 28:39] = 1
    to_centre, to_border = maps(labels)
    thickest = np.argwhere(to_border == 1)
    mean = np.argwhere(labels).mean(axis=0)
    assert not labels[tuple(mean.round().astype(int))]
    nearest = thickest[np.hypot(*(thickest - mean).T).argmin()]
    assert len(thickest) > 1 and to_centre[tuple(nearest)] == 0
    assert (to_centre == 0).sum() == 1


def test_a_symmetric_ring_has_the_nearest_of_its_thickest_pixels():
    labels = np.zeros((21, 21), np.int32)
    labels[3:18, 3:18] = 1
    labels[8:13, 8:13] = 0
    to_centre, _ = maps(labels)
    assert (to_centre == 0).sum() == 4
    for quarters in range(4):
        assert np.array_equal(np.rot90(to_centre, quarters), to_centre)


@pytest.mark.parametrize("seed", range(6))
def test_targets_of_turned_labels_are_turned_targets(seed):
    labels = ellipses(25, 83, 61, seed)
    # Cells whose mean lies outside of them, too.
    labels[10:40, 10:14], labels[10:14, 10:40], labels[36:40, 10:40] = 77, 77, 77
    for mirrored in (False, True):
        for quarters in range(4):
            turned = np.rot90(labels[:, ::-1] if mirrored else labels, quarters)
            for before, after in zip(maps(labels), maps(turned), strict=True):
                before = np.rot90(before[:, ::-1] if mirrored else before, quarters)
                assert np.array_equal(before, after)


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_the_description_by_scipy(seed):
    """Distances to the mean of each object and to its inner boundary, divided by the largest."""
    labels = ellipses(30, 90, 110, seed)
    to_centre, to_border = maps(labels)
    boundaries = find_boundaries(labels, connectivity=1, mode="inner")
    every = ndimage.distance_transform_edt((labels > 0) & ~boundaries)
    seen = 0
    for one in regionprops(label(labels, connectivity=2)):
        rows, columns = one.coords.T
        away = np.hypot(rows - one.centroid[0], columns - one.centroid[1])
        inside = every[rows, columns]
        expected = inside / inside.max() if inside.any() else inside + 1
        np.testing.assert_allclose(to_border[rows, columns], expected, atol=1e-6)
        near = np.abs(one.coords - np.array(one.centroid)).max(axis=1).min()
        if near <= 0.5:
            seen += 1
            expected = away / away.max() if away.any() else away
            np.testing.assert_allclose(to_centre[rows, columns], expected, atol=1e-6)
    assert seen > 10
    assert to_centre[labels == 0].min() == centre_distances.BEYOND
