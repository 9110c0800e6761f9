"""The same matches, targets and cells as stardist."""

import numpy as np
import pytest

from cellseg.data import annotations, rasterize_split, sources
from cellseg.scoring import metrics
from cellseg.segmentation import star_polygons
from cellseg.targets.star_distances import object_probability, star_distances
from made_labels import ellipses, sequential, spoilt

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def matching():
    return pytest.importorskip("stardist.matching").matching


@pytest.mark.parametrize("how", range(4))
def test_matches(matching, how):
    random = np.random.default_rng(how)
    total = 0
    for trial in range(8):
        true = sequential(ellipses(int(random.integers(3, 60)), 70, 90, trial))
        pred = sequential(spoilt(true, how, random))
        for found in metrics.match(true, pred):
            expected = matching(true, pred, thresh=found["threshold"])
            for ours, theirs in (("tp", "tp"), ("fp", "fp"), ("fn", "fn"), ("recall", "recall"),
                                 ("precision", "precision"), ("accuracy", "accuracy"),
                                 ("f1", "f1")):  # fmt: skip
                assert found[ours] == pytest.approx(getattr(expected, theirs)), (trial, ours)
            total += found["tp"]
    assert total > 50


# --- star-convex polygons


@pytest.fixture(scope="module")
def theirs():
    """stardist's functions of targets and cells; it computes them in C++."""
    pytest.importorskip("stardist")
    from types import SimpleNamespace

    from stardist import geometry, nms, utils

    return SimpleNamespace(
        star_dist=geometry.star_dist,
        edt_prob=utils.edt_prob,
        suppress=nms.non_maximum_suppression,
        paint=geometry.polygons_to_label,
    )


def drawn() -> dict[str, np.ndarray]:
    """Label images of each kind."""
    random = np.random.default_rng(0)
    touching = ellipses(30, 121, 143, 2)
    disconnected = spoilt(ellipses(40, 121, 143, 5), 3, random).astype(np.int32)
    tiny = np.zeros((60, 80), np.int32)
    tiny[::3, ::4] = np.arange(1, 401).reshape(20, 20)
    tiny[1::3, ::8] = tiny[::3, ::8]
    return {
        "touching": touching,
        "disconnected": disconnected,
        "tiny": tiny,
        "random": random.integers(0, 3, (70, 60)).astype(np.int32),
        "without background": random.integers(1, 4, (40, 50)).astype(np.int32),
        "one cell": np.ones((40, 300), np.int32),
        "nothing": np.zeros((20, 30), np.int32),
        "a pixel": np.ones((1, 1), np.int32),
        "long": ellipses(2, 300, 620, 1),
    }


@pytest.mark.parametrize("grid", [1, 2, 4])
@pytest.mark.parametrize("kind", drawn())
def test_targets(theirs, kind, grid):
    """Bit for bit; the probability but for the rounding of its last digit."""
    assert_same_targets(theirs, drawn()[kind], grid)


def assert_same_targets(theirs, labels, grid):
    for n_rays in (32, 16):
        expected = theirs.star_dist(labels, n_rays, grid=(grid, grid))
        assert np.array_equal(star_distances(labels, n_rays, grid), expected)
    expected = theirs.edt_prob(labels[::grid, ::grid])
    np.testing.assert_allclose(object_probability(labels, grid), expected, rtol=3e-7, atol=0)


def maps(labels, grid, noise, seed=0):
    """Maps of a network that errs by a share `noise` of each distance; no probability twice."""
    random = np.random.default_rng(seed)
    distances, probability = star_distances(labels, 32, grid), object_probability(labels, grid)
    distances = distances * (1 + noise * random.normal(size=distances.shape))
    order = np.argsort(probability + noise * random.normal(size=probability.shape), axis=None)
    untied = np.empty(order.size, np.float32)
    untied[order] = np.linspace(0, 1, order.size, dtype=np.float32)
    untied = np.where(probability > 0, untied.reshape(probability.shape), 0)
    return np.maximum(distances, 1e-3).astype(np.float32), untied.astype(np.float32)


