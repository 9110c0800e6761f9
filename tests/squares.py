"""A data set that one can check by eye: images of 64 x 96 pixels with six square cells each."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile

HEIGHT, WIDTH = 64, 96
BACKGROUND, MIDDLE, CELL = 100, 130, 160
"""Grey values; the smallest cell has the middle one."""
SQUARES = (
    (8, 8, 11),  # alone; its centre is the pixel (13, 13)
    (8, 40, 3),  # of nine pixels
    (30, 20, 8), (32, 22, 12),  # two that overlap in 36 pixels, the larger one listed last
    (46, 62, 12), (44, 60, 8),  # and two with the larger one listed first
)  # fmt: skip
"""First row, first column and side of each cell, in the order of the JSON."""
TYPES = ("A172", "BV2")
WELLS = {"train": 4, "val": 2, "test": 2}
"""Wells of each cell type in each split, with one image each."""


def name(split: str, cell_type: str, well: int) -> str:
    """Key of an image."""
    row = {"train": "A", "val": "B", "test": "C"}[split]
    return f"{cell_type}_Phase_{row}{well}_1_00d00h00m_1"


def names(split: str) -> list[str]:
    """Keys of the images of a split, in the order of the JSON: A172, BV2, A172, …"""
    return [name(split, one, well) for well in range(WELLS[split]) for one in TYPES]


def image(number: int = 0) -> np.ndarray:
    """Grey values; each image of a split is a little brighter than the one before."""
    grey = np.full((HEIGHT, WIDTH), BACKGROUND + number, np.uint8)
    for row, column, side in SQUARES:
        grey[row : row + side, column : column + side] = CELL + number
    row, column, side = SQUARES[1]
    grey[row : row + side, column : column + side] = MIDDLE + number
    return grey


def labels() -> np.ndarray:
    """A label image, later cells on top."""
    painted = np.zeros((HEIGHT, WIDTH), np.int32)
    for number, (row, column, side) in enumerate(SQUARES, 1):
        painted[row : row + side, column : column + side] = number
    return painted


def coco(files: Sequence[str]) -> dict:
    """Annotations of images, as LIVECell has them."""
    images = [
        {"id": number, "file_name": f"{file}.tif", "height": HEIGHT, "width": WIDTH}
        for number, file in enumerate(files, 1)
    ]
    cells = []
    for listed in images:
        for top, left, side in SQUARES:
            bottom, right = top + side, left + side
            outline = [left, top, right, top, right, bottom, left, bottom]
            cells.append({"id": len(cells) + 1, "image_id": listed["id"], "category_id": 1,
                          "segmentation": [[float(x) for x in outline]], "iscrowd": 0,
                          "area": side * side, "bbox": [left, top, side, side]})  # fmt: skip
    return {"images": images, "annotations": cells, "categories": [{"id": 1, "name": "cell"}]}


def write(folder: Path) -> None:
    """Write it in every form that `kind: local` takes.

    ``images/`` and a copy, ``copies/``; ``{split}.json`` and ``labels/{split}/``, each with all
    images, and ``fewer-{split}.json`` and ``fewer/{split}/`` with one less; ``doubled.json``, which
    lists an image of test among those of train; ``missing.json``, which lists one without a file;
    ``crowded.json``, which has a crowd in the place of the cells of the first one; ``paged/`` and
    ``colour/`` with pages and colours, see :func:`pages` and :func:`colours`;
    ``official/`` in LIVECell's layout, and ``moved/`` with one image less a split.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for split in WELLS:
        _write_split(folder, split)
    lists = {
        **{f"fewer-{split}": names(split)[:-1] for split in WELLS},
        "doubled": [*names("train"), names("test")[0]],
        "missing": [*names("train"), "A172_Phase_Z1_1_00d00h00m_1"],
    }
    for file, listed in lists.items():
        (folder / f"{file}.json").write_text(json.dumps(coco(listed)))
    crowded = coco(names("train"))
    for cell in crowded["annotations"]:
        cell["iscrowd"] = int(cell["image_id"] == 1)
    (folder / "crowded.json").write_text(json.dumps(crowded))
    for split in WELLS:
        _write_labels(folder / "labels" / split, names(split))
        _write_labels(folder / "fewer" / split, names(split)[:-1])
    for layout, dropped in (("official", 0), ("moved", 1)):
        annotations = folder / layout / "annotations/LIVECell"
        annotations.mkdir(parents=True)
        (folder / layout / "images").symlink_to(folder.resolve() / "images")
        for split in WELLS:
            listed = names(split)[dropped:]
            (annotations / f"livecell_coco_{split}.json").write_text(json.dumps(coco(listed)))


def pages(number: int = 0) -> np.ndarray:
    """Two pages, the second 50 grey values brighter."""
    return np.stack([image(number), image(number) + 50])


def colours(number: int = 0) -> np.ndarray:
    """Red and green are the image, blue shows nothing."""
    red = image(number)
    return np.dstack([red, red, np.full_like(red, BACKGROUND)])


def _write_split(folder: Path, split: str) -> None:
    for number, file in enumerate(names(split)):
        for place, made, look in (
            ("images", image, "minisblack"),
            ("copies", image, "minisblack"),
            ("paged", pages, "minisblack"),
            ("colour", colours, "rgb"),
        ):
            (folder / place).mkdir(exist_ok=True)
            tifffile.imwrite(folder / place / f"{file}.tif", made(number), photometric=look)
    (folder / f"{split}.json").write_text(json.dumps(coco(names(split))))


def _write_labels(folder: Path, files: Sequence[str]) -> None:
    folder.mkdir(parents=True)
    for file in files:
        tifffile.imwrite(folder / f"{file}.tif", labels())
