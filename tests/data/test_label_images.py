"""Data sets of label images: which image each belongs to, and its cells as run lengths."""

import os
import time

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from pycocotools import mask

from cellseg.data import annotation_tables, annotations, label_folder
from cellseg.data import rasterize as labels
from cellseg.data.coco_cells import BBOX
from cellseg.errors import UserError


@pytest.fixture
def parse(tmp_path):
    """Writes images and label images of one cell each, parses; returns image paths by split."""

    def run(images, masks, folders):
        for number, name in enumerate(images):
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((3, 3), number, np.uint8)).save(path)
        for name in masks:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, np.eye(3, dtype=np.uint8))
        described = {
            "images": str(tmp_path / "images"),
            "labels": {split: str(tmp_path / folder) for split, folder in folders.items()},
        }
        annotations.parse(described, tmp_path / "tables")
        found = {}
        for split in folders:
            table = pd.read_parquet(tmp_path / "tables" / f"{split}.images.parquet")
            below = [path.removeprefix(f"{described['images']}/") for path in table["path"]]
            found[split] = dict(zip(table["image"], below, strict=True))
        return found

    return run


def test_label_images(tmp_path):
    painted = np.zeros((6, 7), np.uint16)
    painted[1:3, 1:4] = 9
    painted[4:6, 5:7] = 2
    (tmp_path / "masks").mkdir()
    (tmp_path / "images" / "BV-2").mkdir(parents=True)
    tifffile.imwrite(tmp_path / "masks" / "a.tif", painted)
    np.save(tmp_path / "masks" / "b.npy", np.zeros((6, 7), np.int32))
    for name in ("BV-2/a.png", "b.png"):
        Image.fromarray(np.zeros((6, 7), np.uint8)).save(tmp_path / "images" / name)
    described = {"images": str(tmp_path / "images"), "labels": {"test": str(tmp_path / "masks")}}
    annotations.parse(described, tmp_path / "tables")

    images_table = tmp_path / "tables" / "test.images.parquet"
    table = pd.read_parquet(images_table)
    assert table["image"].tolist() == ["a", "b"]
    assert table["n_cells"].tolist() == [2, 0]
    assert table["cell_type"].tolist() == ["BV2", "cells"]
    cells = pd.read_parquet(tmp_path / "tables" / "test.cells.parquet")
    assert cells["area"].tolist() == [4, 6]
    assert cells.loc[1, list(BBOX)].tolist() == [1, 1, 3, 2]

    first, _ = annotation_tables.segmentations(
        images_table, tmp_path / "tables" / "test.cells.parquet"
    )
    np.testing.assert_array_equal(
        labels.rasterize(first[3], 6, 7), np.select([painted == 2, painted == 9], [1, 2])
    )


def test_equal_names_in_subfolders_go_by_folder(parse):
    images = ["a/1.png", "b/1.png"]
    assert parse(images, ["masks/a/1.tif", "masks/b/1.tif"], {"test": "masks"}) == {
        "test": {"1": "a/1.png", "1~2": "b/1.png"}
    }


def test_equal_names_in_folders_of_the_splits(parse):
    images = ["train/1.png", "val/1.png"]
    folders = {"train": "masks/train", "val": "masks/val"}
    assert parse(images, ["masks/train/1.tif", "masks/val/1.tif"], folders) == {
        "val": {"1": "val/1.png"},
        "train": {"1~1": "train/1.png"},
    }


def test_names_with_points(parse):
    images = ["1.v1.png", "1.v2.png"]
    assert parse(images, ["masks/1.v1.tif", "masks/1.v2.tif"], {"test": "masks"}) == {
        "test": {"1.v1": "1.v1.png", "1.v2": "1.v2.png"}
    }


def test_equal_names_that_folders_cannot_tell_apart(parse):
    with pytest.raises(UserError, match=r"masks/1\.tif' fits more than .* a/1\.png and b/1\.png"):
        parse(["a/1.png", "b/1.png"], ["masks/1.tif"], {"test": "masks"})


def test_label_images_below_the_images(parse):
    found = parse(["raw/1.tif"], ["images/masks/1.tif"], {"test": "images/masks"})
    assert found == {"test": {"1": "raw/1.tif"}}


def test_label_images_beside_the_images(parse):
    assert parse(["1.jpg"], ["images/1.tif"], {"test": "images"}) == {"test": {"1": "1.jpg"}}


def test_images_below_the_label_images(parse):
    assert parse(["1.png"], ["1.tif"], {"test": "."}) == {"test": {"1": "1.png"}}


