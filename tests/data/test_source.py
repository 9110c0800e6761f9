"""Descriptions of data sets on disk, and what is said when a part is missing."""

import pytest

from cellseg.data import sources
from cellseg.errors import UserError

SPLITS = ("train", "val", "test")


@pytest.fixture
def official(tmp_path):
    """A folder in the layout of LIVECell, its files empty."""
    (tmp_path / "images/livecell_test_images/A172").mkdir(parents=True)
    (tmp_path / "annotations/LIVECell").mkdir(parents=True)
    for split in SPLITS:
        (tmp_path / f"annotations/LIVECell/livecell_coco_{split}.json").touch()
    return tmp_path


def test_official_layout(official):
    described = sources.local("mine", {"path": str(official)})
    assert described["dataset"] == "mine"
    assert described["images"] == str(official / "images")
    assert described["annotations"]["val"].endswith("annotations/LIVECell/livecell_coco_val.json")


def test_flat_copy(tmp_path):
    for split in SPLITS:
        (tmp_path / f"livecell_coco_{split}.json").touch()
    described = sources.local("mine", {"path": tmp_path})
    assert described["images"] == str(tmp_path)
    assert described["annotations"]["train"] == str(tmp_path / "livecell_coco_train.json")


def test_missing_json_is_named(official):
    (official / "annotations/LIVECell/livecell_coco_val.json").unlink()
    with pytest.raises(UserError, match="livecell_coco_val"):
        sources.local("mine", {"path": official})


def test_json_twice(official):
    for folder in ("a", "b"):
        (official / folder).mkdir()
        (official / folder / "livecell_coco_val.json").touch()
    (official / "annotations/LIVECell/livecell_coco_val.json").unlink()
    with pytest.raises(UserError, match="twice"):
        sources.local("mine", {"path": official})


def test_one_by_one(tmp_path):
    (tmp_path / "train.json").touch()
    settings = {
        "images": str(tmp_path),
        "annotations": {"train": str(tmp_path / "train.json")},
        "missing_images": "drop",
    }
    assert sources.local("mine", settings) == {"dataset": "mine", **settings}


def test_label_images(tmp_path):
    (tmp_path / "masks").mkdir()
    settings = {"images": str(tmp_path), "labels": {"test": str(tmp_path / "masks")}}
    assert sources.local("mine", settings) == {"dataset": "mine", **settings}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "nowhere"}, "nowhere does not exist"),
        ({"path": ".", "images": "."}, "either 'path' or images"),
        ({"images": "."}, "'annotations'"),
        ({"images": ".", "annotations": {"train": "a"}, "labels": {"train": "b"}}, "either"),
        ({"images": "nowhere", "labels": {"train": "."}}, "nowhere does not exist"),
        ({"images": ".", "labels": {"train": "nowhere"}}, "nowhere does not exist"),
        ({"images": ".", "annotations": {"train": "nowhere.json"}}, "nowhere.json does not exist"),
        ({"images": ".", "annotations": {"training": "a.json"}}, "'training' is not one of"),
        (
            {"images": ".", "labels": {"test": "."}, "missing_images": "no"},
            "one of error, drop",
        ),
    ],
)
def test_errors_name_the_setting(settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        sources.local("mine", settings)
