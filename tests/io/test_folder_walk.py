"""Which files lie below a folder: through links, without loops, without hidden copies."""

import os

import pytest

from cellseg.errors import UserError
from cellseg.images import reading


@pytest.fixture
def tree(tmp_path):
    """Makes empty files below `root`, and links; returns what is found below it."""

    def make(files, links=(), without=()):
        for name in files:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for name, target in links:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(tmp_path / target)
        root = tmp_path / "root"
        found = reading.find(root, (".tif", ".png"), [tmp_path / name for name in without])
        return [path.relative_to(root).as_posix() for path in found]

    return make


def test_folders_that_are_links_are_searched(tree):
    files = ["root/own.tif", "far/plate/deep/a.TIF"]
    assert tree(files, [("root/plate", "far/plate")]) == ["own.tif", "plate/deep/a.TIF"]


def test_each_folder_is_searched_once(tree):
    """By its path without links, and never in circles."""
    files = ["root/b/x.tif", "far/y.tif", "far/in/z.tif", "above.tif"]
    links = [("root/a", "root/b"), ("root/b/up", "root"), ("root/out", "."), ("root/self", "root"),
             ("root/f1", "far"), ("root/f2", "far/in"), ("far/in/round", "far"),
             ("root/c", "root/c")]  # fmt: skip
    assert tree(files, links) == ["b/x.tif", "f1/in/z.tif", "f1/y.tif"]


def test_hidden_copies_and_other_files_are_left_out(tree):
    files = ["a.tif", "._a.tif", "Thumbs.db", ".snapshot/a.tif", "__MACOSX/a.tif", "a.txt", "c.PNG"]
    assert tree([f"root/{name}" for name in files]) == ["a.tif", "c.PNG"]


def test_folders_that_are_to_be_left_out(tree):
    files = ["root/a.tif", "root/masks/a.tif", "root/masks/in/a.tif", "far/masks/b.tif"]
    links = [("root/linked", "far/masks"), ("root/deeper", "root/masks/in")]
    assert tree(files, links, ["root/masks", "far/masks"]) == ["a.tif"]


def test_folders_above_leave_nothing_out(tree):
    assert tree(["root/a.tif", "root/in/b.tif"], without=[".", "root"]) == ["a.tif", "in/b.tif"]


def test_a_folder_that_cannot_be_read_is_named(tree, monkeypatch, capsys):
    scandir = os.scandir

    def refused(path):
        if str(path).endswith("locked"):
            raise PermissionError("no")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert tree(["root/a.tif", "root/locked/b.tif"]) == ["a.tif"]
    assert "root/locked is left out, it cannot be read" in capsys.readouterr().err


def test_a_folder_of_images_without_rights_is_refused(tree, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match=r"root cannot be read\. Correct its rights"):
        tree(["root/a.tif"])