def test_label_images_of_one_split_below_those_of_another(parse, tmp_path):
    found = parse(
        ["1.png", "2.png"], ["masks/1.tif", "masks/v/2.tif"], {"train": "masks", "val": "masks/v"}
    )
    assert found == {"val": {"2": "2.png"}, "train": {"1": "1.png"}}
    assert pd.read_csv(tmp_path / "tables" / "problems.csv").empty


def test_nothing_but_label_images(parse):
    with pytest.raises(UserError, match="put those into another folder"):
        parse([], ["images/1.tif"], {"test": "images"})


@pytest.mark.parametrize("suffix", ["jpg", "bmp"])
def test_label_images_in_other_formats_are_named(parse, tmp_path, suffix):
    """Not passed over, with the images that they belong to."""
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.eye(3, dtype=np.uint8)).save(tmp_path / f"masks/2.{suffix}")
    with pytest.raises(UserError, match=rf"no label images .* 2\.{suffix} is none: save .* PNG"):
        parse(["1.png", "2.png"], [], {"test": "masks"})
    with pytest.raises(UserError, match=rf"2\.{suffix} lies among the label images .* is none"):
        parse(["1.png", "2.png"], ["masks/1.tif"], {"test": "masks"})
    tifffile.imwrite(tmp_path / "masks/2.tif", np.eye(3, dtype=np.uint8))  # it is a preview
    assert len(parse([], ["masks/1.tif"], {"test": "masks"})["test"]) == 2


def test_images_without_labels_in_a_folder_of_both_are_no_labels(parse):
    found = parse(["train/1.jpg", "train/2.jpg"], ["images/train/1.tif"], {"test": "images/train"})
    assert found == {"test": {"1": "train/1.jpg"}}


def test_states_of_cellpose_next_to_masks_are_left_out(parse, tmp_path):
    (tmp_path / "masks").mkdir()
    np.save(tmp_path / "masks/1_seg.npy", {"masks": np.eye(3)}, allow_pickle=True)
    assert parse(["1.png"], ["masks/1.tif"], {"test": "masks"}) == {"test": {"1": "1.png"}}
    np.save(tmp_path / "masks/2_seg.npy", {"masks": np.eye(3)}, allow_pickle=True)
    with pytest.raises(UserError, match=r"2_seg\.npy holds Python objects, .* Of Cellpose, save"):
        parse(["1.png"], ["masks/1.tif"], {"test": "masks"})


def test_the_layout_of_stardist(parse):
    """Images and masks of a split have a common folder, and equal names in all splits."""
    splits = ("train", "val", "test")
    found = parse(
        [f"{split}/images/{n}.png" for split in splits for n in "01"],
        [f"images/{split}/masks/{n}.tif" for split in splits for n in "01"],
        {split: f"images/{split}/masks" for split in splits},
    )
    for split in splits:
        assert sorted(found[split].values()) == [f"{split}/images/0.png", f"{split}/images/1.png"]


def test_names_that_are_not_utf_8(parse, tmp_path):
    (tmp_path / "masks").mkdir()
    name = os.fsdecode(b"masks/\xff.tif")
    tifffile.imwrite(tmp_path / name, np.eye(3, dtype=np.uint8))
    with pytest.raises(UserError, match=r"the name of .*udcff\.tif is not UTF-8 text. Rename"):
        parse(["1.png"], [], {"test": "masks"})


def test_a_folder_without_label_images(parse, tmp_path):
    (tmp_path / "masks").mkdir()
    with pytest.raises(UserError, match="masks holds no label images"):
        parse(["1.png"], [], {"test": "masks"})


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("X.tif", "X_labels.tif"),
        ("X.png", "X_masks.tif"),
        ("X.jpg", "X_cp_masks.tif"),
        ("X.v1.png", "X.v1_labels.tif"),
        ("a/X.png", "a/X_labels.tif"),
        ("X_labels.png", "X_labels.tif"),  # its whole name goes first
        ("X_cp.png", "X_cp_masks.tif"),
        ("masks.png", "masks.tif"),
    ],
)
def test_names_with_an_ending(parse, image, label):
    stem = image.rpartition("/")[2].rpartition(".")[0]
    images = [image, "other.png"]
    assert parse(images, [f"given/{label}"], {"test": "given"}) == {"test": {stem: image}}


def test_a_name_without_its_ending_is_not_cut_further(parse):
    with pytest.raises(UserError, match="1 of 1 images of the test split are not below"):
        parse(["X.png"], ["given/X.v1_labels.tif"], {"test": "given"})


