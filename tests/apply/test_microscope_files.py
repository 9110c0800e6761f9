"""Reading every kind of image that people have, and label files that keep its calibration."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellseg.apply import microscopy
from cellseg.errors import UserError
from cellseg.images import reading

GREY = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8)


def _frames(path):
    return microscopy.read(path).frames


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("grey.tif", lambda path: tifffile.imwrite(path, GREY)),
        ("lzw.tif", lambda path: tifffile.imwrite(path, GREY, compression="lzw", predictor=True)),
        ("deep.tif", lambda path: tifffile.imwrite(path, GREY.astype(np.uint16) * 700)),
        ("float.tif", lambda path: tifffile.imwrite(path, GREY / np.float32(47))),
        ("bits.tif", lambda path: tifffile.imwrite(path, GREY > 20)),
        ("colour.tif", lambda path: tifffile.imwrite(path, np.stack([GREY] * 3, -1),
                                                     photometric="rgb")),
        ("planes.tif", lambda path: tifffile.imwrite(path, np.stack([GREY] * 3), photometric="rgb",
                                                     planarconfig="separate")),
        ("grey.png", lambda path: Image.fromarray(GREY).save(path)),
        ("deep.png", lambda path: Image.fromarray(GREY.astype(np.uint16) * 700).save(path)),
        ("colour.png", lambda path: Image.fromarray(np.dstack([GREY] * 3)).save(path)),
        ("alpha.png", lambda path: Image.fromarray(np.dstack([GREY] * 4)).save(path)),
        ("palette.png", lambda path: Image.fromarray(np.dstack([GREY] * 3)).quantize(48)
            .save(path)),
    ],
)  # fmt: skip
def test_a_single_picture_is_what_a_data_set_would_hold(tmp_path, name, write):
    """Of either reader the network sees the same, so that it finds the same cells."""
    write(tmp_path / name)
    stack = microscopy.read(tmp_path / name)
    assert len(stack.frames) == 1 and (stack.axes, stack.lengths) == ("", ())
    grey = reading.luminance(stack.frames[0], name)
    np.testing.assert_array_equal(reading.to_8_bit(grey, name), reading.read(tmp_path / name))
    assert grey.shape == GREY.shape


def test_each_page_is_a_frame(tmp_path):
    """Also three of them, which elsewhere would be taken for the planes of a colour picture."""
    pages = np.stack([GREY, GREY + 1, GREY + 2])
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="minisblack")
    stack = microscopy.read(tmp_path / "pages.tif")
    np.testing.assert_array_equal(stack.frames, pages)
    assert (stack.axes, stack.lengths) == ("T", (3,))
    colours = np.stack([pages] * 3, -1)
    tifffile.imwrite(tmp_path / "colour.tif", colours, photometric="rgb")
    np.testing.assert_array_equal(_frames(tmp_path / "colour.tif"), colours)


def test_hyperstacks_come_in_the_order_of_imagej(tmp_path):
    values = np.arange(2 * 3 * 2 * 6 * 8, dtype=np.uint16).reshape(2, 3, 2, 6, 8)
    path = tmp_path / "hyper.tif"
    tifffile.imwrite(path, values, imagej=True, metadata={"axes": "TZCYX"})
    stack = microscopy.read(path)
    assert (stack.axes, stack.lengths) == ("TZC", (2, 3, 2))
    np.testing.assert_array_equal(stack.frames, values.reshape(-1, 6, 8))
    path = tmp_path / "hyper.ome.tif"
    tifffile.imwrite(path, values, metadata={"axes": "CZTYX"})
    stack = microscopy.read(path)
    assert (stack.axes, stack.lengths) == ("TZC", (2, 3, 2))
    np.testing.assert_array_equal(stack.frames, values.transpose(2, 1, 0, 3, 4).reshape(-1, 6, 8))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"imagej": True, "resolution": (2, 4), "metadata": {"unit": "um"}}, (0.25, 0.5)),
        ({"imagej": True, "resolution": (2, 2), "metadata": {"unit": "micron"}}, (0.5, 0.5)),
        ({"imagej": True, "resolution": (2, 2), "metadata": {"unit": "\\u00B5m"}}, (0.5, 0.5)),
        ({"imagej": True, "resolution": (1e-3, 1e-3), "metadata": {"unit": "nm"}}, (1.0, 1.0)),
        ({"imagej": True, "resolution": (2, 2), "metadata": {"unit": "pixel"}}, None),
        ({"resolution": (8000, 8000), "resolutionunit": "CENTIMETER"}, (1.25, 1.25)),
        ({"resolution": (118, 118), "resolutionunit": "CENTIMETER"}, None),  # 300 dots an inch
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({}, None),
        (
            {"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 650,
                                       "PhysicalSizeYUnit": "nm"}},
            (0.65, 0.5),
        ),
    ],
)  # fmt: skip
def test_the_size_of_a_pixel(tmp_path, options, expected):
    tifffile.imwrite(tmp_path / "image.tif", GREY, **options)
    found = microscopy.read(tmp_path / "image.tif").calibration.pixel_size
    assert found == (expected and pytest.approx(expected))
    said = microscopy.read(tmp_path / "image.tif", 1.24).calibration.pixel_size
    assert said == (1.24, 1.24)


@pytest.mark.parametrize("most", [300, 70_000])
def test_label_files_keep_calibration_and_labels(tmp_path, most):
    image, path = tmp_path / "image.tif", tmp_path / "labels.tif"
    about = {"axes": "TYX", "unit": "um", "finterval": 60.0}
    tifffile.imwrite(image, np.stack([GREY, GREY]), imagej=True, resolution=(2, 4), metadata=about)
    stack = microscopy.read(image)
    labels = np.zeros((2, 6, 8), np.int32)
    labels[0, 1, 1], labels[1, 2, 2] = 1, most
    microscopy.write_labels(path, labels, stack)
    with tifffile.TiffFile(path) as file:
        np.testing.assert_array_equal(file.asarray(), labels)
        assert file.series[0].dtype == (np.uint16 if most < 2**16 else np.uint32)
        assert file.is_imagej == (most < 2**16)
        if file.is_imagej:
            assert file.imagej_metadata["frames"] == 2
            assert file.imagej_metadata["finterval"] == 60.0
    assert microscopy.read(path).calibration.pixel_size == pytest.approx((0.25, 0.5))


def test_an_unexplained_resolution_is_kept_as_it_is(tmp_path):
    path = tmp_path / "labels.tif"
    tifffile.imwrite(tmp_path / "image.tif", GREY, resolution=(72, 72), resolutionunit="INCH")
    stack = microscopy.read(tmp_path / "image.tif")
    microscopy.write_labels(path, np.zeros((1, 6, 8), np.int32), stack)
    found = microscopy.read(path)
    assert found.frames.shape == (1, 6, 8)
    assert (found.calibration.resolution, found.calibration.unit) == ((72, 72), "INCH")


def _cut(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 30])
    return path


def test_broken_files_are_told(tmp_path):
    path = tmp_path / "image.tif"
    path.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"image\.tif cannot be read as an image"):
        microscopy.read(path)
    tifffile.imwrite(path, np.zeros((50, 50), np.uint8))
    with pytest.raises(UserError, match=r"image\.tif is cut off"):
        microscopy.read(_cut(path))
    with tifffile.TiffWriter(path) as file:
        file.write(GREY)
        file.write(GREY[:3])
    with pytest.raises(UserError, match="different sizes or kinds"):
        microscopy.read(path)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50), np.uint8)).save(
        tmp_path / "image.png"
    )
    with pytest.raises(UserError, match=r"image\.png cannot be read"):
        microscopy.read(_cut(tmp_path / "image.png"))


def test_images_are_found_and_others_are_not(tmp_path):
    for name in ("b.TIF", "a/c.png", ".hidden.tif", "notes.txt", "made/labels/x.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.tif").mkdir()
    found = microscopy.find(tmp_path, [tmp_path / "made"])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a/c.png", "b.TIF"]
    assert microscopy.find(tmp_path / "b.TIF") == [tmp_path / "b.TIF"]
    with pytest.raises(UserError, match="does not exist"):
        microscopy.find(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/plate.czi").write_bytes(b"")
    with pytest.raises(UserError, match=r"holds no images .*\.czi: export them as TIFF"):
        microscopy.find(tmp_path / "empty")


def test_names_of_results_are_unique(tmp_path):
    paths = [tmp_path / name for name in ("a.png", "A.tif", "sub/a.tif", "b.c.tif")]
    names = microscopy.output_names(paths, tmp_path)
    assert names == ["a.png", "A.tif", "sub/a", "b.c"]


def test_names_of_results_are_short_and_never_taken_twice(tmp_path):
    long = "ü" * 120
    given = ["a.png", "a.png.tif", "a.tif", f"{long}1.png", f"{long}2.png", f"in/{long}.png"]
    names = microscopy.output_names([tmp_path / name for name in given], tmp_path)
    assert names[0] == "a.png" and len({name.casefold() for name in names}) == len(given)
    assert all(len(name.rpartition("/")[2].encode()) <= 200 for name in names)
    assert names[5].startswith("in/üü")
