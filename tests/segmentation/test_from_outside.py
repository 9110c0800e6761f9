"""Cells that another program found, read as a run."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellseg.data.label_folder import encode
from cellseg.errors import UserError
from cellseg.segmentation import confidence, from_outside

IMAGES = pd.DataFrame(
    {
        "image": ["A172_1", "BV2_2"],
        "image_id": [7, 9],
        "path": ["data/A172/A172_1.tif", "data/BV2/BV2_2.tif"],
        "height": [20, 24],
        "width": [30, 18],
    }
)


def labels(height: int, width: int, values=(3, 900)) -> np.ndarray:
    """Two squares that touch."""
    made = np.zeros((height, width), np.uint16)
    made[2:8, 2:8], made[2:8, 8:14] = values
    return made


def taken(tmp_path, source, scores=None, images=IMAGES):
    """What was imported: label images and scores by image."""
    from_outside.import_run(
        source, scores, images, tmp_path / "labels.npz", tmp_path / "cells.parquet"
    )
    with np.load(tmp_path / "labels.npz") as stack:
        found = {name: stack[name] for name in stack.files}
    return found, confidence.read(tmp_path / "cells.parquet")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "predicted"
    made.mkdir()
    for row, ending in zip(IMAGES.itertuples(), ("", "_cp_masks"), strict=True):
        tifffile.imwrite(made / f"{row.image}{ending}.tif", labels(row.height, row.width))
    return made


def test_label_images_are_numbered_from_1_and_have_no_scores(tmp_path, folder, capsys):
    found, scores = taken(tmp_path, folder)
    assert list(found) == ["A172_1", "BV2_2"]
    assert found["A172_1"].dtype == np.int32 and np.unique(found["A172_1"]).tolist() == [0, 1, 2]
    assert np.array_equal(found["BV2_2"] == 2, labels(24, 18) == 900)
    assert all(np.isnan(values).all() for values in scores.values())
    assert "Took 4 cells in 2 images" in capsys.readouterr().out


def test_scores_belong_to_the_original_values(tmp_path, folder):
    rows = [("A172_1", 900, 0.25), ("A172_1", 3, 0.5), ("BV2_2_cp_masks.tif", 3, 0.125),
            ("BV2_2_cp_masks.tif", 900, 1.0)]  # fmt: skip
    table = tmp_path / "scores.csv"
    pd.DataFrame(rows, columns=["image", "label", "score"]).to_csv(table, index=False)
    _, scores = taken(tmp_path, folder, table)
    assert scores["A172_1"].tolist() == [0.5, 0.25] and scores["BV2_2"].tolist() == [0.125, 1.0]


def test_an_image_without_cells_and_one_without_background(tmp_path, folder):
    tifffile.imwrite(folder / "A172_1.tif", np.zeros((20, 30), np.uint8))
    tifffile.imwrite(folder / "BV2_2_cp_masks.tif", np.full((24, 18), 5, np.uint8))
    found, scores = taken(tmp_path, folder)
    assert found["A172_1"].max() == 0 and (found["BV2_2"] == 1).all()
    assert list(scores) == ["BV2_2"]


def break_shape(folder):
    tifffile.imwrite(folder / "A172_1.tif", labels(20, 31))


def leave_one_out(folder):
    (folder / "A172_1.tif").unlink()


def double(folder):
    tifffile.imwrite(folder / "A172_1_labels.tif", labels(20, 30))


def empty(folder):
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (break_shape, "A172_1.tif has 20 x 31 pixels, but its image data/A172/A172_1.tif has"),
        (leave_one_out, "no label image for 1 image of 2 to be scored: A172_1. Name label images"),
        (double, "are both label images of A172_1. Keep one."),
        (empty, "holds no label images"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path, folder, change, expected):
    change(folder)
    with pytest.raises(UserError, match=expected):
        taken(tmp_path, folder)
    assert not (tmp_path / "labels.npz").exists() and not (tmp_path / "cells.parquet").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image,label\nA172_1,3\n", "lacks the column score"),
        ("image,label,score\nA172_1,3,much\n", "row 2: score is 'much', not a number"),
        ("image,label,score\nA172_1,3,\n", "row 2: score is '', not a number"),
        ("image,label,score\nNA,3,1\n", "has no score for label 3"),
        ("image,label,score\nA172_1,3,0.5\n", "has no score for label 900 of .*A172_1.tif"),
        ("Image,label,score\nA172_1,3,0.5\n", "lacks the column image.* has Image, label, score"),
        ("image,label,score\nA172_1,3.5,0.5\n", "row 2: label is '3.5', not a whole number"),
        ("image,label,score\nA172_1,3,inf\n", "row 2: score is 'inf', not a number"),
        ("image,label,score\n,3,0.5\n", "row 2: image is empty"),
        ("image,label,score\na.tif,3,1\na.png,3,2\n", "row 3: label 3 of image a.png has a score"),
        ("image,label,score\na/A172_1,3,1\nb/A172_1,3,2\n", "may both be the image A172_1"),
    ],
)
def test_broken_scores_are_refused(tmp_path, folder, text, expected):
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(UserError, match=expected):
        taken(tmp_path, folder, tmp_path / "scores.csv")


SCORES = (
    "image,label,score\nA172_1,3,0.5\nA172_1,900,0.25\nx/BV2_2.tif,3,1\nx/BV2_2.tif,900,0.125\n"
)


@pytest.mark.parametrize(
    "content",
    [
        SCORES.encode("utf-8-sig"),
        SCORES.replace("\n", "\r\n").encode(),
        SCORES.replace(",", "\t").encode(),
        SCORES.replace(",", ";").replace(".2", ",2").encode(),  # as a German spreadsheet writes it
        SCORES.replace(",", " , ").encode(),
        SCORES.replace("x/", "C:\\x\\").encode(),
    ],
)
def test_scores_are_read_as_spreadsheets_write_them(tmp_path, folder, content):
    (tmp_path / "scores.csv").write_bytes(content)
    _, scores = taken(tmp_path, folder, tmp_path / "scores.csv")
    assert scores["A172_1"].tolist() == [0.5, 0.25] and scores["BV2_2"].tolist() == [1, 0.125]


def test_scores_of_images_of_one_name_are_told_apart_by_their_folders(tmp_path):
    images = IMAGES.assign(image=["a/1", "b/1"], path=["data/a/1.tif", "data/b/1.tif"])
    source, rows = tmp_path / "predicted", ["image,label,score"]
    for number, row in enumerate(images.itertuples()):
        (source / row.image).parent.mkdir(parents=True)
        tifffile.imwrite(source / f"{row.image}.tif", labels(row.height, row.width))
        rows += [f"{row.image}.tif,{label},{number}" for label in (3, 900)]
    (tmp_path / "scores.csv").write_text("\n".join(rows))
    _, scores = taken(tmp_path, source, tmp_path / "scores.csv", images)
    assert scores["a/1"].tolist() == [0, 0] and scores["b/1"].tolist() == [1, 1]


def test_scores_that_are_no_utf_8_are_refused(tmp_path, folder):
    (tmp_path / "scores.csv").write_bytes(SCORES.encode("utf-16"))
    with pytest.raises(UserError, match=r"scores.csv is not UTF-8 text .* Save it as UTF-8"):
        taken(tmp_path, folder, tmp_path / "scores.csv")


def detection(image_id, mask, **more):
    [rle] = encode(np.ascontiguousarray(mask, np.int32))
    segmentation = {"size": rle["size"], "counts": rle["counts"].decode()}
    return {"image_id": image_id, "category_id": 1, "segmentation": segmentation, **more}


def overlapping():
    """Two squares of image A172_1, of which the second covers a part of the first."""
    first, second = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    first[2:12, 2:12] = True
    second[2:6, 8:20] = True
    return first, second


def written(path, content):
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("called", ["A172_1", "A172_1.tif", "images/A172_1.png", 7, 7.0])
def test_coco_results_name_an_image_or_its_id(tmp_path, called):
    first, second = overlapping()
    results = [detection(called, first, score=0.9), detection(called, second, score=0.2)]
    found, scores = taken(tmp_path, written(tmp_path / "results.json", results))
    assert np.array_equal(found["A172_1"] == 1, first)  # the higher score is on top
    assert np.array_equal(found["A172_1"] == 2, second & ~first)
    assert scores["A172_1"].tolist() == [0.9, 0.2] and found["BV2_2"].max() == 0


def test_results_without_scores_leave_the_smaller_cell_on_top(tmp_path):
    first, second = overlapping()
    results = [detection(7, first), detection(7, second)]
    found, scores = taken(tmp_path, written(tmp_path / "results.json", results))
    assert np.array_equal(found["A172_1"] == 2, second)
    assert np.isnan(scores["A172_1"]).all()


def test_the_smaller_cell_is_on_top_where_any_score_is_missing(tmp_path):
    first, second = overlapping()
    results = [detection(7, first), detection(7, second, score=0.9)]
    found, _ = taken(tmp_path, written(tmp_path / "results.json", results))
    assert np.array_equal(found["A172_1"] == 2, second)


def test_a_buried_cell_is_left_out(tmp_path):
    first, _ = overlapping()
    inside = np.zeros_like(first)
    inside[4:6, 4:6] = True
    results = [detection(7, inside, score=0.1), detection(7, first, score=0.9)]
    found, scores = taken(tmp_path, written(tmp_path / "results.json", results))
    assert np.array_equal(found["A172_1"], first.astype(int))
    assert scores["A172_1"].tolist() == [0.9]


def test_polygons_and_a_whole_coco_file(tmp_path):
    square = [2, 2, 12, 2, 12, 12, 2, 12]
    content = {
        "images": [{"id": 1, "file_name": "BV2_2.tif", "height": 24, "width": 18}],
        "annotations": [{"id": 1, "image_id": 1, "segmentation": [square], "score": 0.5}],
    }
    found, _ = taken(tmp_path, written(tmp_path / "results.json", content))
    assert (found["BV2_2"] == 1).sum() == 100 and found["A172_1"].max() == 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"image_id": 7, "bbox": [1, 1, 5, 5], "score": 0.5}], "a box alone is no cell"),
        ([{"image_id": 7, "segmentation": {"size": [5, 5], "counts": "111"}}], "does not fit"),
        ([{"image_id": 7, "segmentation": [[1, 1, 5, 1, 5, 5]], "score": "high"}],
         "its 'score' is 'high'"),
        ([{"image_id": "other.tif", "segmentation": [[1, 1, 5, 1, 5, 5]]}],
         "no detection of an image to be scored. The first of 1 is of image_id 'other.tif'"),
        ([[1, 2]], "is no detection with an image_id"),
        ([], "no detection of an image to be scored"),
        ({"a": 1}, "has no list 'images'.* Or write a list of detections"),
    ],
)  # fmt: skip
def test_broken_results_are_refused(tmp_path, content, expected):
    with pytest.raises(UserError, match=expected):
        taken(tmp_path, written(tmp_path / "results.json", content))
    assert not (tmp_path / "labels.npz").exists()


def test_results_take_no_table_of_scores(tmp_path):
    path = written(tmp_path / "results.json", [])
    with pytest.raises(UserError, match="leave out `scores`"):
        taken(tmp_path, path, tmp_path / "scores.csv")


def test_a_path_that_is_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="no folder of label images, and no JSON file"):
        taken(tmp_path, tmp_path / "nothing")


def test_masks_that_are_no_cells_are_refused(tmp_path, folder):
    """Not scored as one cell an image."""
    for path in folder.iterdir():
        made = tifffile.imread(path)
        made[:] = 0
        made[2:6, 2:6] = made[2:6, 10:14] = made[12:16, 2:6] = 255
        tifffile.imwrite(path, made.astype(np.uint8))
    with pytest.raises(UserError, match="predicted looks like a folder of binary masks"):
        taken(tmp_path, folder)
    assert not (tmp_path / "labels.npz").exists()


def test_names_in_other_letter_case(tmp_path, folder):
    (folder / "A172_1.tif").rename(folder / "a172_1.TIF")
    rows = [
        (f"C:\\x\\{name}.tif", value, 0.5) for name in ("A172_1", "bv2_2") for value in (3, 900)
    ]
    table = tmp_path / "scores.csv"
    pd.DataFrame(rows, columns=["image", " label", "score"]).to_csv(table, index=False)
    found, scores = taken(tmp_path, folder, table)
    assert found["A172_1"].max() == 2 and scores["BV2_2"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("called", ["7", "C:\\x\\A172_1.TIF", "a172_1.tif", "A172%5F1.tif"])
def test_results_that_call_an_image_as_other_programs_do(tmp_path, called):
    entry = {"image_id": called, "segmentation": [[1, 1, 5, 1, 5, 5]]}
    (tmp_path / "r.json").write_text(json.dumps([entry, {**entry, "segmentation": [[1, 1, 5, 5]]}]))
    assert taken(tmp_path, tmp_path / "r.json")[0]["A172_1"].max() == 1


@pytest.mark.parametrize(
    "segmentation",
    [[["1", "1", "5", "1", "5", "5"]], [[None] * 6], [[float("nan")] * 6], [{"x": 1, "y": 2}] * 6],
)
def test_coordinates_of_results_that_are_no_numbers(tmp_path, segmentation):
    entry = {"image_id": 7, "segmentation": segmentation}
    (tmp_path / "r.json").write_text(json.dumps([entry]))
    with pytest.raises(UserError, match=r"r\.json: image_id 7.* (is no number|list of objects)"):
        taken(tmp_path, tmp_path / "r.json")
