"""Annotation tables: every form of COCO, both duplicate policies, and all that can be wrong."""

import hashlib
import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cellseg.data import annotation_tables, annotations, coco, livecell_names, rasterize
from cellseg.data.coco_cells import BBOX
from cellseg.errors import UserError

TRIANGLE = [1.0, 1.0, 5.0, 1.0, 5.0, 5.0]
NAME = "A172_Phase_C7_1_02d16h00m_2"


def image(image_id: int, name: str = NAME) -> dict:
    return {"id": image_id, "file_name": f"{name}.tif", "height": 8, "width": 10}


def cell(annotation_id: int, image_id: int, segmentation=None, **other) -> dict:
    segmentation = [TRIANGLE] if segmentation is None else segmentation
    common = {"area": 8.0, "bbox": [1.0, 1.0, 4.0, 4.0], "iscrowd": 0}
    ids = {"id": annotation_id, "image_id": image_id}
    return {**ids, "segmentation": segmentation, **common, **other}


@pytest.fixture
def parse(tmp_path):
    """Writes the JSON of each split, parses them, returns tables by name such as train.cells."""

    def run(
        duplicates="drop", splits=None, missing_images=None, files=None, crowds=None, **contents
    ):
        root = tmp_path / "images"
        (root / "A172").mkdir(parents=True, exist_ok=True)
        if files is None:
            files = [i["file_name"] for content in contents.values() for i in content["images"]]
        for number, name in enumerate(files):
            (root / "A172" / name).parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((8, 10), number, np.uint8)).save(root / "A172" / name)
        described = {"images": str(root), "annotations": {}}
        if missing_images:
            described["missing_images"] = missing_images
        if crowds:
            described["crowds"] = crowds
        for split, content in contents.items():
            path = tmp_path / f"{split}.json"
            path.write_text(json.dumps(content))
            described["annotations"][split] = str(path)
        annotations.parse(described, tmp_path / "tables", duplicates)
        tables = {
            f"{split}.{kind}": pd.read_parquet(tmp_path / "tables" / f"{split}.{kind}.parquet")
            for split in ("train", "val", "test")
            for kind in ("images", "cells")
        }
        tables["problems"] = pd.read_csv(tmp_path / "tables" / "problems.csv")
        return tables

    return run


def test_columns(parse):
    tables = parse(train={"images": [image(7)], "annotations": [cell(3, 7)]})
    (row,) = tables["train.images"].to_dict("records")
    path = row.pop("path")
    assert path.endswith(f"images/A172/{NAME}.tif")
    assert row.pop("sha256") == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert np.isnan([row.pop("channel"), row.pop("page")]).all()
    assert row == {
        "image": NAME,
        "image_id": 7,
        "split": "train",
        "order": 0,
        "cell_type": "A172",
        "well": "C7",
        "position": 1,
        "hours": 64.0,
        "crop": 2,
        "height": 8,
        "width": 10,
        "n_cells": 1,
        "incomplete": False,
    }
    (row,) = tables["train.cells"].to_dict("records")
    assert [part.tolist() for part in row.pop("polygons")] == [TRIANGLE]
    assert row == {
        "image": NAME,
        "image_id": 7,
        "annotation_id": 3,
        "cell_type": "A172",
        "area": 8.0,
        "bbox_x": 1.0,
        "bbox_y": 1.0,
        "bbox_width": 4.0,
        "bbox_height": 4.0,
        "rle": None,
    }
    assert tables["problems"].empty


def test_splits_that_a_data_set_lacks_are_empty_tables_of_the_same_columns(parse):
    tables = parse(train={"images": [image(7)], "annotations": [cell(3, 7)]})
    for kind in ("images", "cells"):
        assert tables[f"val.{kind}"].empty
        assert list(tables[f"val.{kind}"]) == list(tables[f"train.{kind}"])


def test_cells_are_grouped_by_image_in_file_order(parse):
    first, second = image(1, "b"), image(2, "a")
    cells = [cell(10, 2), cell(11, 1), cell(12, 2), cell(13, 1)]
    tables = parse(train={"images": [first, second], "annotations": cells})
    assert tables["train.images"]["image"].tolist() == ["b", "a"]
    assert tables["train.cells"]["annotation_id"].tolist() == [11, 13, 10, 12]


def test_annotations_before_images(parse):
    tables = parse(train={"annotations": [cell(3, 7)], "images": [image(7)]})
    assert len(tables["train.cells"]) == 1


