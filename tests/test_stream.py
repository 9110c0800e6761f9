"""Tiles to batches: the same for a seed whatever the workers, warped alike, normalised."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from cellseg import head_names, normalization, targets
from cellseg.augmentation import Augmentation, warp
from cellseg.errors import UserError
from cellseg.stream import TilePool, TileStream

HEADS = {"inner-distance": {}, "pixelwise": {}}


@pytest.fixture
def pool():
    """Two tile files of three tiles; each tile has one square cell and its own grey value."""
    files = []
    for first in (0, 3):
        labels = np.zeros((3, 32, 32, 1), np.int32)
        images = np.zeros((3, 32, 32, 1), np.uint8)
        for number in range(3):
            labels[number, 4 + number : 20, 6:24] = 1
            images[number] = labels[number] * 100 + 10 * (first + number)
        files.append(SimpleNamespace(X=images, y=labels, image=np.array(["a", "b", "c"])))
    return TilePool(files)


def _stream(pool, **changes):
    options = {
        "tiles": pool,
        "index": np.arange(6),
        "heads": HEADS,
        "batch_size": 4,
        "normalization": "whole-image",
        "seed": 3,
        "augmentation": Augmentation(),
    }
    return TileStream(**{**options, **changes})


def _equal(first, second):
    for (x, y), (other_x, other_y) in zip(first, second, strict=True):
        np.testing.assert_array_equal(x, other_x)
        for head in y:
            np.testing.assert_array_equal(y[head], other_y[head])


def test_shapes_and_types(pool):
    batches = list(_stream(pool).epoch(0))
    assert [len(x) for x, _ in batches] == [4, 2]
    x, y = batches[0]
    assert x.shape == (4, 32, 32, 1) and x.dtype == np.float32
    assert {head: (maps.shape, maps.dtype) for head, maps in y.items()} == {
        "inner-distance": ((4, 32, 32, 1), np.float32),
        "pixelwise": ((4, 32, 32, 3), np.float32),
    }


def test_the_number_of_workers_changes_nothing(pool):
    _equal(_stream(pool, workers=1).epoch(2), _stream(pool, workers=5).epoch(2))


def test_epochs_and_seeds_differ_and_repeat(pool):
    stream = _stream(pool)
    _equal(stream.epoch(1), stream.epoch(1))
    first = next(stream.epoch(0))[0]
    assert not np.array_equal(first, next(stream.epoch(1))[0])
    assert not np.array_equal(first, next(_stream(pool, seed=4).epoch(0))[0])


def test_without_shuffle_and_augmentation_tiles_come_as_they_are(pool):
    stream = _stream(pool, shuffle=False, augmentation=None, normalization="none", batch_size=6)
    x, _ = next(stream.epoch(0))
    np.testing.assert_array_equal(x[4, ..., 0], pool.tile(4)[0])


def test_every_tile_comes_once_an_epoch(pool):
    stream = _stream(pool, augmentation=None, normalization="none", batch_size=2)
    backgrounds = sorted(float(x.min()) for batch, _ in stream.epoch(7) for x in batch)
    assert backgrounds == [0, 10, 20, 30, 40, 50]


def test_an_epoch_can_be_left_in_the_middle(pool):
    stream = _stream(pool, batch_size=1)
    batches = stream.epoch(0)
    next(batches)
    batches.close()
    assert len(list(stream.epoch(0))) == 6


def test_image_and_labels_are_warped_alike():
    labels = np.zeros((64, 64), np.int32)
    labels[20:40, 12:50] = 7
    image = (labels * 10).astype(np.uint8)
    for seed in range(5):
        matrix = Augmentation().draw(np.random.default_rng(seed), 64)
        warped, warped_labels = warp(image, labels, matrix)
        assert set(np.unique(warped_labels)) <= {0, 7}
        # half-way along the image's slope is where the nearest label changes
        assert np.mean((warped > 35) == (warped_labels == 7)) > 0.99


def test_warps_equal_scipy_within_and_beyond_the_border():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (37, 37)).astype(np.uint8)
    for seed in range(20):
        matrix = Augmentation(zoom=3).draw(np.random.default_rng(seed), 37)
        # SciPy counts rows first.
        linear, offset = matrix[::-1, [1, 0]], matrix[::-1, 2]
        for order, found in zip((1, 0), warp(image, image.astype(np.int32), matrix), strict=True):
            expected = ndimage.affine_transform(
                image.astype(np.float64), linear, offset, order=order, mode="mirror"
            )
            np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_half_turn_mirrors_about_the_centre():
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    matrix = np.array([[-1.0, 0, 3], [0, -1.0, 3]])
    for turned in warp(image, image.astype(np.int32), matrix):
        np.testing.assert_array_equal(turned, image[::-1, ::-1])


def test_targets_are_computed_from_warped_labels_or_warped_themselves(pool):
    """The first are true distances: 1 at the centre of every cell. The second are blurred."""
    still = Augmentation(rotation=45, zoom=1, flips=False)
    labels_first = list(_stream(pool, augmentation=still, shuffle=False).epoch(0))
    targets_first = list(
        _stream(pool, augmentation=still, shuffle=False, targets_first=True).epoch(0)
    )
    for (x, y), (other_x, other_y) in zip(labels_first, targets_first, strict=True):
        np.testing.assert_array_equal(x, other_x)
        for maps in (y, other_y):
            np.testing.assert_array_equal(maps["pixelwise"].sum(axis=-1), 1)
        for number in range(len(x)):
            both = y["inner-distance"][number], other_y["inner-distance"][number]
            assert not np.array_equal(*both)
            # One cell, up to what a tile's border cuts off: nearly the same maps.
            assert np.abs(both[0] - both[1]).mean() < 0.02


def test_deepcells_order_is_deepcells(pool):
    """Targets of the unwarped labels, each channel warped by itself."""
    settings = {"augmentation": Augmentation(), "shuffle": False, "targets_first": True}
    _, y = next(_stream(pool, **settings).epoch(4))
    for number in range(4):
        matrix = Augmentation().draw(np.random.default_rng([3, 4, number]), 32)
        labels = pool.tile(number)[1]
        expected, _ = warp(targets.inner_distance(labels), labels, matrix)
        np.testing.assert_array_equal(y["inner-distance"][number, ..., 0], expected)
        interior = targets.pixelwise(labels)[..., 1].astype(np.int32)
        _, interior = warp(interior.astype(np.float32), interior, matrix)
        np.testing.assert_array_equal(y["pixelwise"][number, ..., 1], interior)


def test_no_augmentation_is_the_identity():
    still = Augmentation(rotation=0, zoom=1, flips=False)
    matrix = still.draw(np.random.default_rng(0), 8)
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-12)


@pytest.mark.parametrize("method", normalization.METHODS)
def test_normalisations_are_finite_on_constant_tiles(method):
    flat = normalization.normalize(np.full((2, 16, 16, 1), 128, np.uint8), method)
    assert flat.shape == (2, 16, 16, 1) and flat.dtype == np.float32
    assert np.isfinite(flat).all()


def test_whole_image_and_batch_normalisation():
    # Rows and columns have different means: none of them is normalised by itself.
    tile = np.array([[0.0, 0, 0, 8], [0, 0, 8, 8], [0, 0, 0, 0], [0, 8, 8, 8]])
    batch = np.stack([tile, 100 + 2 * tile])[..., None]
    each = normalization.normalize(batch, "whole-image")
    dark, bright = -3 / np.sqrt(15), 5 / np.sqrt(15)  # mean 3, standard deviation sqrt(15)
    for normalized in each[..., 0]:
        np.testing.assert_allclose(normalized, np.where(tile, bright, dark), atol=1e-5)
    together = normalization.normalize(batch, "batch")
    expected = (batch - 54.5) / np.sqrt((51.5**2 + 15 + 51.5**2 + 60) / 2)
    np.testing.assert_allclose(together, expected, atol=1e-5)


def test_percentiles_and_equalisation_are_of_each_tile():
    """Two tiles of one pattern in different ranges come out alike."""
    random = np.random.default_rng(0)
    pattern = random.integers(0, 100, (64, 64, 1)).astype(np.float32)
    batch = np.stack([pattern, 100 + 0.5 * pattern])
    for method in ("percentile", "clahe"):
        first, second = normalization.normalize(batch, method)
        np.testing.assert_allclose(first, second, atol=1e-4)
        assert first.min() == pytest.approx(0, abs=0.01) and first.max() == pytest.approx(1)


def test_percentiles_cut_off_outliers():
    tile = np.zeros((1, 100, 100, 1), np.float32)
    tile[0, 0, :5] = 1000  # fewer than one in a thousand
    tile[0, 50:] = 10
    found = normalization.normalize(tile, "percentile")
    assert found[0, 0, 0] == 1 and found[0, 50, 0] == 1 and found[0, 20, 0] == 0


def test_unknown_normalisation_is_refused():
    with pytest.raises(UserError, match="whole-image"):
        normalization.normalize(np.zeros((1, 4, 4, 1)), "wholeimage")


def test_head_combinations_have_one_name():
    assert head_names.split("inner-distance+pixelwise") == ["inner-distance", "pixelwise"]
    for wrong in ("pixelwise+inner-distance", "pixelwise+pixelwise", "interior", ""):
        with pytest.raises(UserError):
            head_names.split(wrong)
