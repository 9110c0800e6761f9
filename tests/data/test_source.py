"""Descriptions of data sets on disk, and what is said when a part is missing."""

import os

import pytest

from cellseg.data import local_images, sources
from cellseg.data.kinds import local
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


def test_files_that_cannot_be_read_stop_no_plan(tmp_path):
    """Whether they are needed is only known when the annotations are read."""
    (tmp_path / "a.tif").write_bytes(b"a")
    paths = [
        tmp_path / name for name in ("a.tif", "dead.tif", "round.tif", "pipe.tif", "\udcff.tif")
    ]
    paths[1].symlink_to("nowhere")
    paths[2].symlink_to("round.tif")
    os.mkfifo(paths[3])
    paths[4].write_bytes(b"b")
    memory = tmp_path / "memory.json"
    first = local_images.stamp(paths, memory)
    assert local_images.stamp(paths, memory) == first
    paths[1].unlink()
    paths[1].write_bytes(b"c")
    assert local_images.stamp(paths, memory) != first
    for path in paths[2:4]:
        with pytest.raises(UserError, match=rf"{path.name} (cannot be opened|is no regular file)"):
            local_images.content(path)


def test_folders_without_rights_are_named(tmp_path, monkeypatch):
    (tmp_path / "a.json").touch()

    def refused(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.stat", refused)
    settings = {"images": str(tmp_path), "annotations": {"train": str(tmp_path / "a.json")}}
    with pytest.raises(UserError, match=r"images: the folder .* cannot be opened \(Permission"):
        sources.refuse_missing("mine", settings, tmp_path)


@pytest.mark.parametrize(
    ("path", "told"),
    [("$DATA/images", "the variable means"), ("https://a.org/images", "an address"), ("a", "in /")],
)
def test_what_else_is_said_of_a_path(path, told, tmp_path):
    with pytest.raises(UserError, match=rf"images: the folder .* does not exist\..*{told}"):
        sources.refuse_missing("mine", {"images": path}, tmp_path)


@pytest.mark.parametrize("name", ["{a}.tif", "{x}/b.png"])
def test_braces_in_names_of_annotation_files_are_refused(name, tmp_path):
    """Snakemake takes them for wildcards."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    entry = {"images": str(tmp_path), "labels": {"train": str(tmp_path)}}
    with pytest.raises(UserError, match=r"has braces\. Rename"):
        local.SOURCE.annotation_files("mine", entry)
