"""Data that no network can be trained or scored with is refused before any training."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from cellseg.data import annotations, checks, sources
from cellseg.errors import UserError
from cellseg.images import reading

SPLITS = ("train", "val", "test")


def tiff(height, width):
    return reading.as_tiff(np.eye(height, width, dtype=np.uint8))


def listed(number, name):
    return {"id": number, "file_name": f"{name}.tif", "height": 8, "width": 10}


@pytest.mark.parametrize("split", SPLITS)
def test_images_of_every_split_are_readable_and_of_the_annotated_size(split, tmp_path):
    contents = {
        "broken": b"no picture",
        "cut": b"II*\0\x6e\x37\4\0" + bytes(99),  # LIVECell's files have their directory last
        "good": tiff(8, 10),
        "larger": tiff(16, 20),
        "turned": tiff(10, 8),
        "two": np.zeros((2, 8, 10), np.uint8),
    }
    (tmp_path / "images").mkdir()
    for name, content in contents.items():
        if isinstance(content, bytes):
            (tmp_path / f"images/{name}.tif").write_bytes(content)
        else:
            pages = [Image.fromarray(page) for page in content]
            pages[0].save(tmp_path / f"images/{name}.tif", save_all=True, append_images=pages[1:])
    entries = [listed(number, name) for number, name in enumerate(contents, 1)]
    path = tmp_path / f"{split}.json"
    path.write_text(json.dumps({"images": entries, "annotations": []}))
    described = {"images": str(tmp_path / "images"), "annotations": {split: str(path)}}
    with pytest.raises(UserError, match="5 of 6 images cannot be used") as said:
        annotations.parse(described, tmp_path / "tables", threads=2)
    message = str(said.value)
    for words in (
        r"broken\.tif cannot be read as an image .* Replace the file",
        r"cut\.tif is cut off: its last part is missing\. Copy it once more",
        rf"larger\.tif is 16 pixels high and 20 wide, but {path} annotates an image 8 high and 10 "
        r"wide\. Put the image there that was annotated",
        r"turned\.tif .* 10 wide, as if one of the two were turned\. ",
        r"two\.tif is not one picture",
    ):
        assert re.search(words, message), words
    assert "good" not in message


def test_no_more_images_are_named_than_one_reads(tmp_path):
    annotated = [
        checks.Annotated(reading.Picture(tmp_path / f"{n}.tif", (1, 1)), "a") for n in range(12)
    ]
    with pytest.raises(UserError, match=r"12 of 12 images .*(\n- .*){10}\n- and 2 more$"):
        checks.refuse_unusable_images(annotated)


def test_the_real_images_pass(livecell_mini, tmp_path, capsys):
    annotations.parse(sources.official_layout("mini", livecell_mini), tmp_path, threads=2)
    assert "13 images read: all have the size" in capsys.readouterr().out


@pytest.fixture
def parse_labels(tmp_path):
    """Writes label images and images, and parses them."""

    def run(*painted):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir()
        for number, labels in enumerate(painted):
            np.save(tmp_path / f"masks/{number}.npy", labels)
            image = np.zeros(labels.shape, np.uint8)
            (tmp_path / f"images/{number}.tif").write_bytes(reading.as_tiff(image))
        described = {
            "images": str(tmp_path / "images"), "labels": {"test": str(tmp_path / "masks")}
        }  # fmt: skip
        annotations.parse(described, tmp_path / "tables")

    return run


def squares(count, value=255):
    """So many squares of one value, in a row."""
    painted = np.zeros((8, 48), np.uint8)
    for number in range(count):
        painted[2:6, 6 * number + 1 : 6 * number + 5] = value
    return painted


@pytest.mark.parametrize("masks", [[5], [3, 1, 2], [0, 4], [2, 2]])
def test_binary_masks_are_refused(parse_labels, masks):
    with pytest.raises(UserError, match=r"looks like .* binary masks: .* pieces in \d\. .*label\("):
        parse_labels(*map(squares, masks))


def test_cells_in_pieces_are_no_binary_masks(parse_labels):
    """One cell an image, whole or in two pieces, with specks."""
    specks = squares(2)
    specks[0, ::2] = 255
    cut_by_a_corner = np.eye(8, 48, dtype=np.uint8)
    parse_labels(squares(1), squares(1, 7), specks, cut_by_a_corner)


def test_masks_of_classes_are_refused(parse_labels):
    """One value for cells, another one for dividing cells."""
    with pytest.raises(UserError, match=r"masks of classes: .* makes 3, but there are 10 separate"):
        parse_labels(squares(5), squares(5) + squares(1))