def kept(theirs, labels, grid, noise, nms):
    """What each keeps of the same maps: points, scores and distances."""
    distances, probability = maps(labels, grid, noise)
    expected = theirs.suppress(
        distances, probability, (grid, grid), nms_thresh=nms, prob_thresh=0.5
    )
    return expected, star_polygons.suppress(distances, probability, 0.5, nms, grid)


def painted(theirs, found, shape):
    points, scores, rays = found
    return theirs.paint(rays, points, shape, prob=scores)


@pytest.mark.parametrize("grid", [1, 2])
@pytest.mark.parametrize("kind", ["touching", "tiny", "one cell", "nothing", "a pixel", "long"])
def test_cells_of_compact_shapes(theirs, kind, grid):
    """Label for label."""
    labels = drawn()[kind]
    for nms in (0.3, 0.5):
        expected, found = kept(theirs, labels, grid, 0, nms)
        ours = star_polygons.paint(*found, labels.shape)
        assert np.array_equal(ours, painted(theirs, expected, labels.shape))


def in_common(expected, found) -> float:
    """Polygons that both keep, as a share of those that one keeps."""
    ours, other = ({tuple(point) for point in each[0].tolist()} for each in (found, expected))
    return len(ours & other) / max(len(ours | other), 1)


@pytest.mark.parametrize("kind", ["disconnected", "random", "without background"])
def test_cells_of_ragged_shapes(theirs, kind):
    """StarDist moves each crossing of two outlines to a whole pixel, and ragged ones have many."""
    for nms in (0.3, 0.5):
        expected, found = kept(theirs, drawn()[kind], 1, 0, nms)
        assert in_common(expected, found) > 0.8


def test_real_cells(theirs, livecell_mini, tmp_path):
    """Targets bit for bit, painting label for label, and nearly all polygons."""
    annotations.parse(sources.official_layout("mini", livecell_mini), tmp_path, "keep")
    tables = (tmp_path / "test.images.parquet", tmp_path / "test.cells.parquet")
    rasterize_split.write(*tables, tmp_path / "one.npz", tmp_path / "cells.npz", "later", 1)
    with np.load(tmp_path / "one.npz") as images:
        assert len(images.files) == 4
        for image in images.files:
            labels = images[image]
            for grid in (1, 2):
                assert_same_targets(theirs, labels, grid)
            for noise in (0, 0.1):
                expected, found = kept(theirs, labels, 2, noise, 0.4)
                assert len(expected[0]) > 40
                assert in_common(expected, found) > 0.9
                ours = star_polygons.paint(*found, labels.shape)
                assert np.array_equal(ours, painted(theirs, found, labels.shape))


def test_overlaps_differ_by_little(theirs):
    """By 0.02 of the smaller area, of cells of at least 5 pixels radius and 10 % noise.

    The overlap that StarDist finds is between two thresholds: below one it drops the second
    polygon, above the other it does not.
    """
    from stardist.nms import non_maximum_suppression_inds

    random = np.random.default_rng(1)
    compared = 0
    for _ in range(100):
        rays = random.uniform(5, 30, (2, 1)) * random.normal(1, 0.1, (2, 32)).clip(0.7, 1.3)
        rays = rays.astype(np.float32)
        points = np.array([[60, 60], 60 + random.integers(-12, 12, 2)], np.int32)
        share = overlap_share(points, rays)
        if 0.03 < share < 0.97:
            for threshold, kept in ((share - 0.02, 1), (share + 0.02, 2)):
                found = non_maximum_suppression_inds(
                    rays, points, np.ones(2), thresh=threshold, verbose=0
                )
                assert found.sum() == kept, share
            compared += 1
    assert compared > 50


def overlap_share(points, rays) -> float:
    """The threshold at which the second of two polygons is no longer dropped."""
    size = 2 * int(points.max())
    distances = np.zeros((size, size, rays.shape[1]), np.float32)
    probability = np.zeros((size, size), np.float32)
    for rank, (point, values) in enumerate(zip(points, rays, strict=True)):
        distances[tuple(point)], probability[tuple(point)] = values, 0.9 - rank / 10
    low, high = 0.0, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        kept = len(star_polygons.suppress(distances, probability, 0.5, middle)[0])
        low, high = (low, middle) if kept == 2 else (middle, high)
    return low
