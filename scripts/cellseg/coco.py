"""Reading MS-COCO annotations as a stream, however long the file is."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from cellseg.cells import Cells
from cellseg.errors import UserError

BUFFER = 1 << 20  # bytes handed to the JSON parser at a time


def read_images(path: str | os.PathLike) -> list[dict]:
    """Read the ``images`` of a COCO file: dicts with ``id``, ``file_name``, ``height``, ``width``.

    Raises
    ------
    UserError
        The file is no complete JSON, has no list of images, or an image lacks one of the four or
        has an id that is no whole number.
    """
    import ijson

    with _parsing(path) as file:
        # Stops right after the list, which is near the beginning in the published files.
        images = next(ijson.items(file, "images", buf_size=BUFFER, use_float=True), None)
    if isinstance(images, dict):
        images = list(images.values())
    if not isinstance(images, list):
        raise UserError(f"{path} is not a COCO file: it has no list 'images'.")
    for image in images:
        _check_image(path, image)
    repeated = [key for key, n in Counter(image["id"] for image in images).items() if n > 1]
    if repeated:
        raise UserError(f"{path}: the image id {repeated[0]} occurs twice. Make the ids unique.")
    return images


def _check_image(path: str | os.PathLike, image: Any) -> None:
    if not isinstance(image, dict):
        raise UserError(f"{path}: 'images' holds {image!r}, which describes no image.")
    for key in ("id", "file_name", "height", "width"):
        if key not in image:
            raise UserError(f"{path}: image {image} has no '{key}'.")
    if not _is_whole(image["id"]):
        raise UserError(
            f"{path}: the image id {image['id']!r} is no whole number. Number the images 1, 2, … "
            "and give the 'image_id' of their annotations the same numbers."
        )
    for key in ("height", "width"):
        if not _is_whole(image[key]) or image[key] < 1:
            raise UserError(f"{path}: image {image} has a '{key}' that is no number of pixels.")
    if not isinstance(image["file_name"], str) or not PurePosixPath(image["file_name"]).name:
        raise UserError(f"{path}: image {image} has a 'file_name' that names no file.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def read_cells(path: str | os.PathLike, images: list[dict]) -> Cells:
    """Read the ``annotations`` of a COCO file, a list or a dict keyed by id, as a stream.

    Parameters
    ----------
    path : path of the JSON
    images : what :func:`read_images` returned

    Raises
    ------
    UserError
        The file is no complete JSON (a broken transfer), an annotation is malformed, or none
        belongs to an image of the list.
    """
    cells = Cells({image["id"]: (image["height"], image["width"]) for image in images})
    try:
        for annotation in _annotations(path):
            cells.add(annotation)
    except UserError as error:
        raise error if str(path) in str(error) else UserError(f"{path}: {error}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: an annotation is malformed ({error}).") from error
    if images and cells.unknown and not cells.belong():
        raise UserError(
            f"{path}: no annotation belongs to an image of the list: the first 'image_id' is "
            f"{next(iter(cells.unknown))!r}, the first image has the id {images[0]['id']}. "
            "Give both the same numbers."
        )
    return cells


def _annotations(path: str | os.PathLike) -> Iterator[dict]:
    import ijson

    options = {"buf_size": BUFFER, "use_float": True}
    with _parsing(path) as file:
        events = ijson.parse(file, **options)
        starts = ("start_array", "start_map")
        form = next((e for prefix, e, _ in events if prefix == "annotations" and e in starts), None)
    if form is None:
        raise UserError(f"{path} is not a COCO file: it has no 'annotations'.")
    with _parsing(path) as file:
        if form == "start_array":
            yield from ijson.items(file, "annotations.item", **options)
        else:
            for key, annotation in ijson.kvitems(file, "annotations", **options):
                yield {"id": key, **annotation}


@contextmanager
def _parsing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a JSON file; a syntax error in it becomes a message for the user."""
    import ijson

    if not os.path.isfile(path):
        raise UserError(f"{path} does not exist.")
    try:
        with open(path, "rb") as file:
            yield file
    except ijson.JSONError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{path} is no complete JSON ({reason}): a broken transfer leaves such a file. "
            "Delete it and fetch it again."
        ) from error
