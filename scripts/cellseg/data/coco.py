"""Reading MS-COCO annotations as a stream, however long the file is."""

import math
import os
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

from cellseg.data.coco_cells import Cells
from cellseg.data.run_lengths import whole
from cellseg.errors import UserError
from cellseg.io import json_stream

BUFFER = 1 << 20  # bytes handed to the JSON parser at a time
MOST_PIXELS = 1 << 31  # of an image; run lengths count no further
LARGEST_ID = (1 << 63) - 1
STATED = ("cell_type", "well")
"""Keys that this program adds to the format: an image may say what its name and folder do not."""


def read_images(path: str | os.PathLike) -> list[dict]:
    """Read the ``images`` of a COCO file.

    Returns
    -------
    list of dict
        Each with ``id``, ``listed_id``, ``file_name``, ``height`` and ``width`` (pixels),
        ``cell_type`` and ``well`` (None where the file does not say). ``id`` is
        a whole number of 64 bits: the listed one, or the position in the list (from 1) if any
        listed id is text or a larger number. ``listed_id`` is what annotations call the image.

    Raises
    ------
    UserError
        The file is no complete JSON or has no list of images; an image lacks one of the first
        four; an id is neither a whole number nor text, or occurs twice; or a cell type or well is
        no text.
    """
    # Stops right after the list, which is near the beginning in the published files.
    images = next(items(path, "images"), None)
    if isinstance(images, dict):
        images = list(images.values())
    if not isinstance(images, list):
        raise UserError(
            f"{path} is not a COCO file: it has no list 'images'. Export COCO JSON from the "
            "program that the cells were outlined with."
        )
    images = [_checked(path, image) for image in images]
    repeated = [key for key, n in Counter(image["listed_id"] for image in images).items() if n > 1]
    if repeated:
        raise UserError(f"{path}: the image id {repeated[0]!r} occurs twice. Make the ids unique.")
    if not all(_fits(image["listed_id"]) for image in images):
        for number, image in enumerate(images, 1):
            image["id"] = number
    return images


def _checked(path: str | os.PathLike, image: Any) -> dict:
    """One entry of the list of images, its numbers as int."""
    if not isinstance(image, dict):
        raise UserError(f"{path}: 'images' holds {_shown(image)}, which describes no image.")
    for key in ("id", "file_name", "height", "width"):
        if key not in image:
            raise UserError(f"{path}: image {_shown(image)} has no '{key}'. Add it.")
    listed = image["id"] if isinstance(image["id"], str) else whole(image["id"])
    if listed is None:
        raise UserError(
            f"{path}: the image id {_shown(image['id'])} is no whole number and no text. Number "
            "the images 1, 2, … and give the 'image_id' of their annotations the same numbers."
        )
    height, width = whole(image["height"]), whole(image["width"])
    for key, value in (("height", height), ("width", width)):
        if value is None or value < 1:
            raise UserError(
                f"{path}: image {_shown(image)} has a '{key}' that is no number of pixels. Write "
                "the one of the image file."
            )
    if height * width >= MOST_PIXELS:
        raise UserError(
            f"{path}: image {_shown(image)} has more than {MOST_PIXELS - 1} pixels. Correct the "
            "size, or cut the image into pieces."
        )
    name = image["file_name"]
    if not isinstance(name, str) or not PurePosixPath(name).name:
        raise UserError(
            f"{path}: image {_shown(image)} has a 'file_name' that names no file. Write the name "
            "of the image file."
        )
    for key in STATED:
        if not isinstance(image.get(key), str | None) or image.get(key) == "":
            raise UserError(
                f"{path}: image {_shown(image)} has a '{key}' that is no text. Correct it, or "
                "leave it out."
            )
    stated = {key: image.get(key) for key in STATED}
    size = {"height": height, "width": width}
    return {"id": listed, "listed_id": listed, "file_name": name, **size, **stated}


def _fits(listed: int | str) -> bool:
    return isinstance(listed, int) and -LARGEST_ID <= listed <= LARGEST_ID


def _shown(value: object) -> str:
    """What a message shows of a value, which may be long."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def read_cells(path: str | os.PathLike, images: list[dict], crowds_as_cells: bool = False) -> Cells:
    """Read the ``annotations`` of a COCO file, a list or a dict keyed by id, as a stream.

    Parameters
    ----------
    path : path of the JSON
    images : what :func:`read_images` returned
    crowds_as_cells : whether ``iscrowd: 1`` marks a cell like any other

    Raises
    ------
    UserError
        The file is no complete JSON, an annotation is malformed, or none belongs to an image of the
        list.
    """
    cells = Cells(
        {image["listed_id"]: (image["height"], image["width"]) for image in images},
        numbers={image["listed_id"]: image["id"] for image in images},
        crowds_as_cells=crowds_as_cells,
    )
    annotation: Any = None
    try:
        for annotation in annotations(path):
            cells.add(annotation)
        cells.check_coordinates()
    except UserError as error:
        raise error if str(path) in str(error) else UserError(f"{path}: {error}") from error
    if images and cells.unknown and not cells.belong():
        raise UserError(
            f"{path}: no annotation belongs to an image of the list: the first 'image_id' is "
            f"{_shown(next(iter(cells.unknown)))}, the first image has the id "
            f"{_shown(images[0]['listed_id'])}. Give both the same numbers."
        )
    return cells


def annotations(path: str | os.PathLike) -> Iterator[Any]:
    """Annotations of a COCO file one by one.

    Of a dict keyed by id, with the key as id unless they have one.
    """
    import ijson

    with json_stream.opened(path) as file:
        events = ijson.parse(file, buf_size=BUFFER, use_float=False)
        starts = ("start_array", "start_map")
        form = next((e for prefix, e, _ in events if prefix == "annotations" and e in starts), None)
    if form is None:
        raise UserError(
            f"{path} is not a COCO file: it has no 'annotations'. Write an empty list if no cells "
            "are outlined."
        )
    if form == "start_array":
        yield from items(path, "annotations.item")
        return
    for key, annotation in items(path, "annotations", "kvitems"):
        yield {"id": key, **annotation} if isinstance(annotation, dict) else annotation


def is_list(path: str | os.PathLike) -> bool:
    """Whether a JSON file holds a list at its top level, as COCO results do.

    Raises
    ------
    UserError
        The file is missing, empty or no JSON.
    """
    import ijson

    with json_stream.opened(path) as file:
        _, event, _ = next(iter(ijson.parse(file, buf_size=BUFFER, use_float=False)))
    return event == "start_array"


def items(path: str | os.PathLike, prefix: str, function: str = "items") -> Iterator[Any]:
    """Values below a prefix, floating-point numbers as float, whole ones as int of any size."""
    import ijson

    given = 0
    with json_stream.opened(path) as file:
        try:
            # With `use_float` the parser takes no integer of more than 64 bits, without it is slow.
            parse = getattr(ijson, function)
            for item in parse(file, prefix, buf_size=BUFFER, use_float=True):
                yield item
                given += 1
            return
        except ijson.JSONError as error:
            if "overflow" not in str(error):
                raise
    with json_stream.opened(path) as file:
        for number, item in enumerate(parse(file, prefix, buf_size=BUFFER, use_float=False)):
            if number >= given:
                yield _with_floats(item)


def _with_floats(value: Any) -> Any:
    """The value, decimal numbers in it as float (infinite if they are too large for one)."""
    if isinstance(value, Decimal):
        number = float(value)
        return number if math.isfinite(number) else []  # as json_stream reads Infinity
    if isinstance(value, dict):
        return {key: _with_floats(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_with_floats(inner) for inner in value)
    return value