def test_annotations_as_a_dict_keyed_by_id(parse):
    without_id = cell(0, 7)
    del without_id["id"]
    content = {"images": [image(7)], "annotations": {"3": cell(3, 7), "5": without_id}}
    assert parse(train=content)["train.cells"]["annotation_id"].tolist() == [3, 5]


def test_images_as_a_dict_keyed_by_id(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": {"7": image(7), "8": image(8)}, "annotations": []}))
    assert [found["id"] for found in coco.read_images(path)] == [7, 8]


def test_several_parts_and_run_lengths(parse, tmp_path):
    runs = [8 * 3, 2, 6, 2, 80 - 8 * 3 - 10]
    second_part = [6, 5, 9, 5, 9, 7, 6, 7]
    cells = [
        cell(1, 7, [TRIANGLE, second_part]),
        cell(2, 7, {"size": [8, 10], "counts": runs}, area=None, bbox=None),
        cell(3, 7),
    ]
    tables = parse(train={"images": [image(7)], "annotations": cells})["train.cells"]
    assert [len(parts) for parts in tables["polygons"].dropna()] == [2, 1]
    assert tables["rle"].notna().tolist() == [False, True, False]
    assert tables.loc[1, ["area", "bbox_x", "bbox_y", "bbox_width"]].tolist() == [4, 3, 0, 2]

    folder = tmp_path / "tables"
    ((key, height, width, read, _),) = annotation_tables.segmentations(
        folder / "train.images.parquet", folder / "train.cells.parquet"
    )
    assert (key, height, width) == (NAME, 8, 10)
    assert read[0] == [TRIANGLE, second_part]
    expected = np.zeros((8, 10), np.int32)
    expected[0:2, 3:5] = 1
    np.testing.assert_array_equal(rasterize.rasterize([read[1]], 8, 10), expected)


def test_area_and_box_are_computed_where_they_lack(parse):
    bare = {"id": 1, "image_id": 7, "segmentation": [TRIANGLE]}
    row = parse(train={"images": [image(7)], "annotations": [bare]})["train.cells"].loc[0]
    assert row["area"] == 8
    assert row[list(BBOX)].tolist() == [1, 1, 4, 4]


def test_published_values_are_not_touched(parse):
    cells = [cell(1, 7, area=123.456789012345, bbox=[1.1, 2.2, 3.3, 4.4])]
    row = parse(train={"images": [image(7)], "annotations": cells})["train.cells"].loc[0]
    assert row["area"] == 123.456789012345
    assert row[list(BBOX)].tolist() == [1.1, 2.2, 3.3, 4.4]


# One image is listed three times in train (ids 5, 4, 6 with 1, 2, 2 cells); "shared" is listed in
# all splits, under the same image id in two of them.
TRAIN = {
    "images": [image(5), image(4), image(6), image(8, "shared")],
    "annotations": [cell(1, 5), cell(2, 4), cell(3, 4), cell(4, 6), cell(5, 6), cell(6, 8)],
}
VAL = {
    "images": [image(8, "shared"), image(2, "val")],
    "annotations": [cell(1, 8), cell(2, 2)],
}
TEST = {"images": [image(9, "shared")], "annotations": [cell(1, 9)]}


def test_deduplicated(parse):
    tables = parse(train=TRAIN, val=VAL, test=TEST)
    train = tables["train.images"]
    assert train[["image", "image_id", "order"]].values.tolist() == [[NAME, 4, 1]]
    assert tables["train.cells"]["annotation_id"].tolist() == [2, 3]
    assert tables["val.images"]["image"].tolist() == ["val"]
    assert tables["val.cells"]["annotation_id"].tolist() == [2]
    assert tables["test.images"]["image"].tolist() == ["shared"]

    problems = tables["problems"]
    twice = problems[problems["problem"] == "listed twice in a split"]
    assert twice[["image_id", "cells", "action"]].values.tolist() == [
        [4, 2, "kept"],
        [5, 1, "dropped"],
        [6, 2, "dropped"],
    ]
    several = problems[problems["problem"] == "listed in several splits"]
    assert several[["split", "action"]].values.tolist() == [
        ["train", "dropped"],
        ["val", "dropped"],
    ]


def test_as_published(parse):
    tables = parse("keep", train=TRAIN, val=VAL, test=TEST)
    assert tables["test.images"]["image"].tolist() == ["shared"]
    assert tables["val.images"]["image"].tolist() == ["shared~8", "val"]
    train = [NAME, f"{NAME}~4", f"{NAME}~6", "shared~8~train"]
    assert tables["train.images"]["image"].tolist() == train
    assert tables["train.images"]["n_cells"].tolist() == [1, 2, 2, 1]
    assert tables["train.cells"]["image"].tolist() == (
        [NAME] + [f"{NAME}~4"] * 2 + [f"{NAME}~6"] * 2 + ["shared~8~train"]
    )
    assert set(tables["problems"]["action"]) == {"kept"}


@pytest.mark.parametrize("duplicates", annotations.DUPLICATES)
def test_keys_are_unique_over_all_splits(parse, duplicates):
    """Training pools the tiles of train and val and selects them by key."""
    train = [image(1, "train/001"), image(2, "train/001~1")]
    tables = parse(
        duplicates,
        train={"images": train, "annotations": [cell(1, 1), cell(2, 2)]},
        val={"images": [image(1, "val/001")], "annotations": [cell(1, 1)]},
        test={"images": [image(7, "test/001")], "annotations": [cell(1, 7)]},
    )
    keys = [tables[f"{split}.images"]["image"].tolist() for split in ("test", "val", "train")]
    assert keys == [["001"], ["001~1"], ["001~1~train", "001~1~2"]]
    assert tables["train.cells"]["image"].tolist() == keys[2]
    assert tables["train.images"]["path"].str.endswith("train/001.tif").tolist() == [True, False]
    assert tables["problems"].empty  # files of one name in several folders are no duplicates


def test_no_key_is_the_name_of_a_file_in_an_npz(parse):
    """Of two arrays 'a' and 'a.npy', NumPy gives the first for both names."""
    names = ["a.tif", "a.npy.tif"]
    listed = [{**image(number), "file_name": name} for number, name in enumerate(names, 1)]
    tables = parse(train={"images": listed, "annotations": [cell(1, 1)]})
    assert tables["train.images"]["image"].tolist() == ["a", "a.npy~2"]


def test_links_to_one_file_are_duplicates(parse, tmp_path):
    (tmp_path / "images" / "A172").mkdir(parents=True)
    (tmp_path / "images" / "A172" / "link.tif").symlink_to("val.tif")
    tables = parse(
        train={"images": [image(1, "link"), image(2, "own")], "annotations": [cell(1, 2)]},
        val={"images": [image(1, "val")], "annotations": []},
        files=["val.tif", "own.tif"],
    )
    assert tables["train.images"]["image"].tolist() == ["own"]


def test_copies_of_an_image_in_another_split_are_listed(parse, tmp_path, capsys):
    """Under another name; the network would be scored on what it has seen."""
    content = {"images": [image(1, "a"), image(2, "b")], "annotations": [cell(1, 1)]}
    parse(train=content)
    shutil.copy(tmp_path / "images/A172/b.tif", tmp_path / "images/A172/c.tif")
    test = {"images": [image(1, "c")], "annotations": [cell(1, 1)]}
    problems = parse(train=content, test=test, files=[])["problems"]
    listed = problems.loc[problems["problem"] == "copy of an image of another split"]
    assert listed[["split", "image", "action"]].values.tolist() == [["train", "b", "kept"]]
    assert "b.tif is a copy of images of another split" in capsys.readouterr().out


EMPTY = {"images": [], "annotations": []}


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (
            {"val": TEST, "test": TEST},
            r"the val split would be empty: .*val\.json lists only images that are in the test "
            r"split too, and 'duplicates: drop'",
        ),
        (
            {"train": TEST, "val": EMPTY, "test": TEST},
            r"the val split would be empty: .*val\.json lists no images",
        ),
        (
            {"train": {"images": [image(1, "gone")], "annotations": []}},
            r"the train split would be empty: .*train\.json lists 1 images, but none",
        ),
    ],
)
def test_a_split_without_images_is_refused(parse, contents, message):
    with pytest.raises(UserError, match=message):
        parse(missing_images="drop", files=["shared.tif"], **contents)


