"""Tiles: where they lie, what they hold, and that the file can be memory-mapped."""

from itertools import pairwise

import numpy as np
import pytest
import tifffile

from cellseg.data import tiles
from cellseg.errors import UserError
from cellseg.images import reading
from cellseg.images.normalization import normalize
from cellseg.inference import sliding_window
from cellseg.io import memmap_npz
from cellseg.io.atomic import write_stack


@pytest.mark.parametrize(
    ("length", "size", "overlap", "expected"),
    [
        (520, 256, 0, [0, 132, 264]),
        (704, 256, 32, [0, 224, 448]),
        (512, 512, 0, [0]),
        (500, 512, 64, [0]),
        (513, 512, 0, [0, 1]),
        (64, 32, 0, [0, 32]),
    ],
)
def test_offsets(length, size, overlap, expected):
    assert tiles.offsets(length, size, overlap) == expected


def test_offsets_cover_the_image_with_the_overlap():
    for length in range(16, 200):
        for overlap in (0, 1, 7, 15):
            begins = tiles.offsets(length, 16, overlap)
            assert begins[0] == 0 and begins[-1] == length - 16
            assert all(b - a <= 16 - overlap for a, b in pairwise(begins))


def test_cut_mirrors_what_the_image_lacks_at_the_far_edges():
    image = np.array([[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(
        tiles.cut(image, 5, 0, 0),
        [[1, 2, 3, 3, 2], [4, 5, 6, 6, 5], [4, 5, 6, 6, 5], [1, 2, 3, 3, 2], [1, 2, 3, 3, 2]],
    )


def test_a_small_image_is_trained_on_as_it_is_predicted():
    """The window that prediction makes of a small image is the tile that training made of it."""
    image = np.random.default_rng(2).integers(0, 255, (7, 10)).astype(np.uint8)
    windows = []

    def predict(batch):
        windows.append(batch)
        return {"a": batch}

    sliding_window.predict_image(predict, image, 16, 0, "none")
    tile = normalize(tiles.cut(image, 16, 0, 0)[None, ..., None], "none")
    np.testing.assert_array_equal(windows[0], tile)


def test_resize_keeps_label_values():
    labels = np.kron(np.array([[0, 70_001], [2, 3]], np.int32), np.ones((8, 16), np.int32))
    resized = tiles.resize(labels, 16, nearest=True)
    assert resized.dtype == np.int32
    np.testing.assert_array_equal(resized[::8, ::8], [[0, 70_001], [2, 3]])
    assert set(np.unique(resized)) == {0, 2, 3, 70_001}


def test_resize_averages_a_checkerboard():
    """Its pixels are 0 and 200: half of them would be picked by nearest neighbour."""
    board = (200 * (np.indices((64, 64)).sum(0) % 2)).astype(np.uint8)
    shrunk = tiles.resize(board, 16)
    np.testing.assert_allclose(shrunk[2:-2, 2:-2], 100, atol=8)


def test_resize_keeps_the_mean_of_grey_values():
    image = np.random.default_rng(0).integers(0, 255, (64, 96)).astype(np.uint8)
    resized = tiles.resize(image, 32)
    assert resized.dtype == np.uint8 and resized.shape == (32, 32)
    assert abs(resized.mean() - image.mean()) < 2
    assert resized.std() < image.std() / 2  # the filter has averaged, not picked, pixels


@pytest.fixture
def split(tmp_path):
    """Two images of 40 x 56 and one of 20 x 30 pixels, with labels of the same pattern."""
    random = np.random.default_rng(1)
    shapes = [(40, 56), (40, 56), (20, 30)]
    keys = ["b", "a", "ü~7"]
    grey = [random.integers(0, 255, shape).astype(np.uint8) for shape in shapes]
    labels = [1000 * random.integers(0, 9, shape).astype(np.int32) for shape in shapes]
    paths = [tmp_path / f"{index}.tif" for index in range(3)]
    for path, image in zip(paths, grey, strict=True):
        tifffile.imwrite(path, image)
    write_stack(tmp_path / "labels.npz", zip(keys, labels, strict=True))
    arguments = {
        "image_keys": keys,
        "pictures": [reading.Picture(*file) for file in zip(paths, shapes, strict=True)],
        "labels_path": tmp_path / "labels.npz",
        "path": tmp_path / "tiles.npz",
    }
    return arguments, grey, labels


def test_cut_tiles_are_where_they_say(split):
    arguments, grey, labels = split
    tiles.write(**arguments, size=32, tile_overlap=4)
    written = tiles.open(arguments["path"])
    assert isinstance(written.X, np.memmap) and isinstance(written.y, np.memmap)
    assert written.X.flags.aligned and written.y.flags.aligned
    assert (written.X.dtype, written.y.dtype) == (np.uint8, np.int32)
    assert written.X.shape == written.y.shape == (2 + 2 + 2 + 2 + 1, 32, 32, 1)
    assert written.image.tolist() == ["b"] * 4 + ["a"] * 4 + ["ü~7"]
    assert len(written) == 9 and (written.scale == 1).all()
    for tile, (key, row, column) in enumerate(
        zip(written.image[:8], written.row, written.column, strict=False)
    ):
        whole = ["b", "a"].index(key)
        window = np.s_[row : row + 32, column : column + 32]
        np.testing.assert_array_equal(written.X[tile, ..., 0], grey[whole][window])
        np.testing.assert_array_equal(written.y[tile, ..., 0], labels[whole][window])
    np.testing.assert_array_equal(written.X[8, :20, :30, 0], grey[2])
    # mirrored cells are cells, not background
    far = ((0, 12), (0, 2))
    np.testing.assert_array_equal(written.X[8, ..., 0], np.pad(grey[2], far, "symmetric"))
    np.testing.assert_array_equal(written.y[8, ..., 0], np.pad(labels[2], far, "symmetric"))


def test_numpy_reads_the_file_too(split):
    arguments, _, _ = split
    tiles.write(**arguments, size=32)
    written = tiles.open(arguments["path"])
    with np.load(arguments["path"]) as plain:
        np.testing.assert_array_equal(plain["X"], written.X)
        np.testing.assert_array_equal(plain["y"], written.y)


def test_resized_tiles(split):
    arguments, _, labels = split
    tiles.write(**arguments, size=16, mode="resize")
    written = tiles.open(arguments["path"])
    assert written.X.shape == (3, 16, 16, 1)
    np.testing.assert_allclose(written.scale[0], [16 / 40, 16 / 56])
    assert set(np.unique(written.y)) <= set(np.unique(labels[0])) | set(np.unique(labels[2]))


def test_no_images(split):
    arguments, _, _ = split
    empty = {name: [] for name in ("image_keys", "pictures")}
    tiles.write(**{**arguments, **empty}, size=32)
    written = tiles.open(arguments["path"])
    assert len(written) == 0 and written.y.shape == (0, 32, 32, 1)


@pytest.mark.parametrize(
    ("tiling", "message"),
    [
        ({"size": 100}, "power of two"),
        ({"size": 32, "tile_overlap": 32}, "tile_overlap 32"),
        ({"size": 32, "mode": "zoom"}, "'zoom' is not one of cut, resize"),
    ],
)
def test_settings_out_of_range(split, tiling, message):
    with pytest.raises(UserError, match=message):
        tiles.write(**split[0], **tiling)


def test_annotations_of_another_size(split):
    arguments, _, _ = split
    arguments["pictures"][1] = arguments["pictures"][1]._replace(shape=(41, 56))
    with pytest.raises(UserError, match=r"1\.tif has \(40, 56\) pixels"):
        tiles.write(**arguments, size=32)
    assert not arguments["path"].exists()


def test_labels_of_another_data_set(split):
    arguments, _, _ = split
    arguments["image_keys"][1] = "c"
    with pytest.raises(UserError, match="'c'"):
        tiles.write(**arguments, size=32)


def test_a_broken_file_of_tiles(split):
    arguments, _, _ = split
    tiles.write(**arguments, size=32)
    path = arguments["path"]
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"tiles\.npz is not a file of tiles"):
        tiles.open(path)


def test_compressed_arrays_cannot_be_mapped(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", X=np.zeros(3))
    with pytest.raises(ValueError, match="compressed"):
        memmap_npz.open(tmp_path / "a.npz", "X")


def test_images_8_bit_are_not_touched(tmp_path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    tifffile.imwrite(tmp_path / "a.tif", grey, compression="lzw", predictor=2)
    np.testing.assert_array_equal(reading.read(tmp_path / "a.tif"), grey)


def test_images_16_bit_are_stretched(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[100, 1100], [600, 600]], np.uint16))
    np.testing.assert_array_equal(reading.read(tmp_path / "a.tif"), [[0, 255], [128, 128]])
    tifffile.imwrite(tmp_path / "b.tif", np.full((2, 2), 700, np.uint16))
    assert reading.read(tmp_path / "b.tif").max() == 0


def test_images_in_colour(tmp_path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([grey] * 3, -1), photometric="rgb")
    np.testing.assert_array_equal(reading.read(tmp_path / "a.tif"), grey)


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_broken_image_is_named(tmp_path, suffix):
    from PIL import Image

    path = tmp_path / f"broken.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (50, 50), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=rf"broken\.{suffix} (cannot be read|is cut off)"):
        reading.read(path)


def test_stack_of_images_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6, 7), np.uint8), photometric="minisblack")
    with pytest.raises(UserError, match="one picture"):
        reading.read(tmp_path / "a.tif")


def test_label_images_hold_counting_numbers(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0, 1.0]]))
    assert reading.read_labels(tmp_path / "a.npy").dtype == np.int32
    for wrong in ([[0, 1.5]], [[0, -1]], [[[0, 1, 2]] * 2] * 2):
        np.save(tmp_path / "b.npy", np.array(wrong))
        with pytest.raises(UserError, match="label"):
            reading.read_labels(tmp_path / "b.npy")


def test_missing_image_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.png does not exist"):
        reading.read(tmp_path / "gone.png")
