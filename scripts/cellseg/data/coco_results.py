"""Predicted cells as COCO results: a JSON list of detections, one a cell.

The format is that of pycocotools' ``loadRes`` (https://cocodataset.org/#format-results):
``{"image_id", "segmentation", "score"}``, with an outline or run lengths as segmentation.
``image_id`` is the id of the annotation files, or the name of the image file.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cellseg.data import coco, coco_annotation, image_files, run_lengths
from cellseg.data.true_cells import draw
from cellseg.errors import UserError
from cellseg.io.wording import number_of


class Detection(NamedTuple):
    """A predicted cell: outline or run lengths, and its score; NaN for none."""

    segmentation: Any
    score: float


def read(path: str | Path, images: pd.DataFrame) -> dict[str, list[Detection]]:
    """Read the detections of the images to be scored.

    Parameters
    ----------
    path : JSON file: a list of detections, or a COCO file whose ``annotations`` they are
    images : rows of an images table, with image, image_id and path

    Returns
    -------
    dict of image to its detections, in file order; an image without any has an empty list

    Raises
    ------
    UserError
        The file is no such JSON, a detection is broken, or none is of any image.
    """
    names = _names(images)
    found: dict[str, list[Detection]] = {image: [] for image in images["image"]}
    others, first, without_area = 0, None, 0
    detections, listed = _opened(path)
    for entry in detections:
        if not isinstance(entry, dict) or "image_id" not in entry:
            raise UserError(f"{path}: {str(entry)[:80]!r} is no detection with an image_id.")
        name = entry["image_id"]
        image = _image_of(listed.get(name, name) if isinstance(name, Hashable) else None, names)
        if image is None:
            others += 1
            first = name if first is None else first
            continue
        detection = _detection(path, entry)
        if detection.segmentation:
            found[image].append(detection)
        else:
            without_area += 1
    if without_area:
        print(
            f"{number_of(without_area, 'detection')} of {path} left out: outlines of fewer than "
            "three points cover no pixel."
        )
    if not any(found.values()):
        of = f" The first of {others} is of image_id {str(first)[:60]!r}." if others else ""
        raise UserError(
            f"{path} has no detection of an image to be scored.{of} Write the name of the image "
            "file as image_id, or the id that the annotation files give it."
        )
    if others:
        print(f"{number_of(others, 'detection')} of {path} are of no image to be scored.")
    return found


def paint(
    detections: Sequence[Detection], height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Paint detections into a label image: where two overlap, the higher score is on top.

    Without scores the smaller one is on top, so that none is buried. A cell without a visible pixel
    is left out.

    Parameters
    ----------
    detections : of one image
    height, width : of the image, pixels

    Returns
    -------
    labels : ndarray of shape (height, width), int32; cells 1..n in the order of the detections
    scores : ndarray of shape (n,), float64; NaN for none

    Raises
    ------
    ValueError
        An outline or run lengths do not fit the image.
    """
    cells = draw([one.segmentation for one in detections], height, width)
    scores = np.array([one.score for one in detections], np.float64)
    ranked = -cells.pixels if np.isnan(scores).any() else scores
    order = np.argsort(ranked, kind="stable")
    runs = cells.cell_of_runs, cells.start, cells.length
    painted = run_lengths.paint(*runs, order, height, width)
    visible = np.unique(painted[painted > 0])
    number = np.zeros(len(detections) + 1, np.int32)
    number[visible] = np.arange(1, len(visible) + 1)
    return number[painted], scores[visible - 1]


def _opened(path: str | Path) -> tuple[Iterator[Any], dict[Hashable, str]]:
    """Detections one by one, and the file name of each image id that the file itself lists."""
    if coco.is_list(path):
        return coco.items(path, "item"), {}
    try:
        listed = {image["listed_id"]: image["file_name"] for image in coco.read_images(path)}
    except UserError as error:
        raise UserError(f"{error} Or write a list of detections (COCO results).") from error
    return coco.annotations(path), listed


def _names(images: pd.DataFrame) -> dict[Hashable, str | None]:
    """The image that a detection may call so; None where several may."""
    names: dict[Hashable, str | None] = {}
    for row in images[["image", "image_id", "path"]].itertuples():
        path = PurePosixPath(Path(row.path).as_posix())
        image = PurePosixPath(row.image)
        for name in dict.fromkeys(
            [int(row.image_id), row.image, image.name, image.stem, path.name, path.stem]
        ):
            names[name] = row.image if names.get(name, row.image) == row.image else None
    folded: dict[str, str | None] = {}
    for name, image in names.items():
        if isinstance(name, str):
            other = image_files.fold(name)
            folded[other] = image if folded.get(other, image) == image else None
    return folded | names


def _image_of(listed: Hashable, names: Mapping[Hashable, str | None]) -> str | None:
    """The image of a name or id; a name may have folders in front, and an id may be text."""
    if isinstance(listed, str):
        for spelling in image_files.spellings(listed):
            path = PurePosixPath(spelling)
            for name in (spelling, path.name, path.stem):
                known = names.get(name) or names.get(image_files.fold(name))
                if known:
                    return known
        listed = coco_annotation.other_form(listed)
    number = run_lengths.whole(listed)
    return None if number is None else names.get(number)


def _detection(path: str | Path, entry: dict) -> Detection:
    """One entry, checked as far as it can be without its image."""
    segmentation = coco_annotation.segmentation(entry)
    try:
        if not segmentation:
            raise coco_annotation.malformed(
                entry, "it has no 'segmentation', and a box alone is no cell"
            )
        if not isinstance(segmentation, Mapping):
            segmentation = [
                coco_annotation.coordinates(entry, part).tolist()
                for part in coco_annotation.parts(entry, segmentation)
                if coco_annotation.has_area(part)
            ]
        score = entry.get("score")
        if score is None:
            return Detection(segmentation, np.nan)
        if isinstance(score, bool) or not isinstance(score, (int, float)) or score != score:
            # As the reader gives them, which are no JSON.
            shown = "NaN or infinite" if score == [] else repr(str(score)[:60])
            raise coco_annotation.malformed(entry, f"its 'score' is {shown}")
    except UserError as error:
        raise UserError(f"{path}: image_id {str(entry['image_id'])[:60]}, {error}") from error
    return Detection(segmentation, float(score))
