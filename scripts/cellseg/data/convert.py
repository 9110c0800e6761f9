"""A public data set to COCO files of three splits, which the rest of the workflow reads."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from cellseg.data import folds
from cellseg.data.layouts.listed import Found, Listed
from cellseg.data.splits import SPLITS
from cellseg.errors import UserError
from cellseg.io import atomic, unzip
from cellseg.io.wording import number_of

KEPT_OF_ARCHIVES = ("LIVECell_dataset_2021", "train_semi_supervised")
"""Folders of Kaggle's archive that are not unpacked: LIVECell itself, and images without cells."""


def folder_of(path: Path, unpacked: Path) -> Path:
    """The folder of a data set, unpacked first if `path` is a zip archive.

    Parameters
    ----------
    path : folder or archive, as downloaded
    unpacked : folder for what an archive holds

    Raises
    ------
    UserError
        `path` is missing, no folder and no archive, or a broken archive.
    """
    if path.is_dir():
        return path
    if not path.is_file() or path.suffix.lower() != ".zip":
        what = "is neither a folder nor a .zip file" if path.exists() else "does not exist"
        raise UserError(f"{path} {what}. Name the folder of the data set, or the archive.")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    unzip.unpack(path, unpacked, sha256, wanted=_is_wanted)
    inner = [one for one in unpacked.iterdir() if not one.name.startswith(".")]
    return inner[0] if len(inner) == 1 and inner[0].is_dir() else unpacked


def _is_wanted(name: str) -> bool:
    return not set(PurePosixPath(name).parts) & set(KEPT_OF_ARCHIVES)


def write(dataset: str, found: Found, split: Mapping, folder: str | os.PathLike) -> dict:
    """Deal images to splits and write a COCO file of each.

    Parameters
    ----------
    dataset : name of the data set
    found : its annotated images
    split : ``val`` and ``test``, shares of the images, ``group`` and ``seed``, see
        :func:`cellseg.data.folds.split`
    folder : gets ``train.json``, ``val.json`` and ``test.json``

    Returns
    -------
    dict : the data set as :mod:`cellseg.data.sources` describes it

    Raises
    ------
    UserError
        There are too few images, or images have no well to group by.
    """
    images = pd.DataFrame(
        {
            "image": [one.image for one in found.images],
            "cell_type": [one.cell_type or "" for one in found.images],
            "well": [one.well for one in found.images],
            "split": [one.split for one in found.images],
        },
        dtype=object,
    )
    shares = {name: split[name] for name in ("val", "test")}
    try:
        chosen = folds.split(images, shares, split["group"], split["seed"])
    except UserError as error:
        raise UserError(f"dataset '{dataset}': {error}") from None
    paths = {}
    for name in SPLITS:
        own = [one for one, where in zip(found.images, chosen, strict=True) if where == name]
        paths[name] = str(Path(folder) / f"{name}.json")
        n_cells = _write_coco(paths[name], own)
        print(f"{name}: {number_of(len(own), 'image')}, {number_of(n_cells, 'cell')}", flush=True)
    return {"dataset": dataset, "images": str(found.root), "annotations": paths}


def _write_coco(path: str, images: Iterable[Listed]) -> int:
    """Write a COCO file; the number of its cells."""
    listed, cells = [], []
    for image_id, one in enumerate(images, start=1):
        stated = {"cell_type": one.cell_type, "well": one.well}
        listed.append(
            {"id": image_id, "file_name": one.image, "height": one.height, "width": one.width}
            | {key: value for key, value in stated.items() if value is not None}
        )
        for segmentation in one.cells():
            cell = {"id": len(cells) + 1, "image_id": image_id, "category_id": 1, "iscrowd": 0}
            cells.append(cell | {"segmentation": segmentation})
    categories = [{"supercategory": "cell", "id": 1, "name": "cell"}]
    content = {"images": listed, "annotations": cells, "categories": categories}
    with atomic.replacing(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
    return len(cells)
