"""Distances along rays and the object probability, on cells that the eye can measure."""

import numpy as np
import pytest
from scipy import ndimage

from cellseg.targets import star_distances
from cellseg.targets.heads import HEADS, compute, turned_back
from cellseg.targets.star_distances import object_probability
from made_labels import ellipses

EAST, SOUTH, WEST, NORTH = 0, 8, 16, 24


def test_a_rectangle_is_measured_to_its_border():
    labels = np.zeros((20, 30), np.int32)
    labels[5:12, 4:20] = 7
    rays = star_distances.star_distances(labels)
    # From the middle of a pixel: half a pixel to its own border.
    assert rays[8, 10, [EAST, SOUTH, WEST, NORTH]].tolist() == [9.5, 3.5, 6.5, 3.5]
    # South-east, through the southern side: steps of one pixel miss up to half of one.
    assert rays[8, 10, 4] == pytest.approx(3.5 * 2**0.5, abs=0.5)
    assert not rays[labels == 0].any() and rays[labels == 7].min() == 0.5


def test_other_cells_and_the_frame_of_the_image_end_a_ray():
    labels = np.ones((6, 10), np.int32)
    labels[:, 5:] = 2
    rays = star_distances.star_distances(labels)
    assert rays[2, 3, [EAST, SOUTH, WEST, NORTH]].tolist() == [1.5, 3.5, 3.5, 2.5]
    assert rays[2, 7, WEST] == 2.5


def test_a_ray_ends_at_the_first_gap():
    labels = np.zeros((5, 20), np.int32)
    labels[:, 2:18] = 1
    labels[2, 9] = 0
    assert star_distances.star_distances(labels)[2, 4, EAST] == 4.5
    assert star_distances.star_distances(labels)[1, 4, EAST] == 13.5


@pytest.mark.parametrize("grid", [2, 3, 4])
@pytest.mark.parametrize("n_rays", [8, 32, 33])
def test_a_grid_takes_every_nth_pixel(grid, n_rays):
    labels = ellipses(12, 61, 83, 0)
    full = star_distances.star_distances(labels, n_rays)
    assert full.any()
    assert np.array_equal(star_distances.star_distances(labels, n_rays, grid), full[::grid, ::grid])


def test_long_cells_are_measured_as_short_ones_are():
    """Longer than what is counted in bytes, which is another path through the code."""
    labels = np.zeros((9, 700), np.int32)
    labels[2:7, 10:690] = 1
    rays = star_distances.star_distances(labels)
    assert rays[4, 20, [EAST, SOUTH, WEST]].tolist() == [669.5, 2.5, 10.5]
    short = star_distances.star_distances(labels[:, :200])
    np.testing.assert_array_equal(rays[:, 10:150, 2:31], short[:, 10:150, 2:31])


def test_numbers_of_cells_mean_nothing():
    labels = ellipses(20, 50, 60, 1)
    large = np.where(labels, labels + 70_000, 0).astype(np.int32)
    assert np.array_equal(
        star_distances.star_distances(large), star_distances.star_distances(labels)
    )
    assert np.array_equal(object_probability(large), object_probability(labels))


def test_the_probability_is_the_share_of_the_largest_distance():
    labels = np.zeros((9, 20), np.int32)
    labels[1:8, 1:8], labels[3:6, 8:11] = 1, 2
    found = object_probability(labels)
    assert found[4, 1:8].tolist() == pytest.approx([0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25])
    assert found[4, 8:11].tolist() == pytest.approx([0.5, 1, 0.5])  # next to another cell
    assert not found[labels == 0].any()


@pytest.mark.parametrize("shape", [(60, 70), (40, 600), (600, 40), (300, 300)])
def test_the_probability_is_that_of_each_cell_by_itself(shape):
    """Touching cells, and cells longer than the numbers of 16 bits reach."""
    labels = ellipses(60, *shape, 0) if shape == (60, 70) else np.ones(shape, np.int32)
    labels[0], labels[:, -1] = 0, 0
    labels[shape[0] // 3 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = 999
    expected = np.zeros(shape)
    for value in np.unique(labels)[1:]:
        distance = ndimage.distance_transform_edt(labels == value)
        expected = np.where(labels == value, distance / distance[labels == value].max(), expected)
    np.testing.assert_allclose(object_probability(labels), expected, rtol=1e-6)


def test_the_frame_of_the_image_is_no_border_of_the_probability():
    labels = np.zeros((7, 12), np.int32)
    labels[:, :4] = 1
    np.testing.assert_allclose(object_probability(labels)[:, :4], [[1, 0.75, 0.5, 0.25]] * 7)
    full = object_probability(np.ones((5, 5), np.int32))  # without any other pixel it is
    np.testing.assert_allclose(full[2], [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3], rtol=1e-6)


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 9), (9, 1)])
def test_images_of_any_size(shape):
    for labels in (np.zeros(shape, np.int32), np.ones(shape, np.int32)):
        assert star_distances.star_distances(labels).shape == (*shape, 32)
        assert object_probability(labels).shape == shape


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_targets_turn_with_the_labels(quarters, mirrored):
    """Rays change places as the head declares, and nothing else changes."""
    labels = ellipses(12, 60, 80, 6)

    def moved(image):
        return np.rot90(image[:, ::-1] if mirrored else image, quarters)

    expected = moved(star_distances.target(labels, grid=1))
    found = star_distances.target(np.ascontiguousarray(moved(labels)), grid=1)
    rays = HEADS["star-distances"].turn(expected[..., :-1], quarters, mirrored)
    np.testing.assert_allclose(found[..., :-1], rays, atol=1e-4)
    np.testing.assert_allclose(found[..., -1], expected[..., -1], atol=1e-6)
    back = turned_back("star-distances", found[..., :-1], quarters, mirrored)
    np.testing.assert_allclose(back, expected[..., :-1], atol=1e-4)


def test_half_resolution_learns_every_second_pixel():
    labels = ellipses(12, 61, 80, 6)
    full, half = (compute(labels, {"star-distances": {"grid": grid}}) for grid in (1, 2))
    full, half = full["star-distances"], half["star-distances"]
    assert full.shape == (61, 80, 33) and half.shape == (31, 40, 33)
    np.testing.assert_array_equal(half[..., :-1], full[::2, ::2, :-1])
    np.testing.assert_array_equal(half[..., -1], object_probability(labels, 2))
    assert np.array_equal(compute(labels, {"star-distances": {}})["star-distances"], half)
