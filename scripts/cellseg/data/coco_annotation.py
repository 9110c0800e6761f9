"""What one annotation of a COCO file says, in the forms in which programs write it.

Functions raise a :class:`cellseg.errors.UserError` that names the annotation if they cannot.
"""

import re
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from cellseg.data.run_lengths import whole
from cellseg.errors import UserError


def malformed(annotation: Mapping, what: str) -> UserError:
    """The error that names an annotation; the caller names the file."""
    return UserError(f"annotation {str(annotation.get('id'))[:60]}: {what}. Correct or remove it.")


def is_crowd(annotation: Mapping) -> bool:
    """Whether it is a region of unseparated cells."""
    value = annotation.get("iscrowd") or 0
    if value not in (0, 1, "0", "1"):
        raise malformed(annotation, f"its 'iscrowd' is {str(value)[:60]!r}, neither 0 nor 1")
    return bool(int(value))


def segmentation(annotation: Mapping) -> Any:
    """Run lengths or an outline; run lengths also if they are the only entry of a list."""
    given = annotation.get("segmentation")
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], Mapping):
        return given[0] if "counts" in given[0] else given
    return given


def parts(annotation: Mapping, segmentation: Any) -> list[list]:
    """The polygons of an outline, each a flat list ``[x1, y1, x2, y2, …]``.

    Besides the list of such lists that COCO asks for, programs write one polygon without its outer
    list, and points as pairs.

    Parts with an odd count of numbers, or without three points, are returned as they are; all
    values in them are numbers. Values of the others are for the caller to check, see
    :func:`coordinates`.
    """
    if segmentation is None or segmentation is False or segmentation == []:
        return []
    if not isinstance(segmentation, list):
        raise malformed(annotation, "its 'segmentation' is neither a list nor run lengths")
    if isinstance(segmentation[0], Mapping):
        raise malformed(
            annotation,
            "its 'segmentation' is a list of objects. Write polygons as lists of numbers, and run "
            "lengths of a cell as one object",
        )
    if not isinstance(segmentation[0], list):
        coordinates(annotation, segmentation)
        return [segmentation]
    if not all(isinstance(part, list) for part in segmentation):
        raise malformed(annotation, "its 'segmentation' has numbers next to polygons")
    if len(segmentation) > 2 and all(len(part) == 2 for part in segmentation):
        segmentation = [segmentation]  # points of one polygon: one of two numbers has no area
    flat = [
        [value for point in part for value in point]
        if part and all(isinstance(point, list) and len(point) == 2 for point in part)
        else part
        for part in segmentation
    ]
    for part in flat:
        if not has_area(part):
            coordinates(annotation, part)
    return flat


def has_area(part: Sequence) -> bool:
    """Whether a polygon has three points or more, and no coordinate without its partner."""
    return len(part) >= 6 and len(part) % 2 == 0


def coordinates(annotation: Mapping, part: Sequence) -> array:
    """The values of a polygon as float64."""
    try:
        return array("d", part)
    except (TypeError, OverflowError) as error:
        raise malformed(
            annotation, "its 'segmentation' has a coordinate that is no number"
        ) from error


def _is_number(value: Any) -> bool:
    """Whether it is a number that a float can hold."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max


def area(annotation: Mapping) -> float | None:
    """The published area; None, so that it is computed, where that is no positive number."""
    published = annotation.get("area")
    return published if _is_number(published) and published > 0 else None


def box(annotation: Mapping) -> Sequence[float] | None:
    """The published box; None, so that it is computed, where there is none or it is turned.

    Turned boxes have a fifth number, the angle. A box with a value that is no number is no box.
    """
    given = annotation.get("bbox") or []
    if not isinstance(given, list) or len(given) not in (0, 4, 5):
        raise malformed(annotation, f"its 'bbox' is {str(given)[:60]}, not x, y, width and height")
    sound = len(given) == 4 and all(map(_is_number, given)) and given[2] >= 0 and given[3] >= 0
    return given if sound else None


def number(annotation: Mapping, otherwise: int) -> int:
    """The annotation's id; where that is no whole number of 64 bits, the given number."""
    value = annotation.get("id")
    if isinstance(value, str) and re.fullmatch("[0-9]{1,19}", value):  # the key of a dict
        value = int(value)
    listed = whole(value)
    return listed if listed is not None and abs(listed) < 1 << 63 else otherwise


def other_form(listed: object) -> object:
    """An id as number if it is text, and as text if it is a number; None if it has no such form."""
    if isinstance(listed, str):
        return int(listed) if re.fullmatch("-?[0-9]{1,19}", listed, re.ASCII) else None
    number = whole(listed)
    return None if number is None else str(number)
