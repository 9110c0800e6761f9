"""Target maps of label images that one can check by eye."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from cellseg.targets import distances
from cellseg.targets import heads as transforms


def image(text: str) -> np.ndarray:
    """Label image drawn as rows of digits; a dot is background."""
    rows = [line.strip().replace(".", "0") for line in text.split()]
    return np.array([[int(pixel) for pixel in row] for row in rows], np.int32)


SQUARE = image("""
    .......
    .11111.
    .11111.
    .11111.
    .11111.
    .11111.
    .......
""")


def test_erosion_takes_the_rim_and_parts_touching_cells():
    touching = image("""
        111222
        111222
        111222
    """)
    assert np.array_equal(
        distances.erode(touching, 1),
        image("""
        11..22
        11..22
        11..22
    """),
    )
    assert np.array_equal(distances.erode(SQUARE, 1) > 0, np.pad(np.ones((3, 3), bool), 2))
    assert np.array_equal(distances.erode(SQUARE, 0), SQUARE)
    assert not distances.erode(SQUARE, 3).any()


def test_inner_distance_by_hand():
    # After erosion: 3 x 3 pixels, area 9, alpha 1/3, centre in the middle.
    values = transforms.inner_distance(SQUARE)
    assert values.dtype == np.float32
    assert values[3, 3] == 1
    assert values[3, 4] == pytest.approx(1 / (1 + 1 / 3))
    assert values[4, 4] == pytest.approx(1 / (1 + 2 / 3))
    assert values[1, 1] == 0
    assert np.array_equal(values, values.T)


def test_inner_distance_plain_alpha_and_beta():
    plain = transforms.inner_distance(SQUARE, squared=False)
    assert plain[4, 4] == pytest.approx(1 / (1 + np.sqrt(2) / 3))
    fixed = transforms.inner_distance(SQUARE, alpha=0.1, beta=2)
    assert fixed[4, 4] == pytest.approx(1 / (1 + 2 * 0.1 * 2))
    with pytest.raises(ValueError, match="auto"):
        transforms.inner_distance(SQUARE, alpha="large")


@pytest.mark.parametrize("erosion_width", [0, 1])
def test_every_piece_of_a_label_has_its_own_centre(erosion_width):
    pieces = np.zeros((7, 20), np.int32)
    pieces[1:6, 1:6] = pieces[1:6, 12:17] = 4
    values = transforms.inner_distance(pieces, erosion_width=erosion_width)
    assert values[3, 3] == values[3, 14] == 1
    assert np.count_nonzero(values == 1) == 2


def test_touching_cells_without_erosion_are_two():
    touching = np.repeat(image("11111222"), 5, axis=0)
    touching = np.pad(touching, 1)
    values = transforms.inner_distance(touching, erosion_width=0)
    for label in (1, 2):
        # Each has its own peak, above what its pixels next to the other reach.
        border = touching == label
        assert values[border].max() > 0.8


def test_outer_distance():
    values = transforms.outer_distance(SQUARE, normalize=False)
    assert np.array_equal(values[2:5, 2:5], [[1, 1, 1], [1, 2, 1], [1, 1, 1]])
    assert np.array_equal(transforms.outer_distance(SQUARE)[3], [0, 0, 0.5, 1, 0.5, 0, 0])
    two = np.pad(SQUARE, ((0, 0), (0, 9)))
    two[2:5, 9:15] = 2
    normalized = transforms.outer_distance(two)
    assert normalized[two == 1].max() == normalized[two == 2].max() == 1


def test_foreground_is_one_hot_even_without_cells():
    maps = transforms.foreground(SQUARE)
    assert np.array_equal(maps[..., 1] == 1, SQUARE > 0)
    assert np.array_equal(maps.sum(axis=-1), np.ones(SQUARE.shape))
    assert transforms.foreground(np.zeros((3, 4), np.int32)).shape == (3, 4, 2)


def test_pixelwise_edge_grows_outwards_only():
    thin = transforms.pixelwise(SQUARE, dilation_radius=0)
    wide = transforms.pixelwise(SQUARE, dilation_radius=1)
    assert np.array_equal(wide[..., 1], thin[..., 1])
    assert np.array_equal(thin[..., 1] == 1, np.pad(np.ones((3, 3), bool), 2))
    assert thin[0].sum(axis=0).tolist() == [0, 0, 7]
    assert wide[0].sum(axis=0).tolist() == [5, 0, 2]
    assert np.array_equal(wide.sum(axis=-1), np.ones(SQUARE.shape))


@pytest.mark.parametrize(
    "labels",
    [np.zeros((6, 5), np.int32), np.ones((6, 5), np.int32), np.pad([[7]], 3).astype(np.int32)],
    ids=["empty", "full", "pixel"],
)
def test_images_at_the_limit_give_finite_maps(labels):
    for name in ("inner_distance", "outer_distance", "foreground", "pixelwise"):
        values = getattr(transforms, name)(labels)
        assert np.isfinite(values).all()
        assert values.min() >= 0
        assert values.max() <= 1


def test_labels_are_left_as_they_were():
    before = SQUARE.copy()
    for name in ("inner_distance", "outer_distance", "foreground", "pixelwise"):
        getattr(transforms, name)(SQUARE)
    assert np.array_equal(SQUARE, before)


def test_distances_do_not_depend_on_the_number_of_threads():
    """OpenCV shares rows among threads, and its last bit depends on the share."""
    random = np.random.default_rng(0)
    labels = (ndimage.gaussian_filter(random.normal(size=(300, 300)), 8) > 0).astype(np.int32)
    expected = ndimage.distance_transform_edt(labels).astype(np.float32)
    before = cv2.getNumThreads()
    try:
        for threads in (1, 2, 3, 7):
            cv2.setNumThreads(threads)
            found = transforms.outer_distance(labels, erosion_width=0, normalize=False)
            np.testing.assert_array_equal(found, expected)
    finally:
        cv2.setNumThreads(before)


def test_negative_labels_are_refused():
    for name in ("inner_distance", "outer_distance", "pixelwise"):
        with pytest.raises(ValueError, match="0 or more"):
            getattr(transforms, name)(-SQUARE)
