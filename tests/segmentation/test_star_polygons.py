"""Suppression and painting of star-convex polygons, by eye and against slower code."""

import numpy as np
import pytest
from skimage.draw import polygon

from cellseg.segmentation import polygon_overlap, star_polygons
from cellseg.targets.star_distances import object_probability, star_distances
from made_labels import ellipses


def overlap(one, two) -> float:
    parts = [polygon_overlap.trapezoids(np.asarray(each, np.int32)) for each in (one, two)]
    return polygon_overlap.overlap(*parts[0], *parts[1], np.inf)


SQUARE = [(0, 0), (0, 10), (10, 10), (10, 0)]
DIAMOND = [(0, 5), (5, 10), (10, 5), (5, 0)]


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (SQUARE, SQUARE, 100),
        (SQUARE, SQUARE[::-1], 100),
        (SQUARE, [(2, 3), (2, 15), (8, 15), (8, 3)], 6 * 7),
        (SQUARE, DIAMOND, 50),
        (SQUARE, [(10, 0), (10, 10), (20, 10), (20, 0)], 0),  # share a side
        (DIAMOND, [(5, 5), (10, 10), (15, 5), (10, 0)], 12.5),
        ([(0, 0), (0, 4), (4, 0)], [(0, 4), (4, 4), (4, 0)], 0),  # share the diagonal
        ([(0, 0), (0, 4), (4, 0)], [(0, 0), (4, 4), (4, 0)], 4),  # cross within a row
        # A letter C and a bar through its opening
        ([(0, 0), (0, 9), (3, 9), (3, 3), (6, 3), (6, 9), (9, 9), (9, 0)],
         [(0, 5), (0, 7), (9, 7), (9, 5)], 12),
    ],
)  # fmt: skip
def test_overlaps_by_hand(one, two, expected):
    assert overlap(one, two) == pytest.approx(expected)
    assert overlap(two, one) == pytest.approx(expected)


def test_overlaps_of_random_stars_are_those_counted():
    """Against counting points of a fine grid."""
    random = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    fine = 32
    for _ in range(20):
        outlines = []
        for _ in range(2):
            radii = random.uniform(4, 12) * random.uniform(0.7, 1.3, 32)
            centre = 20 + random.integers(-6, 6, (2, 1))
            around = np.array([np.sin(angles), np.cos(angles)]) * radii
            outlines.append((centre + around).astype(int).T)
        masks = []
        for outline in outlines:
            masks.append(np.zeros((40 * fine, 40 * fine), bool))
            masks[-1][polygon(*(outline.T * fine - 0.5), masks[-1].shape)] = True
        counted = (masks[0] & masks[1]).sum() / fine**2
        assert overlap(*outlines) == pytest.approx(counted, rel=0.01)


def stars(labels, grid=1):
    """Maps that a perfect network predicts, no two probabilities equal."""
    probability = object_probability(labels, grid)
    order = np.argsort(probability.ravel(), kind="stable")
    untied = np.empty(order.size, np.float32)
    untied[order] = np.arange(order.size, dtype=np.float32) / order.size
    untied = np.where(probability > 0, untied.reshape(probability.shape), 0).astype(np.float32)
    return star_distances(labels, 32, grid), untied


@pytest.mark.parametrize("grid", [1, 2])
def test_true_maps_give_back_the_cells(grid):
    labels = ellipses(30, 120, 150, 3)
    distances, probability = stars(labels, grid)
    points, scores, rays = star_polygons.suppress(distances, probability, 0.5, 0.4, grid)
    assert (np.diff(scores) < 0).all()
    found = star_polygons.paint(points, scores, rays, labels.shape)
    inner = labels[tuple(points.T)]
    assert len(set(inner.tolist())) == len(inner)  # one polygon a cell
    for value in inner:
        true, drawn = labels == value, found == found[tuple(points[inner == value][0])]
        assert (true & drawn).sum() / (true | drawn).sum() > 0.8


def test_thresholds_do_what_they_say():
    rays = np.full((40, 60, 32), 6, np.float32)
    probability = np.zeros((40, 60), np.float32)
    probability[20, 20], probability[20, 24], probability[20, 40] = 0.9, 0.8, 0.3

    def kept(probability_threshold, nms_threshold):
        found = star_polygons.suppress(rays, probability, probability_threshold, nms_threshold)
        return found[0].tolist()

    # Two circles of radius 6, 4 apart, share 0.58 of their area.
    assert kept(0.2, 0.5) == [[20, 20], [20, 40]]
    assert kept(0.2, 0.7) == [[20, 20], [20, 24], [20, 40]]
    assert kept(0.5, 0.7) == [[20, 20], [20, 24]]
    assert kept(0.9, 0.5) == []
    probability[1, 30] = 1  # too near to the border of the image
    assert kept(0.5, 0.5) == [[20, 20]]


def test_of_equal_probabilities_the_first_pixel_wins():
    rays = np.full((30, 30, 32), 5, np.float32)
    probability = np.zeros((30, 30), np.float32)
    probability[10:14, 10:14] = 0.75
    points, _, _ = star_polygons.suppress(rays, probability, 0.5, 0.1)
    assert points.tolist() == [[10, 10]]


def test_the_most_probable_polygon_is_seen():
    rays = np.full((2, 32), 5, np.float32)
    points = np.array([[10, 10], [10, 14]])
    found = star_polygons.paint(points, np.array([0.9, 0.6]), rays, (20, 30))
    assert found[10, 12] == 1 and found[10, 18] == 2
    found = star_polygons.paint(points, np.array([0.6, 0.9]), rays, (20, 30))
    assert found[10, 12] == 2 and found[10, 6] == 1


def test_nothing_is_found_in_nothing():
    empty = np.zeros((9, 11), np.float32)
    points, scores, rays = star_polygons.suppress(np.ones((9, 11, 32), np.float32), empty, 0.5, 0.4)
    assert (points.shape, scores.shape, rays.shape) == ((0, 2), (0,), (0, 32))
    assert not star_polygons.paint(points, scores, rays, (9, 11)).any()


def test_overlap_is_a_share_of_the_smaller_polygon():
    """A small square with a third of its area in a large one."""
    points, rays = [(20, 20), (20, 34)], np.zeros((60, 60, 4), np.float32)
    probability = np.zeros((60, 60), np.float32)
    for (row, column), radius, value in zip(points, (12, 4), (0.9, 0.8), strict=True):
        probability[row, column], rays[row, column] = value, radius
    outlines = [
        [(20, 8 + 24), (32, 20), (20, 8), (8, 20)],
        [(20, 38), (24, 34), (20, 30), (16, 34)],
    ]
    share = overlap(*outlines) / 32
    assert 0.02 < share < 0.3  # and less than 0.03 of the larger
    kept = [len(star_polygons.suppress(rays, probability, 0.5, threshold)[0])
            for threshold in (0.9 * share, 1.1 * share)]  # fmt: skip
    assert kept == [1, 2]
