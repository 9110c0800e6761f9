"""Layouts of public data sets, each read from a few small files."""

import json

import numpy as np
import pandas as pd
import pytest

import layouts_made
from cellseg.data import annotations, convert, layouts
from cellseg.data.kinds import converted
from cellseg.data.splits import SPLITS
from cellseg.errors import UserError

SPLIT = {"val": 0.25, "test": 0.25, "group": None, "seed": 0}


def read(layout, folder):
    source = converted.SOURCES["public"]
    return layouts.read(source.layout({"kind": "public", "layout": layout}), folder)


def cell_pixels(one):
    from pycocotools import mask

    return [mask.area(cell) for cell in one.cells()]


@pytest.mark.parametrize("layout", layouts_made.LAYOUTS)
def test_every_layout_is_read_dealt_and_parsed(layout, tmp_path):
    layouts_made.every(tmp_path / "set", 8)
    described = convert.write("set", read(layout, tmp_path / "set"), SPLIT, tmp_path / "made")
    annotations.parse(described, tmp_path / "annotations")
    tables = [pd.read_parquet(tmp_path / f"annotations/{split}.images.parquet") for split in SPLITS]
    assert all(len(table) for table in tables) and sum(map(len, tables)) == 8
    assert pd.concat(tables)["n_cells"].eq(1 if layout == "evican" else 2).all()


@pytest.mark.parametrize("layout", sorted(set(layouts_made.LAYOUTS) - {"evican"}))
def test_cells_have_their_pixels(layout, tmp_path):
    layouts_made.every(tmp_path, 8)
    for one in read(layout, tmp_path).images:
        assert (one.height, one.width) == layouts_made.SIZE
        assert cell_pixels(one) == [120, 100]