BOX = cell(1, 5, [])
CROWD = cell(2, 5, iscrowd=1)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (
            {"train": {"images": [image(5)], "annotations": [BOX, BOX, CROWD]}},
            r"the train split would have no cells. .*train\.json can be used:\n- 1 regions of many "
            r"cells \('iscrowd: 1'\).*\n- 2 without an outline .* a box is none",
        ),
        (
            {"val": {"images": [image(5), image(6, "b")], "annotations": [cell(1, 5)]},
             "test": {"images": [image(5)], "annotations": []}},
            r"the val split would have no cells. .*\n- 1 on images that are dropped: "
            "see 'duplicates'",
        ),
        (
            {"val": {"images": [image(5)], "annotations": [BOX, cell(2, 6)]}},
            r"the val split would have no cells. .*\n- 1 of images that it does not list",
        ),
    ],
)  # fmt: skip
def test_a_split_whose_annotations_give_no_cells_is_refused(parse, contents, message):
    with pytest.raises(UserError, match=message):
        parse(**contents)


def test_a_split_may_have_no_annotations(parse):
    tables = parse(train={"images": [image(7)], "annotations": []})
    assert tables["train.images"]["n_cells"].tolist() == [0]


def test_unknown_policy(parse):
    with pytest.raises(UserError, match="drop, keep"):
        parse("any", train=TRAIN)