def test_the_whole_name_goes_before_the_shorter_one(parse):
    images = ["X.png", "X_labels.png"]
    found = parse(images, ["given/X_labels.tif", "given/X.tif"], {"test": "given"})
    assert found == {"test": {"X": "X.png", "X_labels": "X_labels.png"}}


def test_names_that_apply_gives_to_two_images_of_one_stem(parse):
    images = ["X.png", "X.bmp"]
    labels = ["given/X.png_labels.tif", "given/X.bmp_labels.tif"]
    assert set(parse(images, labels, {"test": "given"})["test"].values()) == set(images)


@pytest.mark.parametrize("other", ["X_labels.tif", "X_masks.tif", "X_cp_masks.tif"])
def test_two_label_images_of_one_image_are_refused(parse, other):
    with pytest.raises(UserError) as error:
        parse(["X.png"], ["given/X.tif", f"given/{other}"], {"test": "given"})
    said = str(error.value)
    assert "given: X.tif and " in said and f"{other} are both label images of" in said
    assert said.endswith("X.png. Keep one of them in that folder.")


def test_images_and_label_images_in_one_folder_as_cellpose_leaves_them(parse):
    folders = {"train": "images/t", "val": "images/v"}
    images = ["t/1.tif", "v/2.tif"]
    labels = ["images/t/1_cp_masks.tif", "images/v/2_cp_masks.tif"]
    assert parse(images, labels, folders) == {"train": {"1": "t/1.tif"}, "val": {"2": "v/2.tif"}}


def test_label_images_in_the_folder_of_all_images(parse):
    found = parse(["1.png"], ["images/1_masks.tif"], {"test": "images"})
    assert found == {"test": {"1": "1.png"}}


def test_two_label_images_below_the_images_are_refused(parse):
    labels = ["images/masks/1.tif", "images/masks/1_masks.tif"]
    with pytest.raises(UserError, match=r"1\.tif and 1_masks\.tif are both label images"):
        parse(["raw/1.png"], labels, {"test": "images/masks"})


@pytest.mark.parametrize("largest", [3, np.iinfo(np.int32).max])
def test_run_lengths_are_those_of_pycocotools(largest):
    random = np.random.default_rng(0)
    for shape in [(1, 1), (1, 9), (9, 1), (7, 5)]:
        for _ in range(20):
            image = random.choice([0, 0, 1, 2, largest], shape).astype(np.int32)
            expected = [
                mask.encode(np.asfortranarray(image == value, dtype=np.uint8))
                for value in np.unique(image[image > 0])
            ]
            assert list(label_folder.encode(image)) == expected


def test_time_does_not_grow_with_cells_times_pixels():
    def seconds(side: int) -> float:
        """CPU time for squares of `side` pixels in an image of a million."""
        squares = np.arange((1024 // side) ** 2, dtype=np.int32).reshape(1024 // side, -1)
        image = np.kron(squares, np.ones((side, side), np.int32))
        started = time.process_time()
        assert len(list(label_folder.encode(image))) == squares.max()
        return time.process_time() - started

    assert seconds(side=32) < 30 * seconds(side=512)  # 1023 cells and 3; measured: 4 times


def test_files_that_may_hold_cells_are_not_passed_over_in_silence(parse, tmp_path, capsys):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/2.zip").touch()
    with pytest.raises(UserError, match=r"no label images .* 2\.zip is none: save .* PNG or TIFF"):
        parse(["1.png", "2.png"], [], {"test": "masks"})
    (tmp_path / "masks/1.json").touch()  # of an image that has its label image
    (tmp_path / "masks/notes.txt").touch()
    assert len(parse([], ["masks/1.tif"], {"test": "masks"})["test"]) == 1
    said = capsys.readouterr().out
    assert "masks/2.zip is passed over" in said and "1.json" not in said and "notes" not in said


def test_a_label_image_of_another_name_is_told_how_to_call_it(parse):
    with pytest.raises(UserError, match=r"1_mask\.tif\. A label image is named like its image"):
        parse(["1.png"], ["masks/1_mask.tif"], {"test": "masks"})


def test_links_that_lead_to_themselves_are_no_images(parse, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/2.png").symlink_to("2.png")
    assert parse(["1.png"], ["masks/1.tif"], {"test": "masks"}) == {"test": {"1": "1.png"}}
    (tmp_path / "masks/2.tif").symlink_to("2.tif")
    with pytest.raises(UserError, match=r"2\.tif cannot be opened .*symbolic links"):
        parse([], [], {"test": "masks"})
