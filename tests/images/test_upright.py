"""Orientation tags: pictures are turned as their annotations were made."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image, ImageOps

from cellseg.apply import microscopy
from cellseg.data import annotation_tables, annotations
from cellseg.images import reading, upright

GREY = np.random.default_rng(0).integers(0, 255, (6, 9)).astype(np.uint8)
TAGS = range(1, 9)


def save(path, orientation, grey=GREY):
    if path.suffix == ".tif":
        tag = [(upright.TAG, "H", 1, orientation, True)]
        tifffile.imwrite(path, grey, extratags=tag, resolution=(8000, 4000), resolutionunit=3)
        return
    exif = Image.Exif()
    exif[upright.TAG] = orientation
    Image.fromarray(grey).save(path, exif=exif)


@pytest.mark.parametrize("orientation", TAGS)
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_pictures_are_turned_as_pillow_turns_them(tmp_path, orientation, suffix):
    path = tmp_path / f"a.{suffix}"
    save(path, orientation)
    save(tmp_path / f"other.{'png' if suffix == 'tif' else suffix}", orientation)
    with Image.open(tmp_path / f"other.{'png' if suffix == 'tif' else suffix}") as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    np.testing.assert_array_equal(reading.read(path), expected)
    stack = microscopy.read(path)
    np.testing.assert_array_equal(stack.frames, [expected])
    assert stack.orientation == orientation
    if suffix == "tif":  # 4,000 pixels a centimetre down: 2.5 µm
        size = (1.25, 2.5) if upright.swaps(orientation) else (2.5, 1.25)
        assert stack.calibration.pixel_size == pytest.approx(size)


@pytest.mark.parametrize("tag", [0, 9, None, "6"])
def test_tags_that_are_no_orientation_say_nothing(tag):
    assert upright.number(tag) == 1


@pytest.mark.parametrize("orientation", TAGS)
def test_annotations_decide_and_doubt_is_listed(orientation):
    turned = upright.turn(GREY, orientation)
    same, problem = upright.fit(GREY, orientation, turned.shape)
    np.testing.assert_array_equal(same, turned)
    assert (problem is None) == (orientation in (1, 6, 8))
    if upright.swaps(orientation):
        stored, problem = upright.fit(GREY, orientation, GREY.shape)
        np.testing.assert_array_equal(stored, GREY)
        assert problem == (upright.STORED, "read as stored")
    square = GREY[:6, :6]
    assert (upright.fit(square, orientation, (6, 6))[1] is None) == (orientation == 1)


def test_of_a_data_set(tmp_path):
    """The tables list what is in doubt, and every reader of them turns alike."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    shapes = {"right": (9, 6), "stored": (6, 9), "over": (6, 9)}
    for name, orientation in (("right", 6), ("stored", 6), ("over", 3)):
        save(tmp_path / f"images/{name}.png", orientation)
        label = np.zeros(shapes[name], np.uint16)
        label[2:4, 2:4] = 1
        tifffile.imwrite(tmp_path / f"masks/{name}.tif", label)
    described = {"images": str(tmp_path / "images"), "labels": {"test": str(tmp_path / "masks")}}
    annotations.parse(described, tmp_path / "tables")
    problems = pd.read_csv(tmp_path / "tables/problems.csv").set_index("image")
    assert problems["problem"].to_dict() == {"stored": upright.STORED, "over": upright.TURNED}
    assert problems["action"].to_dict() == {
        "stored": "read as stored", "over": "turned by 180 degrees",
    }  # fmt: skip
    table = pd.read_parquet(tmp_path / "tables/test.images.parquet").set_index("image")
    read = dict(zip(table.index, annotation_tables.pictures(table), strict=True))
    np.testing.assert_array_equal(read["right"].read(), np.rot90(GREY, -1))
    np.testing.assert_array_equal(read["stored"].read(), GREY)
    np.testing.assert_array_equal(read["over"].read(), GREY[::-1, ::-1])
