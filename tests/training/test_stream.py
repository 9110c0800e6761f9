"""Tiles to batches: the same for a seed whatever the workers, warped alike, normalised."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage
from skimage import exposure

from cellseg.errors import UserError
from cellseg.images import normalization
from cellseg.targets import head_names
from cellseg.targets import heads as transforms
from cellseg.training.augmentation import Augmentation
from cellseg.training.batches import HELD, TilePool, TileStream
from cellseg.training.warping import warp, warp_target

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


def _order(stream, epoch):
    """Tiles of an epoch, one a batch, by their backgrounds of 0, 10, 20 …"""
    return [int(images.min() // 10) for images, _ in stream.epoch(epoch)]


def test_orders_differ_by_epoch_and_by_seed(pool):
    """Without augmentation, which differs anyway."""
    still = {"augmentation": None, "normalization": "none", "batch_size": 1}
    orders = {(seed, epoch): _order(_stream(pool, seed=seed, **still), epoch)
              for seed in (3, 4) for epoch in (0, 1)}  # fmt: skip
    assert len({tuple(order) for order in orders.values()}) == 4
    assert all(sorted(order) == list(range(6)) for order in orders.values())
    assert _order(_stream(pool, seed=3, **still), 1) == orders[3, 1]


def test_augmentations_differ_by_tile_by_epoch_and_by_seed(pool):
    """One tile, again and again in one place of the batch, so that the order plays no part."""
    same = TilePool([pool._places[0][0]] * 2)
    place = [0, 3]  # the same content under two numbers
    found = []
    for seed in (3, 4):
        stream = _stream(same, index=np.array(place), seed=seed, shuffle=False)
        found += [image.tobytes() for epoch in (0, 1) for image in next(stream.epoch(epoch))[0]]
    assert len(set(found)) == 8


@pytest.mark.parametrize("size", [1, 2, 4])
def test_an_epoch_goes_on_after_any_number_of_batches(pool, size):
    stream = _stream(pool, batch_size=size, workers=2)
    whole = list(stream.epoch(5))
    for first in range(len(whole) + 1):
        rest = list(stream.epoch(5, first=first))
        assert len(rest) == len(whole) - first
        _equal(rest, whole[first:])


def test_batches_without_end_are_those_of_the_epochs(pool):
    stream = _stream(pool)
    endless = stream.endless()
    for epoch in range(3):
        for expected in stream.epoch(epoch):
            _equal([next(endless)], [expected])
    endless.close()


def test_settings_of_heads_reach_their_targets(pool):
    near = _stream(pool, heads={"inner-distance": {"alpha": 0.1, "beta": 3}}, augmentation=None)
    _, maps = next(near.epoch(0))
    _, plain = next(_stream(pool, heads={"inner-distance": {}}, augmentation=None).epoch(0))
    assert np.abs(maps["inner-distance"] - plain["inner-distance"]).max() > 0.1


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
        expected = warp_target(transforms.inner_distance(labels)[..., None], matrix)
        np.testing.assert_array_equal(y["inner-distance"][number], expected)
        interior = transforms.pixelwise(labels)[..., 1]
        _, interior = warp(interior, interior.astype(np.int32), matrix)
        np.testing.assert_array_equal(y["pixelwise"][number, ..., 1], interior)


def test_no_augmentation_is_the_identity():
    still = Augmentation(rotation=0, zoom=1, flips=False)
    matrix = still.draw(np.random.default_rng(0), 8)
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-12)


def _drawn(**options):
    """Angle in degrees, scale and mirroring of many augmentations."""
    matrices = [
        Augmentation(**options).draw(np.random.default_rng(seed), 33)[:, :2] for seed in range(400)
    ]
    # From tile to source pixels: a magnified tile comes from fewer of them.
    scales = np.array([1 / np.linalg.norm(matrix[:, 0]) for matrix in matrices])
    mirrored = np.array([np.linalg.det(matrix) < 0 for matrix in matrices])
    angles = np.array([np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0])) for matrix in matrices])
    return angles, scales, mirrored


def test_zooms_are_as_often_out_as_in():
    _, scales, _ = _drawn(zoom=1.5)
    assert 1 / 1.5 <= scales.min() < 0.7 and 1.45 < scales.max() <= 1.5
    assert 0.4 < np.mean(scales < 1) < 0.6
    assert abs(np.log(scales).mean()) < 0.05
    np.testing.assert_allclose(_drawn(zoom=1)[1], 1)


def test_angles_are_as_often_left_as_right():
    angles, _, _ = _drawn(rotation=30, flips=False)
    assert -30 <= angles.min() < -25 and 25 < angles.max() <= 30
    assert 0.4 < np.mean(angles < 0) < 0.6
    np.testing.assert_allclose(_drawn(rotation=0, flips=False)[0], 0)


def test_flips_mirror_each_axis_half_of_the_time():
    still = {"rotation": 0, "zoom": 1}
    linear = [Augmentation(**still).draw(np.random.default_rng(seed), 9)[:, :2].round(9)
              for seed in range(400)]  # fmt: skip
    signs = np.array([np.diag(matrix) for matrix in linear])
    kinds, counts = np.unique(signs, axis=0, return_counts=True)
    assert kinds.tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]] and counts.min() > 70
    assert not _drawn(flips=False)[2].any()


def test_tiles_are_turned_about_their_centre():
    for size in (8, 9):
        centre = np.full(2, (size - 1) / 2)
        for seed in range(5):
            matrix = Augmentation().draw(np.random.default_rng(seed), size)
            np.testing.assert_allclose(matrix[:, :2] @ centre + matrix[:, 2], centre)


def _tiles_of_other_ranges():
    """A dark tile and a bright one, with an outlier on either side each."""
    random = np.random.default_rng(0)
    tiles = np.stack([random.uniform(0, 20, (64, 64)), random.uniform(150, 250, (64, 64))])
    tiles[:, 0, 0], tiles[:, 0, 1] = [-1000, 0], [1000, 2000]
    return tiles.astype(np.float32)[..., None]


def test_percentiles_are_those_of_each_tile():
    tiles = _tiles_of_other_ranges()
    found = normalization.normalize(tiles, "percentile")
    for tile, image in zip(tiles[..., 0], found[..., 0], strict=True):
        ranked = np.sort(tile.ravel())  # of 4096 values the 0.1 % lie at place 4.095
        low = ranked[4] + 0.095 * (ranked[5] - ranked[4])
        high = ranked[-5] - 0.095 * (ranked[-5] - ranked[-6])
        np.testing.assert_allclose(image, np.clip((tile - low) / (high - low), 0, 1), atol=1e-5)


def test_clahe_is_that_of_each_tile_with_mesmers_options():
    """128 pixels and a limit of 0.01, after stretching each tile from its least to its most."""
    random = np.random.default_rng(0)
    ramp = np.linspace(0, 60, 256)[None] + random.uniform(0, 20, (256, 256))
    tiles = np.stack([ramp, 3 * ramp.T]).astype(np.float32)[..., None]
    found = normalization.normalize(tiles, "clahe")
    for tile, image in zip(tiles[..., 0], found[..., 0], strict=True):
        stretched = (tile - tile.min()) / (tile.max() - tile.min())
        expected = exposure.equalize_adapthist(stretched, kernel_size=128, clip_limit=0.01)
        np.testing.assert_allclose(image, expected, atol=1e-3)
        for other in ({"kernel_size": 32, "clip_limit": 0.01}, {"kernel_size": 128,
                      "clip_limit": 0.03}):  # fmt: skip
            assert np.abs(image - exposure.equalize_adapthist(stretched, **other)).max() > 0.02


@pytest.mark.parametrize("method", ["whole-image", "percentile", "clahe"])
def test_a_tile_is_normalised_the_same_whatever_the_others(method):
    tiles = _tiles_of_other_ranges()
    together = normalization.normalize(tiles, method)
    alone = np.concatenate([normalization.normalize(tile[None], method) for tile in tiles])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_whole_image_takes_mean_and_deviation_of_all_pixels():
    """Not of a row or column: of these pixels no two rows or columns are alike."""
    tile = np.array([[1.0, 2, 4], [8, 16, 32], [64, 128, 256]])[None, ..., None]
    found = normalization.normalize(tile, "whole-image")
    mean = 511 / 9
    deviation = np.sqrt(sum((2**k - mean) ** 2 for k in range(9)) / 9)
    np.testing.assert_allclose(found, (tile - mean) / deviation, rtol=1e-5)


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


def test_memory_is_used_again_once_nobody_holds_it(pool):
    stream = _stream(pool)
    first = stream.epoch(0)
    x, y = next(first)
    view, kept = x[1, ..., 0], x[1, ..., 0].copy()
    edges, kept_edges = y["pixelwise"][2], y["pixelwise"][2].copy()
    place = x.ctypes.data
    del x, y
    seen = {images.ctypes.data for epoch in range(1, 9) for images, _ in stream.epoch(epoch)}
    assert place not in seen  # a view is still held
    np.testing.assert_array_equal(view, kept)
    np.testing.assert_array_equal(edges, kept_edges)
    assert len(seen) <= stream.workers + HELD
    del view, first
    assert place in [images.ctypes.data for epoch in range(9) for images, _ in stream.epoch(epoch)]


def test_batches_that_are_kept_do_not_change(pool):
    """More of them than there is memory to be used again."""
    kept = [batch for epoch in range(9) for batch in _stream(pool).epoch(epoch)]
    stream = _stream(pool)
    _equal([batch for epoch in range(9) for batch in stream.epoch(epoch)], kept)
    together = [batch for epoch in range(9) for batch in stream.epoch(epoch)]
    _equal(together, kept)