def test_what_is_wrong_is_counted_and_never_fatal(parse):
    cells = [
        cell(1, 7, [[1, 1, 2, 2]]),  # two points
        cell(2, 7, []),
        cell(3, 7, [TRIANGLE, [1, 1, 2, 2]]),
        cell(4, 7, [[-3, 1, 5, 1, 5, 5]]),
        cell(5, 7, [[20, 1, 25, 1, 25, 5]]),
        cell(6, 99),
        cell(7, 7, TRIANGLE),  # not in a list of parts
        cell(8, 7, [[1, 1, 2, 2, 3]]),  # half a point
    ]
    content = {"images": [image(7), image(8, "empty")], "annotations": cells}
    tables = parse(train=content)
    assert tables["train.cells"]["annotation_id"].tolist() == [3, 4, 5, 7]
    assert tables["train.images"]["n_cells"].tolist() == [4, 0]
    found = tables["problems"].fillna("")[["problem", "image", "cells", "action"]].values.tolist()
    assert found == [
        ["cell of an unlisted image", "", 1, "dropped"],
        ["outline without area", NAME, 3, "dropped"],
        ["outline with a part without area", NAME, 1, "part dropped"],
        ["outline apart from its box", NAME, 1, "kept"],
        ["cell partly outside the frame", NAME, 1, "kept"],
        ["cell outside the frame", NAME, 1, "kept"],
        ["image without cells", "empty", 0, "kept"],
    ]


def test_most_outlines_apart_from_their_boxes_are_told(parse, capsys):
    far = [cell(number, 7, bbox=[6.0, 4.0, 3.0, 3.0]) for number in (1, 2)]
    problems = parse(train={"images": [image(7)], "annotations": [*far, cell(3, 7)]})["problems"]
    assert problems[["problem", "cells"]].values.tolist() == [["outline apart from its box", 2]]
    assert "Warning: train: 2 of 3 outlines" in capsys.readouterr().out
    parse(train={"images": [image(7)], "annotations": [far[0], cell(3, 7)]})
    assert "Warning" not in capsys.readouterr().out


def test_crowd_regions_are_no_cells(parse):
    runs = {"size": [8, 10], "counts": [0, 80]}
    cells = [cell(1, 7), cell(2, 7, runs, iscrowd=1), cell(3, 7, iscrowd=1)]
    tables = parse(train={"images": [image(7)], "annotations": cells})
    assert tables["train.cells"]["annotation_id"].tolist() == [1]
    assert tables["train.images"]["n_cells"].tolist() == [1]
    assert tables["problems"].values.tolist() == [["train", "crowd region", NAME, 7, 2, "dropped"]]


def test_an_image_of_crowd_regions_alone_is_no_empty_image(parse, capsys):
    """CVAT marks every painted mask as a crowd: they would be learnt as background."""
    cells = [cell(1, 7), cell(2, 8, iscrowd=1), cell(3, 8, iscrowd=1)]
    content = {"images": [image(7), image(8, "painted")], "annotations": cells}
    remedy = r"train\.json: all annotations of 1 of 2 train images .* painted.* 'crowds: as-cells'"
    with pytest.raises(UserError, match=remedy):
        parse(train=content)
    assert "Warning: train: 2 of 3 annotations" in capsys.readouterr().out

    tables = parse(train=content, crowds="as-cells")
    assert tables["train.cells"]["annotation_id"].tolist() == [1, 2, 3]
    assert tables["problems"].empty and "Warning" not in capsys.readouterr().out

    tables = parse(train=content, crowds="drop")
    assert tables["train.images"]["image"].tolist() == [NAME]
    dropped = tables["problems"][tables["problems"]["action"] == "image dropped"]
    assert dropped[["problem", "image"]].values.tolist() == [
        ["all annotations are crowd regions", "painted"]
    ]


