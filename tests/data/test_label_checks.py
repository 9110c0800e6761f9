"""Label images that hold no instances: refused, or listed."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from skimage.transform import resize

from cellseg.data import annotations, label_checks
from cellseg.errors import UserError
from cellseg.images import reading
from cellseg.images.decoded import Part


def grid(count, side=3, gap=1, columns=20):
    """So many square cells, numbered from 1, ndarray of int32."""
    rows = -(-count // columns)
    numbers = np.arange(1, rows * columns + 1).reshape(rows, columns)
    numbers[numbers > count] = 0
    cell = np.zeros((side + gap, side + gap), np.int32)
    cell[:side, :side] = 1
    return np.kron(numbers, cell).astype(np.int32)


@pytest.fixture
def parse(tmp_path):
    """Saves one label image by `save`, parses it with an image of its size; returns problems."""

    def run(save, shape, name="a.tif", **settings):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        save(tmp_path / "masks" / name)
        (tmp_path / "images/a.png").write_bytes(b"")
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / "images/a.png")
        described = {
            "images": str(tmp_path / "images"), "labels": {"test": str(tmp_path / "masks")},
            **settings,
        }  # fmt: skip
        annotations.parse(described, tmp_path / "tables")
        problems = pd.read_csv(tmp_path / "tables/problems.csv")
        return problems[["problem", "cells", "action"]].values.tolist()

    return run


def test_pieces_of_labels_are_counted():
    labels = np.zeros((20, 30), np.int32)
    labels[:4, :4] = labels[10:14, :4] = 7  # in two pieces
    labels[:4, 10:20], labels[8, 25] = 3, 3  # with a speck
    labels[18, 2:9] = 5  # a line
    labels[4, :5] = 6  # an edge
    labels[10, 20], labels[11, 21] = 2, 2  # by a corner
    labels[0:4, 4:8] = 9  # touches 7
    found = label_checks.look(labels)
    assert found == label_checks.Pieces(labels=6, pieces=7, in_pieces=1, thin=1, largest=9)
    assert label_checks.look(labels * 0) == label_checks.Pieces(0, 0, 0, 0, 0)


@pytest.mark.parametrize("count", [254, 255, 300])
def test_labels_that_wrapped_at_255(parse, count):
    labels = grid(count).astype(np.uint8)
    if count > 255:
        with pytest.raises(UserError, match=r"a\.tif looks wrapped: .* save .* with 16 bits"):
            parse(lambda path: tifffile.imwrite(path, labels), labels.shape)
    else:
        assert parse(lambda path: tifffile.imwrite(path, labels), labels.shape) == []


def test_a_few_wrapped_labels_are_listed(parse):
    labels = grid(258).astype(np.uint8)  # 256 is background, 257 and 258 are 1 and 2
    assert parse(lambda path: tifffile.imwrite(path, labels), labels.shape) == [
        ["label in several pieces", 2, "kept"]
    ]


@pytest.mark.parametrize("values", [(1, 2), (1, 2, 3), (128, 255)])
def test_masks_of_classes(parse, values):
    cells = grid(30)
    classes = np.choose(cells % len(values), values).astype(np.uint8) * (cells > 0)
    with pytest.raises(UserError, match=r"masks looks like a folder of masks of classes: "):
        parse(lambda path: tifffile.imwrite(path, classes.astype(np.uint8)), cells.shape)


def test_a_mask_of_classes_among_others_is_listed(parse, tmp_path):
    good = grid(60)
    (tmp_path / "masks").mkdir()
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "masks/good.tif", good.astype(np.uint16))
    Image.fromarray(np.zeros(good.shape, np.uint8)).save(tmp_path / "images/good.png")
    classes = grid(30) % 2 + (grid(30) > 0)
    found = parse(lambda path: tifffile.imwrite(path, classes.astype(np.uint8)), classes.shape)
    assert found == [["label in several pieces", 2, "kept"], ["more pieces than labels", 2, "kept"]]


def test_labels_that_were_interpolated(parse):
    cells = grid(60, side=6, gap=2)
    blurred = np.rint(resize(cells.astype(float), (121, 307), order=1, preserve_range=True))
    with pytest.raises(UserError, match=r"masks looks interpolated, .* edges of 60 labels"):
        parse(lambda path: tifffile.imwrite(path, blurred.astype(np.uint16)), blurred.shape)
    frayed = cells.copy()
    frayed[::8, 3::30] = 61  # some edges alone
    assert parse(lambda path: tifffile.imwrite(path, frayed.astype(np.uint16)), frayed.shape) == [
        ["label in several pieces", 1, "kept"],
        ["edge that is a label", 18, "kept"],
    ]
    half = resize(cells.astype(float), (121, 307), order=1, preserve_range=True)
    with pytest.raises(UserError, match=r"a\.tif: label values must be whole .* interpolation"):
        parse(lambda path: tifffile.imwrite(path, half.astype(np.float32)), half.shape)


CELLS = grid(12)


def zipped(path):
    with path.open("wb") as file:
        np.savez(file, a=CELLS)


def palette(path):
    picture = Image.frombytes("P", CELLS.shape[::-1], CELLS.astype(np.uint8).tobytes())
    colours = np.random.default_rng(0).integers(1, 256, (256, 3)).astype(np.uint8)
    picture.putpalette(colours.tobytes())
    picture.save(path)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("a.png", palette),
        ("a.tif", palette),
        ("a.png", lambda path: Image.fromarray(CELLS.astype(np.uint16)).save(path)),
        ("a.tif", lambda path: tifffile.imwrite(path, CELLS.astype(np.float32))),
        ("a.tif", lambda path: tifffile.imwrite(path, CELLS.astype(">i4"), byteorder=">")),
        ("a.tif", lambda path: tifffile.imwrite(
            path, CELLS.astype(np.uint8), photometric="miniswhite")),
        ("a.npy", lambda path: np.save(path, CELLS.astype(">u8")[None])),
    ],
)  # fmt: skip
def test_labels_are_the_numbers_of_the_file(tmp_path, name, save):
    """Not the colours of a palette, nor what is bright."""
    save(tmp_path / name)
    labels = reading.read_labels(tmp_path / name)
    np.testing.assert_array_equal(labels, CELLS)
    assert labels.dtype == np.int32


def test_a_page_of_label_images_is_chosen_as_of_images(tmp_path):
    pages = np.stack([CELLS, CELLS[::-1], CELLS * 2]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    with pytest.raises(UserError, match=r"it holds 3 pages.*'page: NUMBER'"):
        reading.read_labels(tmp_path / "a.tif")
    np.testing.assert_array_equal(reading.read_labels(tmp_path / "a.tif", Part(2, 3)), CELLS * 2)
    tifffile.imwrite(tmp_path / "b.tif", CELLS)
    np.testing.assert_array_equal(reading.read_labels(tmp_path / "b.tif", Part(2, 3)), CELLS)


@pytest.mark.parametrize(
    ("name", "save", "words"),
    [
        ("a.tif", lambda path: tifffile.imwrite(path, np.dstack([CELLS.astype(np.uint8)] * 3),
                                                photometric="rgb"), "is not a label image"),
        ("a.tif", lambda path: tifffile.imwrite(path, (CELLS - 1).astype(np.int16)), "must be 0"),
        ("a.tif", lambda path: tifffile.imwrite(
            path, np.where(CELLS, CELLS, np.nan).astype(np.float32)), "must be 0"),
        ("a.npy", lambda path: np.save(path, CELLS.astype(np.uint64) << 40), "must be 0"),
        ("a.npy", lambda path: np.save(path, CELLS.astype("S2")), "whole numbers, not of type"),
        ("a.npy", lambda path: np.save(path, CELLS.astype("M8[s]")), "whole numbers, not of type"),
        ("a.npy", zipped, "is a zip of arrays"),
        ("a_seg.npy", lambda path: np.save(path, {"masks": CELLS}, allow_pickle=True),
         r"holds Python objects.*Cellpose.*masks"),
        ("a.png", lambda path: Image.fromarray(CELLS.astype(np.uint8)).save(path, format="JPEG"),
         "is a JPEG, whose compression changes values"),
        ("a.tif", lambda path: tifffile.imwrite(path, CELLS.astype(np.uint8), compression="jpeg"),
         "is a TIFF with JPEG compression, whose compression changes values"),
        ("a.tif", lambda path: tifffile.imwrite(path, CELLS.astype(np.uint16),
                                                compression="jpeg2000"),
         "is a TIFF with JPEG 2000 compression, whose compression changes values"),
    ],
)  # fmt: skip
def test_what_cannot_be_labels_is_refused(tmp_path, name, save, words):
    save(tmp_path / name)
    with pytest.raises(UserError, match=rf"{name}.* {words}"):
        reading.read_labels(tmp_path / name)
    assert (tmp_path / name).exists()


@pytest.mark.parametrize(
    "labelled",
    [
        lambda cells: np.where(cells, cells, 65535),
        lambda cells: cells + 1,
        lambda cells: (cells == 0) * 255,  # an inverted mask
    ],
)
def test_a_background_that_is_a_label_is_refused(parse, labelled):
    labels = labelled(np.pad(grid(40, gap=3), 3)).astype(np.uint16)
    with pytest.raises(UserError, match=r"a\.tif has a label that covers most .* background to 0"):
        parse(lambda path: tifffile.imwrite(path, labels), labels.shape)


def test_a_cell_as_large_as_the_image_is_a_cell(parse):
    labels = np.ones((40, 60), np.uint16)
    labels[:5, :9], labels[30:, 50:] = 2, 0
    assert parse(lambda path: tifffile.imwrite(path, labels), labels.shape) == []
