"""Submissions to Kaggle's Sartorius competition, written and read again."""

import numpy as np
import pytest

from cellseg.errors import UserError
from cellseg.io import atomic
from cellseg.segmentation import submission


def test_reading_gives_the_labels_back(tmp_path):
    drawn = np.random.default_rng(0)
    images = {f"{n:03x}": drawn.integers(0, 5, (13, 17)).astype(np.int32) for n in range(4)}
    atomic.write_stack(tmp_path / "labels.npz", images.items())
    files = {name: f"train/{name}.png" for name in images}
    submission.write(tmp_path / "submission.csv", submission.of_run(tmp_path / "labels.npz", files))
    found = submission.read(tmp_path / "submission.csv", 13, 17)
    assert list(found) == list(images)
    assert all(np.array_equal(found[name], labels) for name, labels in images.items())


def test_the_file_is_as_the_competition_asks(tmp_path):
    labels = np.array([[0, 2, 2, 0], [2, 0, 0, 7]], np.int32)  # runs go on in the next row
    empty = np.zeros((2, 4), np.int32)
    submission.write(tmp_path / "s.csv", [("a", labels), ("b", empty)])
    assert (tmp_path / "s.csv").read_text() == "id,predicted\na,2 2 5 1\na,8 1\nb,\n"
    assert list(submission.read(tmp_path / "s.csv", 2, 4)) == ["a", "b"]


def test_images_are_in_the_order_of_their_keys_whatever_the_file_has(tmp_path):
    one = np.eye(3, dtype=np.int32)
    atomic.write_stack(tmp_path / "labels.npz", [(name, one) for name in "cab"])
    cells = submission.of_run(tmp_path / "labels.npz", {name: f"{name}.png" for name in "abc"})
    assert [name for name, _ in cells] == ["a", "b", "c"]


def test_ids_are_names_of_files_and_two_of_one_name_are_refused(tmp_path):
    stack = {"a": np.eye(3, dtype=np.int32), "a~2": np.eye(3, dtype=np.int32)}
    atomic.write_stack(tmp_path / "labels.npz", stack.items())
    files = {"a": "one/a.png", "a~2": "two/a.png"}
    cells = submission.of_run(tmp_path / "labels.npz", files)
    with pytest.raises(UserError, match="two images have the id 'a'"):
        submission.write(tmp_path / "s.csv", cells)
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,annotation\na,1 2\n", "no submission"),
        ("id,predicted\na,1 2\na,2 3\n", "line 3: the cell overlaps another of image a"),
        ("id,predicted\na,1\n", "line 2: the annotation has 1 numbers"),
        ("id,predicted\na,7 4\n", "line 2: the run '7 4' is not inside"),
        ("id,predicted\na\n", "line 2: 1 fields instead of 2"),
        ("id;predicted\na;1 2\n", "its columns are not id, predicted, with a comma"),
    ],
)
def test_a_broken_submission_is_refused_by_its_line(tmp_path, text, message):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        submission.read(tmp_path / "s.csv", 2, 4)


def test_what_an_editor_adds_to_a_submission_is_read_over(tmp_path):
    path = tmp_path / "s.csv"
    path.write_bytes("id,predicted\r\na,1 2\r\n\r\n".encode("utf-8-sig"))
    assert submission.read(path, 2, 4)["a"].sum() == 2
    path.write_text(f"id,predicted\na,{'1 1 ' * 40_000}\n")  # longer than csv reads by default
    assert submission.read(path, 2, 4)["a"].sum() == 1


def test_a_submission_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "s.csv").write_bytes("id,predicted\n".encode("utf-16"))
    for name, why in (("s.csv", "not text in UTF-8"), ("t.csv", "No such file"), ("", "directory")):
        with pytest.raises(UserError, match=f"{name} .*{why}"):
            submission.read(tmp_path / name, 2, 4)
