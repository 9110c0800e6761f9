"""Crops of whole images: where they lie, what they hold, how often, and that they repeat."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

import small_training
from cellseg.data import frames, tiles
from cellseg.errors import UserError
from cellseg.images import reading
from cellseg.io.atomic import write_stack
from cellseg.training import run as train_run
from cellseg.training.augmentation import Augmentation
from cellseg.training.batches import TilePool, TileStream
from cellseg.training.crops import CropPool, WindowPool
from recording_learner import digest
from run_inputs import write_split

SHAPES = {"large": (70, 100), "small": (20, 40), "square": (64, 64)}
STILL = Augmentation(rotation=0, zoom=1, flips=False)


def written(folder, shapes=SHAPES):
    """Pictures whose grey values tell row and column, their labels, and the path of both."""
    grey, labels = {}, {}
    for key, (height, width) in shapes.items():
        rows, columns = np.mgrid[:height, :width]
        grey[key] = ((3 * rows + 5 * columns) % 251).astype(np.uint8)
        labels[key] = (1 + rows // 9 * 100 + columns // 7).astype(np.int32)
        tifffile.imwrite(folder / f"{key}.tif", grey[key])
    write_stack(folder / "labels.npz", labels.items())
    files = [reading.Picture(folder / f"{key}.tif", shape) for key, shape in shapes.items()]
    return grey, labels, (list(shapes), files, folder / "labels.npz")


@pytest.fixture
def made(tmp_path):
    grey, labels, parts = written(tmp_path)
    frames.write(*parts, tmp_path / "frames.npz")
    return grey, labels, frames.open(tmp_path / "frames.npz")


def stream(pool, **changes):
    options = {
        "tiles": pool, "index": np.arange(len(pool.image)), "normalization": "none", "seed": 3,
        "heads": {"inner-distance": {}, "pixelwise": {}}, "batch_size": 4,
        "augmentation": Augmentation(),
    }  # fmt: skip
    return TileStream(**{**options, **changes})


def test_whole_images_come_back_from_their_file(made):
    grey, labels, file = made
    for number, key in enumerate(SHAPES):
        image, cells = file.frame(number)
        np.testing.assert_array_equal(image, grey[key])
        np.testing.assert_array_equal(cells, labels[key])
        assert isinstance(image.base, np.memmap) or isinstance(image, np.memmap)
    assert list(file.image) == list(SHAPES)


def test_the_file_is_read_by_numpy_too(made, tmp_path):
    grey, *_ = made
    with np.load(tmp_path / "frames.npz") as file:
        expected = np.concatenate([image.ravel() for image in grey.values()])
        np.testing.assert_array_equal(file["X"], expected)


def test_files_of_tiles_and_of_whole_images_are_not_taken_for_each_other(made, tmp_path):
    *_, parts = written(tmp_path)
    tiles.write(*parts, tmp_path / "tiles.npz", 16)
    with pytest.raises(UserError, match="not a file of whole images"):
        frames.open(tmp_path / "tiles.npz")
    with pytest.raises(UserError, match="not a file of tiles"):
        tiles.open(tmp_path / "frames.npz")


def test_windows_are_the_tiles_that_cut_stores(made, tmp_path):
    *_, file = made
    *_, parts = written(tmp_path)
    tiles.write(*parts, tmp_path / "tiles.npz", 32, tile_overlap=5)
    expected, found = TilePool([tiles.open(tmp_path / "tiles.npz")]), WindowPool([file], 32, 5)
    assert found.image.tolist() == expected.image.tolist()
    for number in range(len(found.image)):
        for one, other in zip(found.tile(number), expected.tile(number), strict=True):
            np.testing.assert_array_equal(one, other)
    together = zip(
        *(stream(pool, augmentation=None, shuffle=False).epoch(0) for pool in (found, expected)),
        strict=True,
    )
    assert all(digest(one) == digest(other) for one, other in together)


def test_an_epoch_has_as_many_crops_of_an_image_as_windows(made):
    *_, file = made
    as_windows, fixed = CropPool([file], 32, 5), WindowPool([file], 32, 5)
    assert as_windows.image.tolist() == fixed.image.tolist()
    seven = CropPool([file], 32, 5, crops_per_image=7)
    assert seven.image.tolist() == [key for key in SHAPES for _ in range(7)]
    assert sum(len(x) for x, _ in stream(seven).epoch(0)) == 21


def places(pool, image, epochs=40):
    """Where the crops of an image were taken that is as the arrays say, one row each."""
    own = stream(pool, augmentation=STILL, batch_size=1, heads={}, shuffle=False,
                 index=np.flatnonzero(pool.image == image))  # fmt: skip
    found = []
    for epoch in range(epochs):
        for number, (x, _) in zip(own.index, own.epoch(epoch), strict=True):
            random = np.random.default_rng([own.seed, epoch, number])
            *_, matrix = pool.source(int(number), random)
            found.append((matrix[1, 2], matrix[0, 2], x[0, ..., 0]))
    return found


def test_a_crop_that_is_not_turned_is_a_part_of_the_image(made):
    grey, _, file = made
    for row, column, crop in places(CropPool([file], 32, 5), "large"):
        assert row == int(row) and column == int(column)
        expected = grey["large"][int(row) : int(row) + 32, int(column) : int(column) + 32]
        np.testing.assert_array_equal(crop, expected)


def test_crops_lie_anywhere_in_the_image(made):
    *_, file = made
    found = np.array([place[:2] for place in places(CropPool([file], 32, 5), "large", 200)])
    assert found.min(axis=0).tolist() == [0, 0] and found.max(axis=0).tolist() == [38, 68]
    np.testing.assert_allclose(found.mean(axis=0), [19, 34], atol=2)
    halves, _, _ = np.histogram2d(*found.T, bins=2)
    assert halves.min() > 0.7 * halves.max()


def test_an_image_smaller_than_a_crop_is_mirrored_at_its_far_edges(made):
    grey, _, file = made
    for row, column, crop in places(CropPool([file], 32, 5), "small", 3):
        assert row == 0 and 0 <= column <= 8
        part = grey["small"][:, int(column) : int(column) + 32]
        np.testing.assert_array_equal(crop, np.pad(part, [(0, 12), (0, 0)], mode="reflect"))


def test_magnified_crops_show_less_and_come_within_the_image(made):
    *_, file = made
    found = matrices(CropPool([file], 32, 5, scales=(0.5, 1, 2)), 300)
    sizes = {round(1 / matrix[0, 0], 6) for matrix in found}
    assert sizes == {0.5, 1, 2}
    shares = [
        sum(1 / matrix[0, 0] == size for matrix in found) / len(found) for size in (0.5, 1, 2)
    ]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.1)
    for matrix in found:
        edges = matrix @ [[-0.5, 31.5], [-0.5, 31.5], [1, 1]]  # of the crop's outermost pixels
        assert edges.min() >= -0.5
        # The image has 64 pixels either way; half a pixel at most is lost to whole places.
        assert edges.max() <= 63.5


def matrices(pool, number):
    place = int(np.flatnonzero(pool.image == "square")[0])
    return [pool.source(place, np.random.default_rng(seed))[2] for seed in range(number)]


def test_turned_crops_show_the_image_around_them(made):
    """The warp of the whole image about the crop's centre, by SciPy; not of the crop alone."""
    grey, _, file = made
    pool, turned = CropPool([file], 32, 0, scales=(1.5,)), Augmentation(180, 1.3, True)
    number = int(np.flatnonzero(pool.image == "large")[0])
    own = stream(pool, index=np.array([number]), augmentation=turned, heads={})
    for epoch in range(20):
        [(x, _)] = own.epoch(epoch)
        random = np.random.default_rng([3, epoch, number])
        *_, matrix = pool.source(number, random)
        drawn = turned.draw(random, 32)
        whole = np.vstack([matrix, [0, 0, 1]]) @ np.vstack([drawn, [0, 0, 1]])
        expected = ndimage.affine_transform(
            grey["large"].astype(float), whole[1::-1, 1::-1], whole[1::-1, 2],
            output_shape=(32, 32), order=1, mode="mirror",
        )  # fmt: skip
        np.testing.assert_allclose(x[0, ..., 0], expected, atol=1e-3)


