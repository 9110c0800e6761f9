"""Outlines to COCO run lengths, and many of those at once to runs of pixels and label images."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numba import njit

_Sides = TypeVar("_Sides", int, np.ndarray)


def whole(value: Any) -> int | None:
    """A JSON number as int if it is a whole one, such as 3 or 3.0; else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer)):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value)


def of_cell(segmentation: Any, height: int, width: int) -> dict:
    """Compressed COCO run lengths of one cell; parameters as of :func:`.rasterize.rasterize`.

    Parts of an outline that have no three points cover nothing.

    Raises
    ------
    ValueError
        Run lengths are malformed or do not fit the image, or a corner lies far outside it.
    """
    from pycocotools import mask

    if isinstance(segmentation, Mapping):
        return {"size": [height, width], "counts": compressed(segmentation, height, width)}
    polygons = _parts_with_area(segmentation)
    _refuse_far_corners(polygons, height, width)
    if not polygons:
        return mask.encode(np.zeros((height, width), np.uint8, order="F"))
    return mask.merge(mask.frPyObjects(polygons, height, width))


def of_cells(segmentations: Sequence[Any], height: int, width: int) -> list[dict]:
    """As :func:`of_cell` for every cell, with one call for all of one polygon, which is most."""
    from pycocotools import mask

    parts = [[] if isinstance(s, Mapping) else _parts_with_area(s) for s in segmentations]
    single = [cell for cell, polygons in enumerate(parts) if len(polygons) == 1]
    polygons = [parts[cell][0] for cell in single]
    _refuse_far_corners(polygons, height, width)
    drawn = dict(
        zip(single, mask.frPyObjects(polygons, height, width) if single else [], strict=True)
    )
    return [
        drawn[cell] if cell in drawn else of_cell(segmentation, height, width)
        for cell, segmentation in enumerate(segmentations)
    ]