def test_an_image_whose_annotations_lack_outlines_is_no_empty_image(parse, capsys):
    content = {
        "images": [image(7), image(8, "boxes"), image(9, "bare")],
        "annotations": [cell(1, 7), cell(2, 8, [])],
    }
    tables = parse(train=content)
    assert tables["train.images"]["image"].tolist() == [NAME, "bare"]
    assert "1 images are left out: all annotations lack an outline" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("listed", "file"),
    [
        ("images\\a.tif", "a.tif"),
        ("..\\..\\media\\upload\\4\\a.tif", "a.tif"),
        ("C:\\data\\sub\\a.tif", "sub/a.tif"),
        ("my%20cells%2B1.tif", "my cells+1.tif"),
        (unicodedata.normalize("NFC", "Zähler.tif"), unicodedata.normalize("NFD", "Zähler.tif")),
        (unicodedata.normalize("NFD", "Zähler.tif"), unicodedata.normalize("NFC", "Zähler.tif")),
        ("CELLS_1.TIF", "cells_1.tif"),
    ],
)
def test_names_as_other_programs_write_them(parse, listed, file):
    content = {"images": [{**image(1), "file_name": listed}], "annotations": [cell(1, 1)]}
    tables = parse(train=content, files=[file, "other.tif"])
    assert tables["train.images"]["path"].str.endswith(f"A172/{file}").all()


def test_a_name_as_it_is_goes_before_other_spellings(parse):
    names = ["a%20b.tif", "a b.tif", "A B.tif"]
    listed = [{**image(number), "file_name": name} for number, name in enumerate(names, 1)]
    tables = parse(train={"images": listed, "annotations": [cell(1, 1)]}, files=names)
    assert [Path(path).name for path in tables["train.images"]["path"]] == names

    one = {"images": [{**image(1), "file_name": "a B.tif"}], "annotations": [cell(1, 1)]}
    with pytest.raises(UserError, match="fits more than one image"):
        parse(train=one, files=[])


def test_cells_of_several_categories_are_kept_and_counted(parse):
    one_less_frequent = [cell(1, 7, category_id=2), cell(2, 7, category_id=2)]
    cells = [*one_less_frequent, *(cell(n, 7 + n % 2, category_id=1) for n in range(3, 9))]
    tables = parse(train={"images": [image(7), image(8, "b")], "annotations": cells})
    assert len(tables["train.cells"]) == 8
    problem = "cell of another category than most"
    assert tables["problems"].values.tolist() == [["train", problem, NAME, 7, 2, "kept"]]


def test_incomplete_images_are_marked(parse):
    known = image(7, "A172_Phase_D7_1_01d20h00m_1")
    tables = parse(train={"images": [known], "annotations": [cell(1, 7)]})
    assert tables["train.images"]["incomplete"].tolist() == [True]
    assert tables["problems"]["problem"].tolist() == ["known to be incomplete"]


def test_missing_images(parse):
    content = {
        "images": [image(1, "here"), image(2, "gone")],
        "annotations": [cell(1, 1), cell(2, 2)],
    }
    with pytest.raises(UserError, match=r"1 of 2 images of the train split .* gone\.tif"):
        parse(train=content, files=["here.tif"])
    tables = parse(train=content, files=["here.tif"], missing_images="drop")
    assert tables["train.images"]["image"].tolist() == ["here"]
    assert tables["train.cells"]["image"].tolist() == ["here"]
    assert tables["problems"]["problem"].tolist() == ["missing image file"]


def test_image_of_another_format(parse):
    tables = parse(
        train={"images": [image(1, "a")], "annotations": [cell(1, 1)]}, files=["a.png", "._a.tif"]
    )
    assert tables["train.images"]["path"].str.endswith("A172/a.png").all()


def test_names_with_points_but_without_suffix(parse):
    listed = [{**image(1), "file_name": "a.v1"}, {**image(2), "file_name": "a.v2"}]
    content = {"images": listed, "annotations": [cell(1, 1)]}
    tables = parse(train=content, files=["a.v1.png", "a.v2.png"])
    assert tables["train.images"]["image"].tolist() == ["a.v1", "a.v2"]


def test_image_that_is_there_twice(parse):
    content = {"images": [image(1, "a")], "annotations": [cell(1, 1)]}
    with pytest.raises(UserError, match=r"fits more than one image .* A172/a\.jpg and A172/a\.png"):
        parse(train=content, files=["a.png", "a.jpg"])


