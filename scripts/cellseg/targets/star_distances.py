"""Distances from each pixel of a cell to its border along rays, as StarDist (2018) learns them.

A ray starts at the middle of a pixel and is followed in steps of one pixel, each rounded to the
nearest pixel, until that pixel is of another label or outside the image. From there it goes back by
so much that along rows and columns it ends on the border; other rays miss it by half a pixel at
most. Steps and distances are float32, so that values are those of ``stardist.geometry.star_dist``
(0.9.2, in C++), bit for bit.

The steps are those of all pixels together, of one connected piece after the other: after step n the
pixels whose rays are still inside are those inside after step n - 1, of which the pixel at the
offset of step n is inside too. On bytes the compiler turns that into vector instructions.

Schmidt, Weigert, Broaddus and Myers, Cell Detection with Star-Convex Polygons, MICCAI 2018.
"""

import functools

import numpy as np
from numba import njit

from cellseg.targets.distances import (
    largest_of,
    roots_of_shares,
    runs_by_piece,
    runs_of_pieces,
    squares_to_others,
)

_TOGETHER = 256  # pixels; what is left over of them would be counted one by one
_LONGEST = 250  # diagonal of a piece whose steps are counted in bytes, pixels


N_RAYS = 32
"""Rays of the head, as StarDist's default."""


GRID = 2
"""Rows and columns from one value of the head's target to the next, unless settings say."""


