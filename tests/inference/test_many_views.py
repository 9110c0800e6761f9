"""Maps averaged over orientations and magnifications."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve

from cellseg.inference import map_run, sliding_window, test_time_augmentation

OPTIONS = [(True, False), (False, True), (True, True)]
KERNEL = np.array([[1, 2, 1], [2, 8, 2], [1, 2, 1]], np.float32) / 20


def isotropic(tiles):
    """A network that no symmetry of the square changes; two heads, one of two channels."""
    smooth = convolve(tiles, KERNEL[None, :, :, None], mode="mirror")
    return {"one": smooth**2, "two": np.concatenate([tiles, -smooth], axis=-1)}


def row_index(tiles):
    """A network that sees only where the top is: the number of the row."""
    rows = np.arange(tiles.shape[1], dtype=np.float32)[:, None, None]
    return {"row": np.broadcast_to(rows, tiles.shape)}


def shifted(tiles):
    """A network that moves everything one pixel to the right, round the border."""
    return {"head": np.roll(tiles, 1, axis=2)}


def softmax(tiles):
    """Three channels that sum to one and depend on the place and on the grey value."""
    down, across = np.indices(tiles.shape[1:3], dtype=np.float32)[..., None]
    logits = np.concatenate([tiles + down, 2 * tiles - across, down - tiles], axis=-1)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return {"pixelwise": powers / powers.sum(axis=-1, keepdims=True)}


def softmax_of_image(image):
    """The same of a whole image, its grey values within 0 and 2.55."""
    return {"pixelwise": softmax(image[None, ..., None] / np.float32(100))["pixelwise"][0]}


def random_tiles(seed, *shape):
    return np.random.default_rng(seed).normal(size=(*shape, 1)).astype(np.float32)


def test_without_options_nothing_is_wrapped():
    assert test_time_augmentation.averaged(isotropic, False, False) is isotropic
    assert test_time_augmentation.over_scales(isotropic, [1]) is isotropic
    assert test_time_augmentation.over_scales(isotropic, (1.0,)) is isotropic


@pytest.mark.parametrize(("flips", "rotations"), OPTIONS)
@given(
    number=st.integers(1, 3),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_a_network_without_directions_is_unchanged(flips, rotations, number, height, width, seed):
    tiles = random_tiles(seed, number, height, width)
    before = tiles.copy()
    expected = isotropic(tiles)
    found = test_time_augmentation.averaged(isotropic, flips, rotations)(tiles)
    assert list(found) == list(expected)
    for head, values in expected.items():
        assert found[head].shape == values.shape and found[head].dtype == np.float32
        np.testing.assert_allclose(found[head], values, atol=1e-5)
    np.testing.assert_array_equal(tiles, before)


def test_the_number_of_the_row_averages_to_what_symmetry_demands():
    """By hand for a tile of 3 rows and 5 columns."""
    tiles = np.zeros((2, 3, 5, 1), np.float32)

    def averaged(flips, rotations):
        maps = test_time_augmentation.averaged(row_index, flips, rotations)(tiles)["row"]
        np.testing.assert_array_equal(maps[0], maps[1])
        return maps[0, ..., 0]

    # Upright and upside down, r and 2 - r.
    np.testing.assert_array_equal(averaged(True, False), np.ones((3, 5)))
    # Turned by quarters, c and 4 - c too: (2 + 4) / 4.
    np.testing.assert_array_equal(averaged(False, True), np.full((3, 5), 1.5))
    np.testing.assert_array_equal(averaged(True, True), np.full((3, 5), 1.5))


@pytest.mark.parametrize(
    ("flips", "rotations", "expected"),
    [
        # Mirrored, what moved right moves left; upside down it still moves right.
        (True, False, [[0, 0, 0], [2, 0, 2], [0, 0, 0]]),
        (False, True, [[0, 1, 0], [1, 0, 1], [0, 1, 0]]),
        (True, True, [[0, 1, 0], [1, 0, 1], [0, 1, 0]]),
    ],
)
def test_a_shift_goes_to_all_sides(flips, rotations, expected):
    tiles = np.zeros((1, 3, 3, 1), np.float32)
    tiles[0, 1, 1, 0] = 4
    found = test_time_augmentation.averaged(shifted, flips, rotations)(tiles)["head"]
    np.testing.assert_array_equal(found[0, ..., 0], expected)


def test_maps_are_turned_back_by_the_symmetry_of_their_tile():
    """An odd corner of an L comes back to its corner; a wrong inverse moves it."""
    tiles = np.array([[1, 2, 3], [4, 5, 6]], np.float32)[None, ..., None]
    for options in OPTIONS:
        found = test_time_augmentation.averaged(lambda tiles: {"head": tiles}, *options)(tiles)[
            "head"
        ]
        np.testing.assert_array_equal(found, tiles)


@pytest.mark.parametrize(
    ("flips", "rotations", "expected"),
    [
        (True, False, {"ab/cd", "ba/dc", "cd/ab", "dc/ba"}),
        (False, True, {"ab/cd", "bd/ac", "dc/ba", "ca/db"}),
        (True, True, {"ab/cd", "ba/dc", "cd/ab", "dc/ba", "bd/ac", "ca/db", "ac/bd", "db/ca"}),
    ],
)
def test_each_symmetry_is_predicted_once(flips, rotations, expected):
    seen = []

    def watching(tiles):
        assert tiles.dtype == np.float32 and tiles.flags.c_contiguous
        seen.append("/".join("".join("abcd"[int(v)] for v in row) for row in tiles[0, ..., 0]))
        return {"head": tiles}

    tiles = np.array([[0, 1], [2, 3]], np.float32)[None, ..., None]
    test_time_augmentation.averaged(watching, flips, rotations)(tiles)
    assert len(seen) == len(expected) and set(seen) == expected


def test_quarter_turns_swap_height_and_width():
    shapes = []

    def watching(tiles):
        shapes.append(tiles.shape)
        return {"head": tiles}

    tiles = random_tiles(0, 2, 3, 5)
    test_time_augmentation.averaged(watching, True, False)(tiles)
    assert shapes == [(2, 3, 5, 1)] * 4
    shapes.clear()
    test_time_augmentation.averaged(watching, False, True)(tiles)
    assert sorted(shapes) == [(2, 3, 5, 1)] * 2 + [(2, 5, 3, 1)] * 2


def test_half_floats_are_summed_in_float32():
    """Eight times 60,000 is more than float16 holds."""

    def half(tiles):
        return {"head": np.full(tiles.shape, 60_000, np.float16)}

    found = test_time_augmentation.averaged(half, True, True)(np.zeros((1, 2, 2, 1), np.float32))[
        "head"
    ]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float32(np.float16(60_000)))


@pytest.mark.parametrize(("flips", "rotations"), OPTIONS)
@given(height=st.integers(1, 8), width=st.integers(1, 8), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_softmax_over_orientations_sums_to_one(flips, rotations, height, width, seed):
    tiles = random_tiles(seed, 2, height, width)
    found = test_time_augmentation.averaged(softmax, flips, rotations)(tiles)["pixelwise"]
    assert found.shape == (2, height, width, 3) and found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)


def test_images_are_predicted_at_each_scale():
    seen = []

    def watching(image):
        seen.append(image)
        return {"head": image[..., None].astype(np.float32)}

    image = np.random.default_rng(0).integers(0, 256, (20, 31)).astype(np.uint8)
    found = test_time_augmentation.over_scales(watching, [0.5, 1, 1.5, 0.01])(image)["head"]
    assert [array.shape for array in seen] == [(10, 16), (20, 31), (30, 46), (1, 1)]
    assert all(array.dtype == np.uint8 for array in seen)
    np.testing.assert_array_equal(seen[1], image)
    assert found.shape == (20, 31, 1) and found.dtype == np.float32


def test_scale_one_among_others_does_not_resize(monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("resized")

    monkeypatch.setattr(test_time_augmentation, "resize", fail)
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    found = test_time_augmentation.over_scales(lambda image: {"head": image[..., None]}, [1, 1.0])(
        image
    )
    np.testing.assert_array_equal(found["head"][..., 0], image)


def test_maps_of_all_scales_count_alike():
    """A network that returns how many rows it saw: the mean of 4, 8 and 24."""

    def rows(image):
        values = np.stack([np.full(image.shape, len(image)), np.ones(image.shape)], axis=-1)
        return {"head": values.astype(np.float32)}

    found = test_time_augmentation.over_scales(rows, [0.5, 1, 3])(np.zeros((8, 6), np.uint8))[
        "head"
    ]
    assert found.shape == (8, 6, 2)
    np.testing.assert_allclose(found, np.broadcast_to([12, 1], (8, 6, 2)), atol=1e-5)


def test_grey_values_are_rounded_and_smoothed_where_the_image_shrinks():
    seen = []

    def watching(image):
        seen.append(image)
        return {"head": image[..., None].astype(np.float32)}

    line = np.array([[0, 0, 3, 3]], np.uint8).repeat(4, axis=0)
    test_time_augmentation.over_scales(watching, [2])(line)
    # A quarter and three quarters of the way from 0 to 3 lie 0.75 and 2.25.
    assert seen[0][0].tolist() == [0, 0, 0, 1, 2, 3, 3, 3]
    stripes = np.tile(np.array([0, 200, 0, 0], np.uint8), (64, 16))
    test_time_augmentation.over_scales(watching, [0.25])(stripes)
    # Unsmoothed, each pixel would be the mean of the two middle ones, 100; the mean is 50.
    assert 45 < seen[1].mean() < 75


def test_maps_are_smoothed_where_they_shrink():
    def stripes(image):
        every_fourth = np.arange(image.shape[1]) % 4 == 1
        return {"head": np.broadcast_to(every_fourth * np.float32(4), image.shape)[..., None]}

    found = test_time_augmentation.over_scales(stripes, [4])(np.zeros((8, 16), np.uint8))["head"]
    # Unsmoothed, each pixel would be the mean of the two middle ones of four, 2; the mean is 1.
    assert 0.9 < found.mean() < 1.5


def test_maps_return_to_their_place():
    """Two halves keep their border, whatever the scale; transposed or moved they do not."""
    image = np.zeros((24, 40), np.uint8)
    image[:, 20:] = 100
    image[:12] += 50

    def identity(image):
        return {"head": image[..., None].astype(np.float32)}

    for scale in (0.5, 2, 2.5):
        found = test_time_augmentation.over_scales(identity, [scale])(image)["head"][..., 0]
        far = np.ones(image.shape, bool)
        far[8:16] = far[:, 16:24] = False  # where the step is blurred
        np.testing.assert_allclose(found[far], image[far], atol=0.6)
        np.testing.assert_allclose(found[4, [19, 20]].mean(), 100, atol=1)


@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    grey=st.integers(0, 255),
    scales=st.lists(st.floats(0.25, 4), min_size=1, max_size=3, unique=True),
)
@settings(max_examples=40, deadline=None)
def test_constant_images_give_constant_maps(height, width, grey, scales):
    def identity(image):
        assert (image == grey).all()
        return {"head": np.stack([image, 255 - image], axis=-1).astype(np.float32)}

    image = np.full((height, width), grey, np.uint8)
    found = test_time_augmentation.over_scales(identity, scales)(image)["head"]
    assert found.shape == (height, width, 2) and found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], grey, atol=1e-3)
    np.testing.assert_allclose(found[..., 1], 255 - grey, atol=1e-3)


@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    scales=st.lists(st.floats(0.25, 4), min_size=1, max_size=3, unique=True),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_softmax_over_scales_sums_to_one(height, width, scales, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    found = test_time_augmentation.over_scales(softmax_of_image, scales)(image)["pixelwise"]
    assert found.shape == (height, width, 3) and found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)


def test_orientations_and_scales_go_together():
    """As in a run: windows in every orientation, of images at every scale."""
    predict = test_time_augmentation.averaged(isotropic, True, True)
    plain, turned = (
        test_time_augmentation.over_scales(
            lambda image, network=network: sliding_window.predict_image(
                network, image, 16, 4, "percentile"
            ),
            [0.5, 1, 2],
        )
        for network in (isotropic, predict)
    )
    image = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
    found, expected = turned(image), plain(image)
    assert found["two"].shape == (20, 30, 2) and found["two"].dtype == np.float32
    for head, values in expected.items():
        np.testing.assert_allclose(found[head], values, atol=1e-4)


def test_lengths_of_a_magnified_image_shrink_and_other_values_stay():
    def predict(image):
        return {head: np.full((*image.shape, 1), 12.0, np.float32)
                for head in ("star-distances", "object-probability")}  # fmt: skip

    image = np.zeros((8, 10), np.uint8)
    found = test_time_augmentation.over_scales(predict, [2])(image)
    np.testing.assert_allclose(found["star-distances"], 6, rtol=1e-6)
    np.testing.assert_allclose(found["object-probability"], 12, rtol=1e-6)


def test_each_setting_of_a_prediction_reaches_the_network_of_maps(monkeypatch):
    """By what it is given: window, overlap, tiles at once, grid and every view."""
    given = []

    def record(predict, image, window, overlap, normalization, batch_size, grid):
        given.append((image.shape, window, overlap, normalization, batch_size, grid))
        return {"fgbg": np.zeros((*image.shape, 2), np.float32)}

    monkeypatch.setattr(sliding_window, "predict_image", record)
    averaged = []
    monkeypatch.setattr(
        test_time_augmentation, "averaged", lambda predict, *views: averaged.append(views)
    )
    run = {"training": {"normalization": "none"}, "tiling": {"size": 64, "mode": "cut"},
           "heads": {"star-distances": {"grid": 4}, "object-probability": {}}}  # fmt: skip
    views = {"flips": False, "rotations": True, "scales": [0.5, 1]}
    options = {"window": 48, "window_overlap": 0.25, "batch_size": 3}
    options |= {"test_time_augmentation": views}
    family = SimpleNamespace(Predictor=lambda run, folder: None)
    map_run.image_predictor(run, family, None, options)(np.zeros((80, 80), np.uint8))
    assert averaged == [(False, True)]
    assert given == [((40, 40), 48, 12, "none", 3, 4), ((80, 80), 48, 12, "none", 3, 4)]
