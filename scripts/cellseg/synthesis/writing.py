"""The synthetic images of a split on disk, in the layout of LIVECell, made a few at a time."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from cellseg.data import annotation_tables
from cellseg.data.coco_cells import shoelace_area
from cellseg.errors import UserError
from cellseg.images import reading
from cellseg.io import made_files
from cellseg.io.atomic import replacing, write_json
from cellseg.runtime.parallel import ordered_map
from cellseg.synthesis import names
from cellseg.synthesis.frame import Frame, extend

HEADER = {
    "info": {
        "year": "2021",
        "version": "1.0",
        "description": "Cells of LIVECell-like images at new places, in the layout of LIVECell",
        "contributor": "livecell-bench",
        "url": "",
        "date_created": "2021/01/19",
    },
    "licenses": [],
    "categories": [{"supercategory": "cell", "id": 1, "name": "cell"}],
}


def write(
    images_table: str | os.PathLike,
    cells_table: str | os.PathLike,
    source: str | os.PathLike,
    split: str,
    count: int,
    doublings: float,
    confluence: Sequence[float],
    seed: int,
    processes: int = 1,
) -> None:
    """Make the synthetic images of every image of a split.

    Writes ``images/<cell type>/<image>~synthetic-<number>.tif`` and ``<split>.json`` next to
    `source`; what lies there of an earlier call goes.

    Parameters
    ----------
    images_table, cells_table : tables of the split, see :mod:`cellseg.data.annotation_tables`
    source : JSON to write, the description of the synthetic data set that
        :func:`cellseg.data.annotations.parse` reads, with a digest of all of it
    split : of the real images; that of the synthetic ones, too
    count : synthetic images of each real one
    doublings, confluence : see :func:`cellseg.synthesis.levels.levels`
    seed : of all randomness
    processes : worker processes; the result does not depend on their number

    Raises
    ------
    UserError
        An image is broken or not as its annotations say.
    """
    folder = Path(source).parent
    shutil.rmtree(folder / "images", ignore_errors=True)
    table = made_files.read_parquet(images_table).set_index("image")
    pictures = dict(zip(table.index, annotation_tables.pictures(table), strict=True))
    jobs = (
        (image, pictures[image]._replace(shape=(height, width)), outlines)
        for image, height, width, outlines, _ in annotation_tables.segmentations(
            images_table, cells_table
        )
    )
    work = partial(
        _extend_image, count=count, doublings=doublings, confluence=tuple(confluence), seed=seed
    )
    digest = hashlib.sha256()
    n_full = 0
    annotations = folder / f"{split}.json"
    with replacing(annotations) as temporary, temporary.open("w", encoding="utf-8") as file:
        coco = _CocoWriter(file)
        for done, (image, frames) in enumerate(ordered_map(work, jobs, processes), start=1):
            for number, (content, shape, cells, full) in enumerate(frames, start=1):
                n_full += full
                name = names.name(image, number)
                path = folder / "images" / table.cell_type[image] / f"{name}.tif"
                with replacing(path) as aside:
                    aside.write_bytes(content)
                digest.update(content)
                coco.add(f"{table.cell_type[image]}/{name}.tif", shape, cells)
            if done % 20 == 0 or done == len(table):
                print(f"extended {done} of {len(table)} images", flush=True)
        print(
            f"{n_full} of {count * len(table)} synthetic images were full before as dense as asked."
        )
        coco.close()
    with annotations.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    described = {
        "dataset": f"synthetic images of {split}",
        "images": str(folder / "images"),
        "annotations": {split: str(annotations)},
        "digest": digest.hexdigest(),  # so that what depends on the images is made again with them
    }
    write_json(source, described)


def _extend_image(
    job: tuple[str, reading.Picture, list], **settings
) -> tuple[str, list[tuple[bytes, tuple[int, int], list, bool]]]:
    """Synthetic images of an image: file, shape, cells as JSON has them, full too early or not."""
    import cv2

    cv2.setNumThreads(1)  # the processes share the cores
    image, picture, outlines = job
    grey, shape = picture.read(), picture.shape
    if grey.shape != shape:
        raise UserError(
            f"{picture.path} has {grey.shape} pixels, its annotations say {shape}. Correct the "
            "annotations or replace the image."
        )
    frames = extend(image, grey, outlines, **settings)
    return image, [
        (reading.as_tiff(frame.image), shape, records(frame), frame.confluence < frame.asked - 0.02)
        for frame in frames
    ]


def records(frame: Frame) -> list[dict]:
    """Outline, area and box of each cell, as in LIVECell: areas of polygons, not of pixels."""
    from pycocotools import mask

    found = []
    for outline in frame.outlines:
        segmentation: Any
        if isinstance(outline, list):
            parts = [np.round(part, 2) for part in outline]
            segmentation = [part.ravel().tolist() for part in parts]
            area = sum(shoelace_area(part) for part in segmentation)
            points = np.concatenate(parts)
            low, high = points.min(0), points.max(0)
        else:
            encoded = mask.encode(np.asfortranarray(outline, np.uint8))
            segmentation = {"size": encoded["size"], "counts": encoded["counts"].decode()}
            area = float(np.count_nonzero(outline))
            points = np.argwhere(outline)[:, ::-1].astype(float)
            low, high = points.min(0), points.max(0) + 1
        box = [*low.tolist(), *(high - low).tolist()]
        found.append({"segmentation": segmentation, "area": area, "bbox": box, "iscrowd": 0})
    return found


class _CocoWriter:
    """Writes a COCO JSON cell by cell: those of a large data set do not fit into memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._images: list[dict] = []
        self._cells = 0
        self._file.write(json.dumps(HEADER)[:-1] + ', "annotations": [')

    def add(self, name: str, shape: tuple[int, int], cells: list[dict]) -> None:
        """Add an image with its cells."""
        height, width = shape
        identity = len(self._images) + 1
        self._images.append({"id": identity, "width": width, "height": height, "file_name": name})
        for record in cells:
            self._file.write(",\n" if self._cells else "\n")
            self._cells += 1
            record = {"id": self._cells, "image_id": identity, "category_id": 1, **record}
            self._file.write(json.dumps(record))

    def close(self) -> None:
        """Finish the file."""
        self._file.write('\n], "images": ' + json.dumps(self._images) + "}\n")