def target(labels: np.ndarray, grid: int = GRID) -> np.ndarray:
    """Distances along rays, and how much each pixel weighs in the loss.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    grid : int
        Take each `grid`-th row and column; StarDist's networks predict no others.

    Returns
    -------
    ndarray of shape (ceil(H / grid), ceil(W / grid), N_RAYS + 1), float32
        Distances in pixels of the image; last the object probability, which is the weight.
    """
    rows, columns = (-(-length // grid) for length in labels.shape)
    out = np.zeros((rows, columns, N_RAYS + 1), np.float32)
    fill_star_distances(np.ascontiguousarray(labels, np.int32), grid, out[..., :-1])
    out[..., -1] = object_probability(labels, grid)
    return out


def probability_target(labels: np.ndarray) -> np.ndarray:
    """:func:`object_probability` of each pixel."""
    return object_probability(labels)


def turned(rays: np.ndarray, quarters: int, mirrored: bool) -> np.ndarray:
    """Values of rays once the image is mirrored left to right and turned: they change places.

    Parameters
    ----------
    rays : ndarray of shape (..., n_rays); their number is a multiple of 4
    quarters, mirrored : see :class:`cellseg.targets.heads.Head`

    Returns
    -------
    ndarray of the shape of `rays`
    """
    n_rays = rays.shape[-1]
    if mirrored:  # east becomes west, south stays south
        rays = rays[..., (n_rays // 2 - np.arange(n_rays)) % n_rays]
    return np.roll(rays, -quarters * (n_rays // 4), axis=-1)  # east becomes north


def star_distances(labels: np.ndarray, n_rays: int = 32, grid: int = 1) -> np.ndarray:
    """Distance to the border of the cell along rays.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
        0 is background. (StarDist keeps the lowest 16 bits of a label; here all count.)
    n_rays : int
        Ray ``k`` has the direction ``sin(2 pi k / n_rays)`` along the rows and
        ``cos(2 pi k / n_rays)`` along the columns.
    grid : int
        Take each `grid`-th row and column, from the first; distances stay those of the full image.

    Returns
    -------
    ndarray of shape (ceil(H / grid), ceil(W / grid), n_rays), float32; pixels; 0 in the background
    """
    rows, columns = (-(-length // grid) for length in labels.shape)
    out = np.zeros((rows, columns, n_rays), np.float32)
    fill_star_distances(np.ascontiguousarray(labels, np.int32), grid, out)
    return out


def fill_star_distances(labels: np.ndarray, grid: int, out: np.ndarray) -> None:
    """Write what :func:`star_distances` returns into `out`, which holds zeros.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32, contiguous
    grid : see :func:`star_distances`
    out : ndarray of shape (ceil(H / grid), ceil(W / grid), n_rays), float32
    """
    longest = 1 << int(np.hypot(*labels.shape) + 4).bit_length()
    runs = runs_of_pieces(labels)
    _fill(labels, runs, grid, *_tables(out.shape[-1], longest, grid), out)


def object_probability(labels: np.ndarray, grid: int = 1) -> np.ndarray:
    """Distance to the nearest pixel outside of the cell, divided by the largest in the cell.

    Equal to ``stardist.utils.edt_prob`` but for rounding. The border of the image is no border of a
    cell, unless one cell fills the image.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; 0 is background; H + W below 30,000
    grid : int
        Take each `grid`-th row and column first.

    Returns
    -------
    ndarray of shape (ceil(H / grid), ceil(W / grid)), float32; in [0, 1], 0 in the background
    """
    labels = np.ascontiguousarray(labels[::grid, ::grid], np.int32)
    if labels.max(initial=0) > labels.size:
        numbers = np.unique(np.append(0, labels), return_inverse=True)[1][1:]
        labels = numbers.reshape(labels.shape).astype(np.int32)
    is_full = labels.size > 0 and labels[0, 0] > 0 and bool((labels == labels[0, 0]).all())
    # Called one by one, since all that a kernel calls is compiled with it once more.
    run_row, start, end, _, _ = runs_of_pieces(labels)
    squares = squares_to_others(labels, run_row, start, end, is_full)
    return _share_of_largest_distance(labels, run_row, start, end, squares)


@njit(cache=True, nogil=True)
def _share_of_largest_distance(labels, run_row, start, end, squares):
    largest = np.ones(labels.max() + 1 if labels.size else 1, np.int32)
    for run in range(len(run_row)):
        row, first = run_row[run], start[run]
        value = labels[row, first]
        largest[value] = max(largest[value], largest_of(squares[row, first : end[run]]))
    of_pixels = np.empty(labels.shape[1], np.int32)
    shares = np.empty(labels.shape, np.float32)
    for row in range(len(labels)):
        _look_up(largest, labels[row], of_pixels)
        roots_of_shares(squares[row], of_pixels, shares[row])
    return shares


@njit(cache=True, nogil=True)
def _look_up(values, places, found):
    for column in range(np.uint64(len(found))):
        found[column] = values[np.uint32(places[column])]


@functools.lru_cache(8)
def _tables(
    n_rays: int, longest: int, grid: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the steps of each ray are.

    Returns
    -------
    places : ndarray of shape (n_rays, longest, 2), float32
        Row and column of a step, from the ray's start; the first step is number 1.
    offsets : ndarray of shape (n_rays, longest, 3), int64
        The same, rounded: row and column in steps of the grid, and the number of the image of the
        pixels so far within a step.
    depends : ndarray of shape (n_rays, longest), bool
        The sum of start and step may round to another pixel than the step alone, of this step or
        one of the next three.
    distances : ndarray of shape (longest, n_rays), float32
        Distance of a ray that is outside for the first time after a step.
    """
    # As float32 of sine and cosine in double precision, of an angle in float32.
    angles = (np.arange(n_rays, dtype=np.float32) * np.float32(2 * np.pi / n_rays)).astype(float)
    steps = np.stack([np.sin(angles), np.cos(angles)], -1).astype(np.float32)
    every = np.broadcast_to(steps[:, None], (n_rays, longest, 2)).copy()
    every[:, 0] = 0
    places = np.cumsum(every, axis=1, dtype=np.float32)
    parts = np.abs(places - np.trunc(places))
    near_half = (np.abs(parts - 0.5) <= 2 * np.spacing(np.float32(longest))).any(-1)
    depends = near_half.copy()
    for later in range(1, 4):
        depends[:, :-later] |= near_half[:, later:]
    overshoot = np.float32(0.5) / np.abs(steps).max(-1)[:, None, None] - np.float32(1)
    ends = places + overshoot * steps[:, None]
    squares = ends * ends
    # Rays next to each other, as they are written: else all would lie in the same lines of a cache.
    distances = np.sqrt(squares[..., 0] + squares[..., 1]).T.copy()
    (row, column), (within_row, within_column) = np.moveaxis(
        np.divmod(np.rint(places).astype(np.int64), grid), -1, 1
    )
    offsets = np.stack([row, column, within_row * grid + within_column], -1)
    return places, offsets, depends, distances


@njit(cache=True, nogil=True)
def _fill(labels, runs, grid, places, offsets, depends, distances, out):
    run_row, start, end, piece, n_pieces = runs
    n_rays = len(offsets)
    first, order = runs_by_piece(piece, n_pieces)
    low_row, high_row = np.full(n_pieces, len(labels)), np.zeros(n_pieces, np.int64)
    low_column, high_column = np.full(n_pieces, labels.shape[1]), np.zeros(n_pieces, np.int64)
    for run in range(len(piece)):
        number = piece[run]
        low_row[number] = min(low_row[number], run_row[run])
        high_row[number] = max(high_row[number], run_row[run] + 1)
        low_column[number] = min(low_column[number], start[run])
        high_column[number] = max(high_column[number], end[run])
    for number in range(n_pieces):
        runs = order[first[number] : first[number + 1]]
        top, left = low_row[number] // grid * grid, low_column[number] // grid * grid
        tall, wide = high_row[number] - top, high_column[number] - left
        if tall * tall + wide * wide >= _LONGEST * _LONGEST:
            for run in runs:
                if run_row[run] % grid == 0:
                    for column in range(-(-start[run] // grid) * grid, end[run], grid):
                        _walk(labels, run_row[run], column, places, distances,
                              out[run_row[run] // grid, column // grid])  # fmt: skip
            continue
        # Pixels of the piece, flat: of each row and column within a step of the grid an image of
        # its own. A column around them stops every ray that leaves a row for the next.
        height, width = -(-tall // grid), -(-wide // grid) + 1
        size = -(-height * width // _TOGETHER) * _TOGETHER
        margin = (height + 10) * width + 16
        inside = np.zeros((grid * grid, size + 2 * margin), np.uint8)
        for run in runs:
            row = run_row[run] - top
            begin = margin + row // grid * width
            for phase in range(grid):
                front = begin - (phase + left - start[run]) // grid
                past = begin - (phase + left - end[run]) // grid
                inside[row % grid * grid + phase, front:past] = 1
        flat, length = inside.ravel(), inside.shape[1]
        counts = np.zeros((n_rays, size), np.uint8)
        for ray in range(n_rays):
            count = counts[ray]
            step = 1
            some = np.uint8(1)
            while some:
                if depends[ray, step]:
                    some = _step_by_place(
                        inside, margin, grid, width, top, left, places[ray, step], step, count
                    )
                    step += 1
                else:
                    some = _four_steps(
                        flat,
                        margin + _place(width, length, offsets[ray, step]),
                        margin + _place(width, length, offsets[ray, step + 1]),
                        margin + _place(width, length, offsets[ray, step + 2]),
                        margin + _place(width, length, offsets[ray, step + 3]),
                        np.uint8(step - 1),
                        count,
                    )
                    step += 4
        for run in runs:
            if run_row[run] % grid == 0:
                begin = (run_row[run] - top) // grid * width
                line = out[run_row[run] // grid]
                for column in range(-(-start[run] // grid), -(-end[run] // grid)):
                    pixel = np.uint64(begin + column - left // grid)
                    for ray in range(np.uint64(n_rays)):
                        step = np.uint64(counts[ray, pixel]) + np.uint64(1)
                        line[column, ray] = distances[step, ray]


@njit(cache=True, nogil=True)
def _place(width, length, offset):
    """Where the first pixel's ray is after a step, in the images one after the other."""
    return offset[2] * length + offset[0] * width + offset[1]


@njit(cache=True, nogil=True)
def _four_steps(flat, first, second, third, fourth, before, count):
    """Four at a time, since to load and store what is counted costs more than to count."""
    # Unsigned: an index that may be negative costs a comparison.
    one_at, two_at = np.uint64(first), np.uint64(second)
    three_at, four_at = np.uint64(third), np.uint64(fourth)
    some = np.uint8(0)
    # A multiple of it to the compiler, too: nothing is left over.
    for pixel in range(np.uint64(len(count) // _TOGETHER * _TOGETHER)):
        known = count[pixel]
        one = flat[one_at + pixel] if known == before else np.uint8(0)
        two = np.uint8(one & flat[two_at + pixel])
        three = np.uint8(two & flat[three_at + pixel])
        four = np.uint8(three & flat[four_at + pixel])
        count[pixel] = np.uint8(known + one + two + three + four)
        some = np.uint8(some | four)  # of a wider type it would be the only one in its register
    return some


@njit(cache=True, nogil=True)
def _step_by_place(inside, margin, grid, width, top, left, place, step, count):
    some = np.uint8(0)
    for pixel in range(len(count)):
        if count[pixel] == step - 1:
            row = _nearest(np.float32(top + pixel // width * grid) + place[0]) - top
            column = _nearest(np.float32(left + pixel % width * grid) + place[1]) - left
            image = row % grid * grid + column % grid
            still = inside[image, margin + row // grid * width + column // grid]
            count[pixel] += still
            some |= still
    return some


@njit(cache=True, nogil=True)
def _walk(labels, row, column, places, distances, out):
    """Distances of one pixel, one ray after the other."""
    rows, columns = labels.shape
    for ray in range(len(out)):
        step = 1
        while True:
            to_row = _nearest(np.float32(row) + places[ray, step, 0])
            to_column = _nearest(np.float32(column) + places[ray, step, 1])
            if (
                to_row < 0 or to_column < 0 or to_row >= rows or to_column >= columns
                or labels[to_row, to_column] != labels[row, column]
            ):  # fmt: skip
                break
            step += 1
        out[ray] = distances[step, ray]


@njit(cache=True, nogil=True)
def _nearest(value):
    """Nearest integer; of a half the one further from 0."""
    return (
        int(np.floor(value + np.float32(0.5)))
        if value >= 0
        else -int(np.floor(np.float32(0.5) - value))
    )