@pytest.mark.parametrize("workers", [2, 5])
def test_the_number_of_workers_changes_nothing(made, workers):
    *_, file = made
    pool = CropPool([file], 32, 5, scales=(1, 1.5))
    one, many = (stream(pool, workers=number).epoch(2) for number in (1, workers))
    assert [digest(batch) for batch in one] == [digest(batch) for batch in many]


def test_crops_differ_by_epoch_and_by_seed_and_repeat(made):
    *_, file = made
    pool = CropPool([file], 32, 5)
    found = {
        (seed, epoch): tuple(map(digest, stream(pool, seed=seed, shuffle=False).epoch(epoch)))
        for seed in (3, 4) for epoch in (0, 1)
    }  # fmt: skip
    assert len(set(found.values())) == 4
    assert tuple(map(digest, stream(pool, shuffle=False).epoch(1))) == found[3, 1]


def test_an_epoch_goes_on_after_any_number_of_batches(made):
    *_, file = made
    own = stream(CropPool([file], 32, 5), workers=2)
    whole = [digest(batch) for batch in own.epoch(5)]
    for first in range(len(whole) + 1):
        assert [digest(batch) for batch in own.epoch(5, first=first)] == whole[first:]


@pytest.mark.parametrize("validation", ["official", "by-well"])
def test_a_run_trains_on_crops_and_validates_on_windows(tmp_path, validation):
    """By the settings of a run, on images of the subset alone."""
    names = {"train": [("a", "BV2"), ("b", "BV2"), ("c", "BV2")], "val": [("d", "BV2")]}
    for split, images in names.items():
        write_split(tmp_path, split, images)
        table = pd.read_parquet(tmp_path / f"{split}.images.parquet")
        files = [reading.Picture(path, (32, 32)) for path in table["path"]]
        labels = tmp_path / f"{split}.labels.npz"
        frames.write(table["image"].tolist(), files, labels, tmp_path / f"{split}.npz")
    made = small_training.settings(1, family="unet")
    made["tiling"] = {"mode": "crop", "size": 16, "tile_overlap": 0, "crops_per_image": 5,
                      "scales": [1, 2]}  # fmt: skip
    made["subset"] = {"cell_types": [], "fraction": 1, "selection": "seeded",
                      "validation": validation}  # fmt: skip
    made["training"].update(
        {"rotation": 90, "zoom": 1.2, "flips": True, "warp": "labels", "intensity": {}}
    )
    seen = []

    def noted(settings, train, validation, *rest):
        seen.append((train, validation))
        raise UserError("enough")

    watched = SimpleNamespace(train=noted, set_threads=lambda threads: None)
    with pytest.raises(UserError, match="enough"):
        train_run.train(
            settings=made, tiles={split: str(tmp_path / f"{split}.npz") for split in names},
            images=[str(tmp_path / f"{split}.images.parquet") for split in names], extension=[],
            weights=None, code="", family=watched, folder=tmp_path / "run", threads=1,
        )  # fmt: skip
    [(train, validate)] = seen
    trained, validated = (set(one.tiles.image[one.index].tolist()) for one in (train, validate))
    assert len(trained) == 3 and len(validated) == 1 and trained | validated == set("abcd")
    assert isinstance(train.tiles, CropPool) and isinstance(validate.tiles, WindowPool)
    assert len(train.index) == 15 and len(validate.index) == 4
    assert next(train.epoch(0))[0].shape[1:] == next(validate.epoch(0))[0].shape[1:] == (16, 16, 1)
    assert train.tiles.scales == (1, 2)
