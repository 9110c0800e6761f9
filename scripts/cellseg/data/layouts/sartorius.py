"""The folder of Kaggle's Sartorius Cell Instance Segmentation competition (2021).

``train.csv`` has a row a cell: id (of the image), annotation (pairs of start and length of runs of
pixels, counted from 1 along the rows), width, height, cell_type, sample_id and more. The images are
``train/<id>.png``. Images in ``test/`` have no annotations and are not read.
"""

import struct
from functools import partial
from pathlib import Path

import pandas as pd

from cellseg.data.layouts import row_runs
from cellseg.data.layouts.listed import Found, Listed
from cellseg.errors import UserError
from cellseg.io import given_csv

TABLES = ("train.csv", "train.csv.gz", "train.csv.zip")
COLUMNS = ("id", "annotation", "width", "height", "cell_type")
WELL = "sample_id"
_PNG = b"\x89PNG\r\n\x1a\n"


def table_of(folder: Path) -> Path:
    """The table of annotations of a folder; packed, as Kaggle gives single files, it may be too.

    Raises
    ------
    UserError
        There is none.
    """
    for name in TABLES:
        if (folder / name).is_file():
            return folder / name
    inner = sorted(path.parent.name for name in TABLES for path in folder.glob(f"*/{name}"))
    hint = f" It is in {folder / inner[0]}: name that folder." if inner else ""
    raise UserError(
        f"{folder} has no train.csv (nor train.csv.gz or train.csv.zip).{hint} Download the data "
        "of Kaggle's competition sartorius-cell-instance-segmentation there."
    )


def read(folder: Path) -> Found:
    """Images and masks, unchanged: broken ones stay in parts, overlapping ones overlap.

    Parameters
    ----------
    folder : with ``train.csv`` and ``train/``

    Raises
    ------
    UserError
        The table or an image is missing or broken, a run leaves its image, or rows of an image
        contradict each other.
    """
    path = table_of(folder)
    table = _read_table(path)
    root = folder / "train"
    if not root.is_dir():
        raise UserError(f"{folder} has no folder 'train' with the images. Unpack it there.")
    images = []
    for name, rows in table.groupby("id", sort=True):
        about = {key: _only(path, name, rows, key) for key in ("height", "width", "cell_type")}
        height, width = (_number(path, rows.index[0], about, key) for key in ("height", "width"))
        _check_image(root / f"{name}.png", path, height, width)
        well = _only(path, name, rows, WELL) if WELL in rows else ""
        for row, text in zip(rows.index, rows["annotation"], strict=True):
            row_runs.parse(text, height * width, f"{path}, line {row}")
        cells = partial(_cells, rows["annotation"].tolist(), height, width)
        images.append(Listed(f"{name}.png", height, width, cells, about["cell_type"], well or None))
    return Found(root, images)


def _cells(annotations: list[str], height: int, width: int) -> list[dict]:
    return [
        row_runs.as_coco(row_runs.parse(text, height * width, "train.csv"), height, width)
        for text in annotations
    ]


def _read_table(path: Path) -> pd.DataFrame:
    """Rows as text, by their line in the file."""
    table = given_csv.read(path, COLUMNS)
    if table.empty:
        raise UserError(f"{path} has no rows. Download it again.")
    table.index = table.index + 2
    for name in ("id", "cell_type"):
        empty = table.index[table[name].str.strip() == ""]
        if len(empty):
            raise UserError(f"{path}, line {empty[0]}: the {name} is empty. Correct the line.")
    strange = [name for name in table["id"].unique() if Path(name).name != name]
    if strange:
        raise UserError(f"{path}: the id '{strange[0]}' is no name of an image. Correct it.")
    return table


def _only(path: Path, name: str, rows: pd.DataFrame, key: str) -> str:
    values = rows[key].unique()
    if len(values) > 1:
        raise UserError(
            f"{path}: image {name} has more than one {key}: {values[0]} and {values[1]} (line "
            f"{rows.index[rows[key] == values[1]][0]}). Correct the lines."
        )
    return values[0]


def _number(path: Path, line: int, about: dict[str, str], key: str) -> int:
    text = about[key].strip().removesuffix(".0")
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise UserError(f"{path}, line {line}: the {key} '{about[key]}' is no number of pixels.")
    return int(text)


def _check_image(image: Path, table: Path, height: int, width: int) -> None:
    """Refuse an image that is missing, no PNG, or of another size than its masks."""
    if not image.is_file():
        raise UserError(
            f"{table} annotates {image}, which does not exist. Unpack the folder 'train' again, "
            "or remove the lines of that image."
        )
    with image.open("rb") as file:
        header = file.read(24)
    if len(header) < 24 or not header.startswith(_PNG):
        raise UserError(f"{image} is no PNG image. Unpack the folder 'train' again.")
    found_width, found_height = struct.unpack(">II", header[16:24])
    if (found_height, found_width) != (height, width):
        raise UserError(
            f"{image} is {found_height} pixels high and {found_width} wide, but {table} annotates "
            f"an image {height} high and {width} wide. Put the image there that was annotated."
        )
