"""The folder of Kaggle's Sartorius competition: read, dealt to splits, and parsed."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import sartorius_made
from cellseg.data import annotation_tables, annotations, convert, rasterize_split
from cellseg.data.layouts import row_runs, sartorius
from cellseg.data.splits import SPLITS
from cellseg.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SPLIT = {"val": 0.2, "test": 0.2, "group": None, "seed": 0}


@pytest.fixture
def folder(tmp_path):
    sartorius_made.write(tmp_path / "kaggle")
    return tmp_path / "kaggle"


def masks(found):
    from pycocotools import mask

    return {one.image: [mask.decode(cell) for cell in one.cells()] for one in found.images}


def change(folder, line, **values):
    """Rewrite a line of train.csv, counted as editors do."""
    table = pd.read_csv(folder / "train.csv", dtype=str)
    table.loc[line - 2, list(values)] = list(values.values())
    table.to_csv(folder / "train.csv", index=False)


def test_pixels_of_a_mask_made_by_hand_lie_along_the_rows_from_1(folder):
    by_hand = masks(sartorius.read(folder))["000000000000.png"][-1]
    assert by_hand.shape == (sartorius_made.HEIGHT, sartorius_made.WIDTH)
    assert [tuple(at) for at in np.argwhere(by_hand).tolist()] == sartorius_made.PIXELS


def test_all_masks_are_kept_as_they_are_though_they_overlap(folder):
    rows = pd.read_csv(folder / "train.csv")
    found = masks(sartorius.read(folder))
    assert sum(map(len, found.values())) == len(rows)
    pixels = sartorius_made.HEIGHT * sartorius_made.WIDTH
    expected = rows["annotation"].map(lambda text: sum(map(int, text.split()[1::2])))
    assert sum(int(one.sum()) for cells in found.values() for one in cells) == expected.sum()
    assert any((sum(cells) > 1).any() for cells in found.values()) and pixels > 0


def test_cell_types_and_samples_reach_the_tables(folder, tmp_path):
    described = convert.write("kaggle", sartorius.read(folder), SPLIT, tmp_path / "made")
    annotations.parse(described, tmp_path / "annotations")
    tables = {
        split: pd.read_parquet(tmp_path / f"annotations/{split}.images.parquet") for split in SPLITS
    }
    everything = pd.concat(tables.values())
    assert sorted(everything["cell_type"].unique()) == ["SHSY5Y", "astro", "cort"]
    assert everything["well"].str.contains("Vessel-714").all()
    assert {split: len(table) for split, table in tables.items()} == {
        "train": 12, "val": 3, "test": 3
    }  # fmt: skip
    assert all(
        (table["cell_type"].value_counts() == len(table) / 3).all() for table in tables.values()
    )


def test_label_images_hold_the_mask_made_by_hand(folder, tmp_path):
    described = convert.write("kaggle", sartorius.read(folder), SPLIT, tmp_path / "made")
    annotations.parse(described, tmp_path / "annotations")
    for split in SPLITS:
        tables = [tmp_path / f"annotations/{split}.{kind}.parquet" for kind in ("images", "cells")]
        outputs = [tmp_path / f"{split}{end}" for end in (".npz", ".cells.npz")]
        rasterize_split.write(*tables, *outputs)
        for image, _, _, cells, areas in annotation_tables.segmentations(*tables):
            if image == "000000000000":
                assert len(cells) == 4 and areas[-1] == len(sartorius_made.PIXELS)
                painted = np.load(outputs[0])[image]
                at = tuple(np.transpose(sartorius_made.PIXELS))
                assert set(painted[at]) == {4}  # the smallest cell is on top
                return
    pytest.fail("the image is in no split")


@pytest.mark.parametrize("suffix", [".gz", ".zip"])
def test_a_packed_table_is_read_as_it_comes(folder, suffix):
    expected = [one.image for one in sartorius.read(folder).images]
    sartorius_made.pack_table(folder, suffix)
    assert [one.image for one in sartorius.read(folder).images] == expected


OF_SPREADSHEETS = [
    lambda text: "\ufeff" + text,
    lambda text: text.replace(",", ";"),
    lambda text: text.replace("\r\n", "\n\n"),
]


@pytest.mark.parametrize("change", OF_SPREADSHEETS)
def test_a_table_that_a_spreadsheet_wrote_is_read_too(folder, change):
    expected = [(one.image, one.cell_type) for one in sartorius.read(folder).images]
    path = folder / "train.csv"
    path.write_bytes(change(path.read_bytes().decode()).encode())
    assert [(one.image, one.cell_type) for one in sartorius.read(folder).images] == expected


def test_the_whole_archive_is_unpacked_but_for_livecell(folder, tmp_path):
    sartorius_made.pack(folder, tmp_path / "kaggle.zip")
    place = convert.folder_of(tmp_path / "kaggle.zip", tmp_path / "unpacked")
    assert len(sartorius.read(place).images) == 18
    assert not (place / "LIVECell_dataset_2021").exists()


def test_a_folder_without_test_images_or_samples_is_read(folder):
    (folder / "test/7ae19de7bc2a.png").unlink()
    (folder / "test").rmdir()
    rows = pd.read_csv(folder / "train.csv", dtype=str).drop(columns="sample_id")
    rows.to_csv(folder / "train.csv", index=False)
    found = sartorius.read(folder)
    assert len(found.images) == 18 and {one.well for one in found.images} == {None}


# --- odd files


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"annotation": "3 2 7"}, r"line 3: the annotation has 3 numbers"),
        ({"annotation": "0 2"}, r"line 3: the run '0 2' is not inside.*1 to 12288"),
        ({"annotation": "5 1 12288 2"}, r"line 3: the run '12288 2' is not inside"),
        ({"annotation": "5 0"}, r"the run '5 0' is not inside"),
        ({"annotation": f"1 {10**30}"}, r"the run '1 10{30}' is not inside"),
        ({"annotation": "5 x"}, r"line 3: 'x' in the annotation is no whole number"),
        ({"annotation": "-5 3"}, r"'-5' in the annotation is no whole number"),
        ({"annotation": ""}, r"line 3: the annotation is empty"),
        ({"width": "129"}, r"000000000000 has more than one width: 128 and 129 \(line 3\)"),
        ({"cell_type": "cort"}, r"more than one cell_type"),
        ({"cell_type": ""}, r"line 3: the cell_type is empty"),
        ({"id": "absent"}, r"train/absent.png, which does not exist"),
        ({"id": "../x"}, r"'../x' is no name of an image"),
    ],
)
def test_an_odd_line_is_refused_by_its_number(folder, values, message):
    change(folder, 3, **values)
    with pytest.raises(UserError, match=message):
        sartorius.read(folder)


def test_an_image_of_another_size_or_format_is_refused(folder):
    image = folder / "train/000000000000.png"
    cv2.imwrite(str(image), np.zeros((90, 128), np.uint8))
    with pytest.raises(UserError, match=r"0{12}.png is 90 pixels high and 128 wide, but .*96 high"):
        sartorius.read(folder)
    image.write_bytes(b"GIF89a")
    with pytest.raises(UserError, match="is no PNG image"):
        sartorius.read(folder)


def test_a_missing_table_folder_or_column_is_named(folder, tmp_path):
    with pytest.raises(UserError, match=rf"no train.csv.*It is in {folder}"):
        sartorius.read(tmp_path)
    rows = pd.read_csv(folder / "train.csv", dtype=str)
    rows.drop(columns=["height", "cell_type"]).to_csv(folder / "train.csv", index=False)
    with pytest.raises(UserError, match="lacks the column height, cell_type"):
        sartorius.read(folder)
    rows.head(0).to_csv(folder / "train.csv", index=False)
    with pytest.raises(UserError, match="has no rows"):
        sartorius.read(folder)
    rows.to_csv(folder / "train.csv", index=False)
    (folder / "train").rename(folder / "elsewhere")
    with pytest.raises(UserError, match="no folder 'train'"):
        sartorius.read(folder)


@pytest.mark.parametrize("name", ["train.csv.gz", "train.csv.zip"])
def test_a_broken_packed_table_is_refused(folder, name):
    sartorius_made.pack_table(folder, Path(name).suffix)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=f"{name} is no CSV table"):
        sartorius.read(folder)


def test_a_path_that_is_no_folder_and_no_archive_is_refused(folder, tmp_path):
    for path in (tmp_path / "absent", folder / "train.csv"):
        with pytest.raises(UserError, match="Name the folder of the data set, or the archive"):
            convert.folder_of(path, tmp_path / "unpacked")


def test_a_failed_conversion_leaves_no_half_written_file(folder, tmp_path):
    found = sartorius.read(folder)
    convert.write("kaggle", found, SPLIT, tmp_path / "made")
    before = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    assert {"train.json", "val.json", "test.json"} == set(before)
    assert all(json.loads(content)["images"] for content in before.values())
    with pytest.raises(UserError, match="dataset 'kaggle': there are too few images"):
        convert.write("kaggle", type(found)(found.root, found.images[:2]), SPLIT, tmp_path / "made")
    assert {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()} == before


# --- run lengths


@pytest.mark.parametrize("seed", range(5))
def test_what_is_written_is_read_again(seed):
    inside = np.random.default_rng(seed).random((7, 11)) > 0.5
    runs = row_runs.parse(row_runs.write(inside), inside.size, "here")
    assert np.array_equal(row_runs.mask(runs, *inside.shape), inside)
    assert row_runs.write(np.zeros((3, 4), bool)) == ""


def test_runs_that_overlap_or_are_not_in_order_cover_their_pixels_once():
    runs = row_runs.parse("6 3 1 2 7 4", 12, "here")
    assert row_runs.mask(runs, 3, 4).ravel().tolist() == [1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0]