@pytest.mark.parametrize("layout", layouts_made.LAYOUTS)
def test_a_folder_of_something_else_is_refused(layout, tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(UserError, match=str(tmp_path)):
        read(layout, tmp_path)


def test_cellpose_takes_either_name_of_an_image_and_splits_by_folder(tmp_path):
    layouts_made.cellpose(tmp_path / "train", 0)
    layouts_made.cellpose(tmp_path / "train", 1, ending="")
    layouts_made.cellpose(tmp_path / "test", 2)
    found = read("cellpose", tmp_path).images
    assert [(one.image, one.split) for one in found] == [
        ("test/wells_002_img.tif", "test"),
        ("train/wells_000_img.tif", None),
        ("train/wells_001.tif", None),
    ]
    (tmp_path / "train/wells_001.tif").unlink()
    with pytest.raises(UserError, match=r"wells_001_masks.tif has no image next to it"):
        read("cellpose", tmp_path)


def test_cellpose_refuses_what_fits_twice_and_takes_masks_that_it_wrote(tmp_path):
    layouts_made.cellpose(tmp_path, 0, ending="")
    masks = tmp_path / "wells_000_masks.tif"
    masks.rename(tmp_path / "wells_000_cp_masks.tif")
    assert len(read("cellpose", tmp_path).images) == 1
    (tmp_path / "wells_000.png").touch()
    with pytest.raises(
        UserError, match=r"wells_000_cp_masks\.tif may belong to .*\.png and .*\.tif"
    ):
        read("cellpose", tmp_path)
    (tmp_path / "wells_000.png").unlink()
    masks.touch()
    with pytest.raises(UserError, match=r"are both label images of .*wells_000\.tif"):
        read("cellpose", tmp_path)


def test_folders_of_splits_in_other_letter_case(tmp_path):
    layouts_made.stardist(tmp_path / "Train", 0)
    layouts_made.stardist(tmp_path / "Test", 1)
    assert [one.split for one in read("stardist", tmp_path).images] == ["test", None]


def test_stardist_names_a_label_image_without_an_image(tmp_path):
    for number in range(3):
        layouts_made.stardist(tmp_path / "train", number)
    (tmp_path / "train/images/001.tif").unlink()
    with pytest.raises(UserError, match=r"masks/001.tif has no image"):
        read("stardist", tmp_path)


def test_usiigaci_takes_the_picture_that_is_there(tmp_path):
    layouts_made.usiigaci(tmp_path / "train", 0)
    layouts_made.usiigaci(tmp_path / "train", 1, image="phase.png")
    layouts_made.usiigaci(tmp_path / "train", 2, image="feature_0.png")  # no picture
    layouts_made.usiigaci(tmp_path / "val", 3)
    found = read("usiigaci", tmp_path).images
    assert [(one.image, one.split, one.well) for one in found] == [
        ("train/set1/raw.tif", None, "set1"),
        ("train/set2/phase.png", None, "set2"),
        ("val/set4/raw.tif", "val", "set4"),
    ]
    assert {one.cell_type for one in found} == {"T98G"}


def test_frames_that_are_segmented_in_part_are_taken_from_silver_or_passed_over(tmp_path, capsys):
    folder = tmp_path / "PhC-C2DH-U373"
    layouts_made.frame(folder, "01", 0, 0)
    layouts_made.frame(folder, "01", 1, 1, gold=(3,))  # a cell has a marker and no outline
    layouts_made.frame(folder, "01", 2, 2, gold=(3,), silver=True)
    layouts_made.frame(folder, "02", 0, 3, gold=None)
    layouts_made.frame(folder, "02", 1, 4, gold=None, silver=True)
    layouts_made.frame(folder, "02", 2, 5, markers=False)
    found = read("cell-tracking-challenge", folder).images
    names = ["01/t000.tif", "01/t002.tif", "02/t001.tif", "02/t002.tif"]
    assert [one.image for one in found] == names
    assert [one.well for one in found] == ["01", "01", "02", "02"]
    assert {one.cell_type for one in found} == {"PhC-C2DH-U373"}
    assert all(cell_pixels(one) == [120, 100] for one in found)
    assert "4 frames are segmented whole, 2 are not" in capsys.readouterr().out


def test_evican_leaves_out_nuclei_and_knows_its_splits(tmp_path):
    layouts_made.evican(tmp_path, {"train": [0, 1], "val": [2], "eval": [3]})
    found = read("evican", tmp_path).images
    assert [one.split for one in found] == ["test", None, None, "val"]
    assert all(len(one.cells()) == 1 for one in found)
    [outline] = found[0].cells()
    assert np.ptp(outline[0][0::2]) == 12  # the cell's, not the nucleus's


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "EVICAN_val2019/002.jpg").unlink(), "annotates 002.jpg, which"),
        (lambda folder: rename(folder), "no category 'cell', but: Cytoplasm, Nucleus"),
        (lambda folder: spoil(folder, "categories", "cell"), "no category 'cell', but: Nucleus"),
        (lambda folder: spoil(folder, "annotations", 7), "holds '7', which is no annotation"),
        (lambda folder: spoil(folder, "annotations", {"id": 5, "category_id": 1}),
         "annotation 5: its 'image_id' is no number"),
    ],
)  # fmt: skip
def test_evican_names_what_is_missing(change, message, tmp_path):
    layouts_made.evican(tmp_path, {"train": [0, 1], "val": [2, 4], "eval": [3]})
    change(tmp_path)
    with pytest.raises(UserError, match=message):
        read("evican", tmp_path)


def spoil(folder, key, entry):
    """Put something else in place of the first entry of a list."""
    path = folder / "instances_val2019_EVICAN2.json"
    content = json.loads(path.read_text())
    content[key][0] = entry
    path.write_text(json.dumps(content))


def rename(folder):
    path = folder / "instances_val2019_EVICAN2.json"
    content = json.loads(path.read_text())
    content["categories"][0]["name"] = "Cytoplasm"
    path.write_text(json.dumps(content))


def test_binary_masks_are_refused(tmp_path):
    for number in range(3):
        layouts_made.stardist(tmp_path, number)
        labels = np.zeros((40, 48), np.uint8)
        labels[::8, ::8] = 1
        layouts_made.write(tmp_path / f"masks/{number:03}.tif", labels)
    with pytest.raises(UserError):
        read("stardist", tmp_path)