@pytest.mark.parametrize("keep", [0.2, 0.7, 0.99])
def test_truncated_json(tmp_path, parse, keep):
    text = json.dumps({"images": [image(1)], "annotations": [cell(n, 1) for n in range(40)]})
    path = tmp_path / "broken.json"
    path.write_text(text[: int(len(text) * keep)])
    (tmp_path / f"{NAME}.tif").touch()
    described = {"images": str(tmp_path), "annotations": {"train": str(path)}}
    with pytest.raises(UserError, match=r"broken\.json is not valid JSON .* ends too early"):
        annotations.parse(described, tmp_path / "tables")
    assert not (tmp_path / "tables" / "train.cells.parquet").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"annotations": []}, "no list 'images'"),
        ({"images": [image(1)]}, "no 'annotations'"),
        ({"images": [{"id": 1, "file_name": "a"}], "annotations": []}, "has no 'height'"),
        ({"images": [image(1), image(1)], "annotations": []}, "image id 1 occurs twice"),
        (
            {"images": [image(None)], "annotations": []},
            r"train\.json: the image id None is no whole",
        ),
        ({"images": [image(1.5)], "annotations": []}, r"id 1\.5 is no whole number .* Number the"),
        ({"images": [[1]], "annotations": []}, "describes no image"),
        ({"images": [{**image(1), "height": "8"}], "annotations": []}, "no number of pixels"),
        ({"images": [{**image(1), "file_name": ""}], "annotations": []}, "names no file"),
        ({"images": [image(1)], "annotations": [cell(1, "A7")]}, "the first 'image_id' is 'A7'"),
        ({"images": [image(1)], "annotations": [[]]}, "holds '\\[\\]', which is no annotation"),
        (
            {"images": [image(1)], "annotations": [cell(1, 1, [["x"] * 6])]},
            "annotation 1: .* no number",
        ),
        (
            {"images": [image(1)], "annotations": [cell(5, 1, {"size": [9, 9], "counts": [81]})]},
            "annotation 5: its run-length encoding is broken",
        ),
        (
            {"images": [image(1)], "annotations": [cell(5, 1, {"size": [8, 10], "counts": [9]})]},
            r"annotation 5: its run-length encoding .*: its counts add up to 9, .* 80 pixels",
        ),
    ],
)
def test_files_that_are_no_coco(parse, content, message):
    with pytest.raises(UserError, match=message):
        parse(train=content, files=[f"{NAME}.tif"])


@pytest.mark.parametrize(
    ("stem", "parent", "expected"),
    [
        ("SKOV3_Phase_A1_1_00d00h00m_1", "", "SKOV3"),
        ("shsy5y_Phase_A1_1_00d00h00m_1", "other", "SHSY5Y"),
        ("0030fd0e6378", "sk-br-3", "SkBr3"),
        ("0030fd0e6378", "neurons", "neurons"),
        ("0030fd0e6378", "train", "cells"),
        ("0030fd0e6378", "livecell_test_images", "cells"),
        ("0030fd0e6378", "", "cells"),
    ],
)
def test_cell_type(tmp_path, stem, parent, expected):
    assert livecell_names.cell_type(tmp_path / parent / f"{stem}.tif", tmp_path) == expected


def test_names_of_another_form_have_no_parts():
    assert livecell_names.parts("0030fd0e6378") == dict.fromkeys(livecell_names.PARTS)


def test_tables_of_different_parses_do_not_mix(parse, tmp_path):
    parse(train={"images": [image(7)], "annotations": [cell(1, 7)]})
    (tmp_path / "tables" / "train.cells.parquet").rename(tmp_path / "old.parquet")
    parse(train={"images": [image(7, "other")], "annotations": [cell(1, 7)]})
    with pytest.raises(UserError, match="does not belong"):
        list(
            annotation_tables.segmentations(
                tmp_path / "tables" / "train.images.parquet", tmp_path / "old.parquet"
            )
        )


def test_a_missing_image_in_a_format_that_is_not_read_is_named(parse, tmp_path):
    content = {"images": [image(1), image(2, "gone")], "annotations": [cell(1, 1)]}
    (tmp_path / "images").mkdir()
    (tmp_path / "images/gone.czi").touch()
    with pytest.raises(UserError, match=r"gone\.czi is there, .* export it as TIFF\. Put them"):
        parse(train=content, files=[f"{NAME}.tif"])