def _parts_with_area(polygons: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    return [part for part in polygons if len(part) >= 6 and len(part) % 2 == 0]


def margin(height: _Sides, width: _Sides) -> _Sides:
    """How far outside an image an outline may reach, pixels.

    Programs let outlines leave the frame; pycocotools walks along every pixel of them, and crashes
    on the way to 1e9.

    Parameters
    ----------
    height, width : of the image, pixels; numbers or arrays of them
    """
    return np.maximum(3 * np.maximum(height, width), 1000)


def _refuse_far_corners(polygons: Sequence[Sequence[float]], height: int, width: int) -> None:
    around = margin(height, width)
    for part in polygons:
        x, y = part[0::2], part[1::2]
        inside = -around <= min(x) and max(x) <= width + around
        inside &= -around <= min(y) and max(y) <= height + around
        if not (inside and math.isfinite(sum(part))):  # comparing passes over nan
            raise ValueError(f"an outline has a corner far outside an image of {height} x {width}")


def compressed(rle: Mapping, height: int, width: int) -> bytes:
    """Compressed counts of the run lengths of one cell, checked.

    pycocotools checks nothing: counts that do not fit the image write beyond its memory.

    Parameters
    ----------
    rle : COCO run lengths ``{"size": [height, width], "counts"}``, compressed (bytes or str) or not
        (a list of whole numbers)
    height, width : of the image, pixels

    Raises
    ------
    ValueError
        The size is not the image's, or the counts are malformed, negative or do not add up to the
        number of pixels. The message continues "its run-length encoding is broken: …".
    """
    from pycocotools import mask

    missing = [key for key in ("size", "counts") if key not in rle]
    if missing:
        raise ValueError(f"it has no '{missing[0]}'")
    size, counts = rle["size"], rle["counts"]
    if not isinstance(size, Sequence) or list(size) != [height, width]:
        raise ValueError(f"its size is {size}, but the image is {[height, width]} (height, width)")
    if isinstance(counts, list):
        numbers = [whole(count) for count in counts]
        if None in numbers:
            raise ValueError("its counts are not all whole numbers")
        if min(numbers, default=0) < 0:
            raise ValueError(f"its counts have the negative number {min(numbers)}")
        if sum(numbers) != height * width:
            raise ValueError(
                f"its counts add up to {sum(numbers)}, but the image has {height * width} pixels"
            )
        plain = {"size": [height, width], "counts": numbers}
        return mask.frPyObjects(plain, height, width)["counts"]
    if isinstance(counts, str):
        if counts[:2] in ("b'", 'b"'):
            raise ValueError(
                "its counts begin with b', as str() writes bytes: export counts.decode('ascii')"
            )
        if not counts.isascii():
            raise ValueError("its counts have characters that are not ASCII")
        counts = counts.encode("ascii")
    if not isinstance(counts, bytes):
        raise ValueError(f"its counts are neither text nor a list but {type(counts).__name__}")
    if not _add_up(np.frombuffer(counts, np.uint8), height * width):
        raise ValueError(
            f"its counts are no compressed run lengths of an image of {height * width} pixels"
        )
    return counts


@njit(cache=True, nogil=True)
def _number(chunks, place, end):
    """A number, the place after it, and whether it is well formed: not cut off, of 35 bits at most.

    These hold every number of pixels and the difference of two.
    """
    number, shift = np.int64(0), 0
    chunk = np.int64(0x20)
    is_well_formed = True
    while chunk & 0x20 and place < end:
        is_well_formed &= 48 <= chunks[place] < 112 and shift < 35
        chunk = np.int64(chunks[place]) - 48
        place += 1
        number |= (chunk & 0x1F) << shift
        shift += 5
    if chunk & 0x10:
        number -= np.int64(1) << shift
    return number, place, is_well_formed and not chunk & 0x20


@njit(cache=True, nogil=True)
def _add_up(chunks, n_pixels):
    """Whether compressed counts are well formed, none is negative, and they add up."""
    position = np.int64(0)
    index = 0
    place = 0
    previous, before_previous = np.int64(0), np.int64(0)
    while place < len(chunks):
        number, place, is_well_formed = _number(chunks, place, len(chunks))
        if index > 2:
            number += before_previous
        if not is_well_formed or number < 0 or position + number > n_pixels:
            return False
        position += number
        before_previous, previous = previous, number
        index += 1
    return position == n_pixels


def foreground_runs(
    counts: Sequence[bytes | str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode the compressed run lengths of many cells to their runs of foreground.

    The format is that of pycocotools (``rleToString`` in its ``maskApi.c``): columns one below
    the other, runs of background and foreground in turn, each number in chunks of five bits, and
    from the fourth run on as the difference to the run two before it.

    Parameters
    ----------
    counts : compressed run lengths, one a cell

    Returns
    -------
    cell : ndarray of shape (R,), int64; the cell of each run, ascending
    start, length : ndarray of shape (R,), int64; pixels, counted column by column
    """
    encoded = [item.encode("ascii") if isinstance(item, str) else item for item in counts]
    ends = np.cumsum([len(item) for item in encoded], dtype=np.int64)
    return _decode(np.frombuffer(b"".join(encoded), np.uint8), ends)


@njit(cache=True, nogil=True)
def _decode(chunks, ends):
    n_numbers = len(ends)  # one more a cell, should its last number be cut off
    for chunk in chunks:
        n_numbers += not (chunk - 48) & 0x20
    cells = np.empty(n_numbers, np.int64)
    starts = np.empty(n_numbers, np.int64)
    lengths = np.empty(n_numbers, np.int64)
    n_runs = 0
    place = 0
    for cell in range(len(ends)):
        position = np.int64(0)  # pixel where the next run begins
        index = 0
        previous, before_previous = np.int64(0), np.int64(0)
        while place < ends[cell]:
            number, place, _ = _number(chunks, place, ends[cell])
            if index > 2:
                number += before_previous
            if index % 2 == 1:
                cells[n_runs], starts[n_runs], lengths[n_runs] = cell, position, number
                n_runs += 1
            position += number
            before_previous, previous = previous, number
            index += 1
    return cells[:n_runs], starts[:n_runs], lengths[:n_runs]


def paint(
    cell: np.ndarray,
    start: np.ndarray,
    length: np.ndarray,
    order: np.ndarray,
    height: int,
    width: int,
) -> np.ndarray:
    """Paint runs into a label image, cells in the given order, later ones over earlier ones.

    Parameters
    ----------
    cell, start, length : from :func:`foreground_runs`
    order : ndarray of int, every cell once, the first one painted first

    Returns
    -------
    ndarray of shape (height, width), int32
        The value of a cell is its number plus one; 0 is background.
    """
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return _paint(cell, start, length, rank, height, width)


@njit(cache=True, nogil=True)
def _paint(cell, start, length, rank, height, width):
    on_top = np.zeros(height * width, np.int32)  # rank plus one of the cell seen in each pixel
    cell_of_rank = np.zeros(len(rank) + 1, np.int32)
    for number in range(len(rank)):
        cell_of_rank[rank[number] + 1] = number + 1
    for run in range(len(cell)):
        above = np.int32(rank[cell[run]] + 1)
        for pixel in range(start[run], start[run] + length[run]):
            on_top[pixel] = max(on_top[pixel], above)
    labels = np.empty((height, width), np.int32)
    for column in range(width):
        for row in range(height):
            labels[row, column] = cell_of_rank[on_top[column * height + row]]
    return labels
