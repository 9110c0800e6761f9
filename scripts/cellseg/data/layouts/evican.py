"""EVICAN (Schwendy et al., Bioinformatics 2020): COCO files with the categories cell and nucleus.

``instances_train2019_EVICAN2.json``, ``instances_val2019_EVICAN2.json`` and
``instances_eval2019_{easy,medium,difficult}_EVICAN2.json``, anywhere below the folder, with the
images in folders ``EVICAN_train2019``, ``EVICAN_val2019`` and ``EVICAN_eval2019``.
"""

import re
from collections.abc import Hashable
from functools import partial
from pathlib import Path

from cellseg.data import coco, coco_annotation
from cellseg.data.image_files import ImageFiles
from cellseg.data.layouts.listed import Found, Listed
from cellseg.errors import UserError

SPLIT_OF = {"train": None, "val": "val", "eval": "test"}
_NAME = re.compile(r"instances_(train|val|eval)2019\w*_EVICAN2\.json")
CELL = "cell"


def read(folder: Path) -> Found:
    """Images with the outlines of cells; those of nuclei are left out.

    Raises
    ------
    UserError
        There are no annotations, or a file is broken or lacks the category of cells or an image.
    """
    paths = sorted(path for path in folder.rglob("*.json") if _NAME.fullmatch(path.name))
    if not paths:
        raise UserError(
            f"{folder} holds no instances_train2019_EVICAN2.json or the like. Put the annotations "
            "of EVICAN2 and the unpacked folders of images there."
        )
    files = ImageFiles(folder)
    images: dict[str, Listed] = {}
    for path in paths:
        part = _NAME.fullmatch(path.name)[1]
        outlines = _outlines(path)
        for one in coco.read_images(path):
            file = files.find(f"EVICAN_{part}2019/{one['file_name']}")
            if file is None:
                raise UserError(
                    f"{path} annotates {one['file_name']}, which is not in a folder "
                    f"EVICAN_{part}2019 below {folder}. Unpack EVICAN_{part}2019.zip there."
                )
            name = file.relative_to(folder).as_posix()
            cells = partial(outlines.get, one["listed_id"], [])
            size = one["height"], one["width"]
            images[name] = Listed(name, *size, cells, "cells", split=SPLIT_OF[part])
    return Found(folder, [images[name] for name in sorted(images)])


def _outlines(path: Path) -> dict:
    """Segmentations of cells by the id of their image."""
    categories = next(coco.items(path, "categories"), None) or []
    listed = [one for one in categories if isinstance(one, dict) and "id" in one]
    wanted = [one["id"] for one in listed if str(one.get("name", "")).lower() == CELL]
    if not wanted:
        names = ", ".join(str(one.get("name")) for one in listed)
        raise UserError(
            f"{path} has no category '{CELL}', but: {names or 'none'}. Download EVICAN2 again."
        )
    outlines: dict = {}
    for annotation in coco.annotations(path):
        if not isinstance(annotation, dict):
            raise UserError(
                f"{path}: 'annotations' holds {str(annotation)[:80]!r}, which is no annotation. "
                "Remove it."
            )
        if annotation.get("category_id") not in wanted:
            continue
        image_id = annotation.get("image_id")
        if image_id is None or not isinstance(image_id, Hashable):
            error = coco_annotation.malformed(annotation, "its 'image_id' is no number")
            raise UserError(f"{path}: {error}")
        outlines.setdefault(image_id, []).append(annotation.get("segmentation"))
    return outlines
