"""Outlines to label images: equal to pycocotools, named overlap policies, any number of workers."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask

from cellseg.data import annotations, rasterize_split, sources, true_cells
from cellseg.data import rasterize as labels
from cellseg.errors import UserError

# pycocotools 2.0.11 warns in `decode` on NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SQUARE = [[1.0, 1.0, 4.0, 1.0, 4.0, 4.0, 1.0, 4.0]]
LARGE = [[0.0, 0.0, 6.0, 0.0, 6.0, 6.0, 0.0, 6.0]]


def reference(segmentation, height: int, width: int) -> np.ndarray:
    """The mask by pycocotools alone."""
    rles = mask.frPyObjects(segmentation, height, width)
    return mask.decode(mask.merge(rles) if isinstance(rles, list) else rles).astype(bool)


def test_a_square_by_eye():
    expected = np.zeros((5, 6), np.int32)
    expected[1:4, 1:4] = 1
    painted = labels.rasterize([SQUARE], 5, 6)
    assert painted.dtype == np.int32
    np.testing.assert_array_equal(painted, expected)


def test_no_cells():
    np.testing.assert_array_equal(labels.rasterize([], 3, 4), np.zeros((3, 4)))


def test_equals_pycocotools_on_ragged_polygons():
    random = np.random.default_rng(5)
    for _ in range(50):
        # vertices outside the frame and self-intersections included
        parts = [(random.random(2 * n) * 60 - 10).tolist() for n in random.integers(3, 9, 2)]
        painted = labels.rasterize([parts], 37, 41)
        np.testing.assert_array_equal(painted > 0, reference(parts, 37, 41))


@pytest.mark.parametrize(
    ("overlap", "value"), [("smaller-on-top", 1), ("later", 2), ("earlier", 1)]
)
def test_overlap_small_before_large(overlap, value):
    painted = labels.rasterize([SQUARE, LARGE], 8, 8, overlap)
    assert painted[2, 2] == value
    assert painted[5, 5] == 2


@pytest.mark.parametrize(
    ("overlap", "value"), [("smaller-on-top", 2), ("later", 2), ("earlier", 1)]
)
def test_overlap_large_before_small(overlap, value):
    painted = labels.rasterize([LARGE, SQUARE], 8, 8, overlap)
    assert painted[2, 2] == value
    assert painted[5, 5] == 1


def test_the_later_of_equal_cells_is_on_top():
    assert labels.rasterize([SQUARE, SQUARE], 5, 5)[2, 2] == 2


def test_unknown_overlap_policy():
    with pytest.raises(ValueError, match="smaller-on-top"):
        labels.rasterize([SQUARE], 5, 5, "any")


def test_run_lengths_compressed_or_not():
    square = np.zeros((5, 6), np.uint8, order="F")
    square[1:4, 2:4] = 1
    compressed = mask.encode(square)
    as_text = {"size": [5, 6], "counts": compressed["counts"].decode()}
    plain = {"size": [5, 6], "counts": [11, 3, 2, 3, 11]}  # column by column, background first
    for segmentation in (compressed, as_text, plain):
        np.testing.assert_array_equal(labels.rasterize([segmentation], 5, 6), square)


def test_run_lengths_of_another_size():
    with pytest.raises(ValueError, match="size"):
        labels.rasterize([{"size": [5, 6], "counts": [30]}], 6, 5)


def test_parts_without_area_are_left_out():
    assert labels.rasterize([[[1, 1, 3, 3]]], 5, 5).max() == 0
    np.testing.assert_array_equal(
        labels.rasterize([[[1, 1, 3, 3], *SQUARE]], 5, 5), labels.rasterize([SQUARE], 5, 5)
    )


def test_more_cells_than_pycocotools_measures_at_once():
    cells = [[[x, 0, x + 1, 0, x + 1, 1, x, 1]] for x in range(300)]
    np.testing.assert_array_equal(labels.rasterize(cells, 1, 300)[0], np.arange(1, 301))


def test_real_images_equal_pycocotools(livecell_mini, tmp_path):
    """Every image of the test split, on one process and on two."""
    annotations.parse(sources.official_layout("mini", livecell_mini), tmp_path, "keep")
    tables = (tmp_path / "test.images.parquet", tmp_path / "test.cells.parquet")
    rasterize_split.write(
        *tables, tmp_path / "one.npz", tmp_path / "cells.npz", "later", processes=1
    )
    rasterize_split.write(
        *tables, tmp_path / "two.npz", tmp_path / "more.npz", "later", processes=2
    )
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert (tmp_path / "cells.npz").read_bytes() == (tmp_path / "more.npz").read_bytes()

    published = json.loads(
        (livecell_mini / "annotations/LIVECell/livecell_coco_test.json").read_text()
    )
    with np.load(tmp_path / "one.npz") as painted, np.load(tmp_path / "cells.npz") as drawn:
        assert len(painted.files) == 4
        for image in published["images"]:
            expected = np.zeros((520, 704), np.int32)
            cells = [a for a in published["annotations"] if a["image_id"] == image["id"]]
            for value, cell in enumerate(cells, start=1):
                expected[reference(cell["segmentation"], 520, 704)] = value
            np.testing.assert_array_equal(painted[image["file_name"][:-4]], expected)
            kept = true_cells.read(drawn, image["file_name"][:-4])
            np.testing.assert_array_equal(labels.paint(kept, "later"), expected)
            assert kept.area.tolist() == [cell["area"] for cell in cells]


def test_cells_that_cover_no_pixel_are_told(tmp_path, capsys):
    """As outlines of another scale do: nothing would be learnt of them."""
    Image.new("L", (6, 5)).save(tmp_path / "a.png")
    line = [[1.0, 1.0, 4.0, 1.0, 2.0, 1.0]]

    def write(*outlines):
        cells = [{"id": n, "image_id": 1, "segmentation": one} for n, one in enumerate(outlines)]
        image = {"id": 1, "file_name": "a.png", "height": 5, "width": 6}
        path = tmp_path / "train.json"
        path.write_text(json.dumps({"images": [image], "annotations": cells}))
        annotations.parse({"images": str(tmp_path), "annotations": {"train": str(path)}}, tmp_path)
        tables = (tmp_path / f"train.{name}.parquet" for name in ("images", "cells"))
        rasterize_split.write(*tables, tmp_path / "labels.npz", tmp_path / "cells.npz")

    with pytest.raises(
        UserError, match=r"train\.cells\.parquet: none of the 2 cells covers a pixel"
    ):
        write(line, line)
    assert not (tmp_path / "labels.npz").exists()
    write(line, SQUARE)
    assert "Warning: 1 of 2 cells" in capsys.readouterr().out
    write(SQUARE)
    assert "Warning" not in capsys.readouterr().out
