"""Label images to borders and distances: the kernels behind :mod:`cellseg.targets.heads`.

They hold no lock of Python's, so that several tiles can be worked on at once.
"""

from collections.abc import Iterator

import numpy as np
from numba import njit

from cellseg.targets.union_find import join, root

_TOGETHER = 128  # pixels of a row; few stop early, many fill the vector registers
_BYTE = np.uint64(0x0001020304050607)
"""Times a word that is 1 in one byte: its highest byte is the number of that byte."""
_NEAR = 128
"""Distances below it have squares whose sums fit 16 bits: twice as many a vector register."""

# Indices are unsigned where the compiler would else have to expect negative ones, which count from
# the end: then it makes no vector instructions.


@njit(cache=True, nogil=True)
def inner_boundaries(labels: np.ndarray) -> np.ndarray:
    """Pixels of a cell with another value above, below, left or right of them.

    The image's own border is no boundary.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32

    Returns
    -------
    ndarray of shape (H, W), bool
    """
    boundary = np.empty(labels.shape, np.bool_)
    kept = np.empty(labels.shape[1], labels.dtype)
    for row in range(len(labels)):
        _inner_pixels(labels, row, kept)
        _differ(labels[row], kept, boundary[row])
    return boundary


@njit(cache=True, nogil=True)
def _differ(first, second, found):
    for column in range(np.uint64(len(found))):
        found[column] = first[column] != second[column]


@njit(cache=True, nogil=True)
def _inner_pixels(labels, row, kept):
    """A row of labels, with 0 for pixels that have another value next to them."""
    last_row, last = len(labels) - 1, len(kept) - 1
    line = labels[row]
    above, below = labels[max(row - 1, 0)], labels[min(row + 1, last_row)]
    one = np.uint64(1)
    for column in range(one, np.uint64(max(last, 1))):
        value = line[column]
        other = (above[column] ^ value) | (below[column] ^ value)
        other |= (line[column - one] ^ value) | (line[column + one] ^ value)
        kept[column] = value if other == 0 else 0
    for column in (0, last):
        value = line[column]
        same = (above[column] == value) & (below[column] == value)
        same &= (line[max(column - 1, 0)] == value) & (line[min(column + 1, last)] == value)
        kept[column] = value if same else 0


@njit(cache=True, nogil=True)
def erode(labels: np.ndarray, width: int) -> np.ndarray:
    """Take `width` pixels off the border of every cell; small cells may vanish.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32

    Returns
    -------
    ndarray of shape (H, W), int32
    """
    if width == 0:
        return labels.copy()
    eroded = labels
    for _ in range(width):
        before, eroded = eroded, np.empty(labels.shape, labels.dtype)
        for row in range(len(before)):
            _inner_pixels(before, row, eroded[row])
    return eroded


@njit(cache=True, nogil=True)
def runs_of_pieces(
    labels: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Runs of equal label along the rows, and the connected (8 neighbours) piece of each.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32

    Returns
    -------
    row, start, end : ndarray of shape (R,), int32
        The row of a run, its first column and the one after its last.
    piece : ndarray of shape (R,), int32; numbered from 0
    n_pieces : int
    """
    rows, columns = labels.shape
    changes = np.zeros(columns // 8 * 8 + 8, np.uint8)  # whole words of 8 bytes
    filled, places = np.empty(len(changes) // 8, np.int32), np.empty(len(changes) + 1, np.int32)
    room = columns + rows
    run_row, start, end, parent = (
        np.empty(room, np.int32), np.empty(room, np.int32),
        np.empty(room, np.int32), np.empty(room, np.int32),
    )  # fmt: skip
    n_runs = 0
    above = above_end = 0  # runs of the row above: the first that may touch, and past the last
    for row in range(rows):
        line = labels[row]
        _mark_changes(line, changes)
        n_places = _nonzero(changes, filled, places)
        if n_runs + n_places > room:
            room = 2 * (n_runs + n_places)
            run_row, start = _enlarged(run_row, room), _enlarged(start, room)
            end, parent = _enlarged(end, room), _enlarged(parent, room)
        first_of_row = n_runs
        for number in range(n_places - 1):
            begin, column = places[number], places[number + 1]
            value = line[begin]
            if value == 0:
                continue
            run_row[n_runs], start[n_runs], end[n_runs] = row, begin, column
            parent[n_runs] = n_runs
            while above < above_end and end[above] < begin:
                above += 1
            touching = above
            while touching < above_end and start[touching] <= column:
                if labels[row - 1, start[touching]] == value:
                    join(parent, touching, n_runs)
                touching += 1
            n_runs += 1
        above, above_end = first_of_row, n_runs
    piece = np.empty(n_runs, np.int32)
    n_pieces = 0
    for run in range(n_runs):
        first = root(parent, run)  # the first run of the piece
        if first == run:
            piece[run] = n_pieces
            n_pieces += 1
        else:
            piece[run] = piece[first]
    return run_row[:n_runs], start[:n_runs], end[:n_runs], piece, n_pieces


@njit(cache=True, nogil=True)
def runs_by_piece(piece: np.ndarray, n_pieces: int) -> tuple[np.ndarray, np.ndarray]:
    """List the runs of each piece, one piece after the other.

    Parameters
    ----------
    piece : ndarray of shape (R,), integer; of each run, from 0 to n_pieces - 1
    n_pieces : int

    Returns
    -------
    first : ndarray of shape (n_pieces + 1,), int64; where in the list the runs of a piece begin
    order : ndarray of shape (R,), int64; the list, in reading order within a piece
    """
    first = np.zeros(n_pieces + 1, np.int64)
    for number in piece:
        first[number + 1] += 1
    first = np.cumsum(first)
    order, filled = np.empty(len(piece), np.int64), first[:-1].copy()
    for run in range(len(piece)):
        order[filled[piece[run]]] = run
        filled[piece[run]] += 1
    return first, order


@njit(cache=True, nogil=True)
def _mark_changes(line, changes):
    """1 where a pixel differs from the one before it; before the first and after the last is 0."""
    columns, one = np.uint64(len(line)), np.uint64(1)
    changes[0] = line[0] != 0
    for column in range(one, columns):
        changes[column] = line[column] != line[column - one]
    changes[columns] = line[columns - one] != 0


@njit(cache=True, nogil=True)
def _nonzero(flags, filled, places):
    """Write down the places of flags of 1; how many there are. Most words of 8 flags have none."""
    words, one = flags.view(np.uint64), np.uint64(1)
    # First the words that have one, without a branch that processors would often guess wrong.
    n_filled = np.uint64(0)
    for word in range(np.uint64(len(words))):
        filled[n_filled] = word
        n_filled += one if words[word] != 0 else np.uint64(0)
    count = np.uint64(0)
    for number in range(n_filled):
        word = np.uint64(filled[number])
        left = words[word]
        while left:
            lowest = left & (~left + one)  # 1 in the byte of the first flag
            places[count] = word * np.uint64(8) + ((lowest * _BYTE) >> np.uint64(56))
            count += one
            left ^= lowest
    return np.int64(count)


@njit(cache=True, nogil=True)
def _enlarged(array, room):
    larger = np.empty(room, array.dtype)
    larger[: len(array)] = array
    return larger


def distance_to_background(labels: np.ndarray) -> np.ndarray:
    """Euclidean distance of each pixel to the nearest of value 0, exact.

    Down the columns first, then along the rows (Saito and Toriwaki, Pattern Recognition 27, 1994):
    in steps for many pixels together, which the compiler turns into vector instructions, and no
    further than the largest distance among them, which in images of cells is not far. In 16 bits
    where no distance reaches 128 pixels, else in 32.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; with a 0 in it, H + W below 30,000

    Returns
    -------
    ndarray of shape (H, W), float32; pixels
    """
    distance = np.empty(labels.shape, np.float32)
    for far, *room in _rooms(labels.shape):
        if _distances(labels, *room, far, distance):
            break
    return distance


def _rooms(shape: tuple[int, int]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """How far to look, and room of the numbers to compute in: of 16 bits, then of 32 if needed.

    Yields
    ------
    far : int; distances of at least that are not exact, in the second room there are none
    vertical : ndarray of shape (H, W), for the distances along the columns
    squares : ndarray of shape (W + 2 * far,), holds ``far ** 2``
        So much of it around a row that no step can leave.
    """
    for far, kind in ((min(sum(shape), _NEAR), np.int16), (sum(shape), np.int32)):
        yield far, np.empty(shape, kind), np.full(shape[1] + 2 * far, far * far, kind)


@njit(cache=True, nogil=True)
def _distances(labels, vertical, squares, far, distance):
    """Distances up to `far`; whether none reaches it, which makes them exact: :func:`_rooms`."""
    rows, columns = labels.shape
    above = np.full_like(vertical[0], far)
    for row in range(rows):
        _down(labels[row], above, vertical[row], vertical.dtype.type(far - 1))
        above = vertical[row]
    for row in range(rows - 2, -1, -1):
        _up(vertical[row + 1], vertical[row])
    nearest = np.empty_like(vertical[0])
    largest = nearest.dtype.type(0)
    for row in range(rows):
        _square(vertical[row], squares[far : far + columns])
        nearest[:] = far * far
        largest = max(largest, _nearest_of_row(squares, far, nearest))
        _square_roots(nearest, distance[row])
    return largest < far * far


def squares_to_others(
    labels: np.ndarray,
    run_row: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    frame_is_border: bool,
) -> np.ndarray:
    """Square of the distance of each pixel of a cell to the nearest pixel of another value, exact.

    As :func:`distance_to_background`, but that neighbouring cells are not inside.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; H + W below 30,000
    run_row, start, end : their runs, see :func:`runs_of_pieces`
    frame_is_border : bool
        Pixels beyond the border of the image are of another value. Else they are not looked at.

    Returns
    -------
    ndarray of shape (H, W), int32; 0 in the background
        Where there is no other value, the square of H + W.
    """
    found = np.zeros(labels.shape, np.int32)
    runs = run_row, start, end
    for far, *room in _rooms(labels.shape):
        if _squares_to_others(labels, runs, frame_is_border, *room, far, found):
            break
    return found


@njit(cache=True, nogil=True)
def _squares_to_others(labels, runs, frame_is_border, vertical, squares, far, found):
    """As :func:`_distances`, of the squares of distances to other values."""
    run_row, start, end = runs
    if len(run_row) == 0:
        return True
    rows, columns = labels.shape
    kind = vertical.dtype.type
    above = np.full_like(vertical[0], kind(0 if frame_is_border else far - 1))
    for row in range(rows):
        _down_of_same(labels[row], labels[max(row - 1, 0)], above, vertical[row], kind(far - 1))
        above = vertical[row]
    if frame_is_border:
        vertical[-1] = np.minimum(vertical[-1], kind(1))
    for row in range(rows - 2, -1, -1):
        _up_of_same(labels[row], labels[row + 1], vertical[row + 1], vertical[row])
    nearest = np.empty_like(vertical[0])
    largest = kind(0)
    run = 0
    while run < len(run_row):
        row = run_row[run]
        nearest[:] = 0
        while run < len(run_row) and run_row[run] == row:
            # In a row a cell's pixel is nearer to the end of its run than to what lies beyond.
            first, past = start[run], end[run]
            has_left, has_right = first > 0 or frame_is_border, past < columns or frame_is_border
            _square_to_ends(has_left, has_right, kind(far), nearest[first:past])
            run += 1
        _square(vertical[row], squares[far : far + columns])
        largest = max(largest, _nearest_of_row(squares, far, nearest))
        _copy(nearest, found[row])
    return largest < far * far


@njit(cache=True, nogil=True)
def _copy(numbers, found):
    for place in range(np.uint64(len(found))):
        found[place] = numbers[place]


@njit(cache=True, nogil=True)
def _down_of_same(line, line_above, above, found, most):
    """As :func:`_down`, of pixels of the same value as that above."""
    none, one = found.dtype.type(0), found.dtype.type(1)
    for column in range(np.uint64(len(line))):
        before = min(above[column], most) if line[column] == line_above[column] else none
        found[column] = found.dtype.type(before + one) if line[column] != 0 else none


@njit(cache=True, nogil=True)
def _up_of_same(line, line_below, below, found):
    one = found.dtype.type(1)
    for column in range(np.uint64(len(line))):
        more = below[column] + one if line[column] == line_below[column] else one
        found[column] = min(found.dtype.type(more), found[column])


@njit(cache=True, nogil=True)
def _square_to_ends(has_left, has_right, most, found):
    """Squares of distances to the nearer end of a run, at most `most`, of the ends that count."""
    kind = found.dtype.type
    length = kind(min(len(found), 30_000))
    left, right = kind(1 if has_left else most), length if has_right else most
    back = kind(1 if has_right else 0)
    for column in range(np.uint64(len(found))):
        steps = kind(column)
        away = min(min(kind(left + steps), kind(right - back * steps)), most)
        found[column] = kind(away * away)


@njit(cache=True, nogil=True)
def _nearest_of_row(squares, margin, nearest):
    """Lower `nearest` to the least of all squares plus that of the way there; the largest found."""
    columns = len(nearest)
    largest = nearest.dtype.type(0)
    for start in range(0, columns, _TOGETHER):
        length = min(_TOGETHER, columns - start)
        largest = max(largest, _along(squares, margin + start, nearest, start, length))
    return largest


@njit(cache=True, nogil=True)
def _down(line, above, found, most):
    """One more than in the row above, but no more than `most` and one."""
    for column in range(np.uint64(len(line))):
        more = found.dtype.type(min(above[column], most) + 1)
        found[column] = more if line[column] != 0 else found.dtype.type(0)


@njit(cache=True, nogil=True)
def _up(below, found):
    for column in range(np.uint64(len(found))):
        found[column] = min(found.dtype.type(below[column] + 1), found[column])


@njit(cache=True, nogil=True)
def _square(line, squares):
    for column in range(np.uint64(len(line))):
        squares[column] = squares.dtype.type(line[column] * line[column])


@njit(cache=True, nogil=True)
def _square_roots(squares, found):
    for column in range(np.uint64(len(found))):
        found[column] = np.sqrt(np.float32(squares[column]))


@njit(cache=True, nogil=True)
def _along(squares, start, nearest, place, length):
    """:func:`_nearest_of_row` of some of its pixels."""
    length, first, place = np.uint64(length), np.uint64(start), np.uint64(place)
    largest = nearest.dtype.type(0)
    for column in range(length):
        value = min(squares[first + column], nearest[place + column])
        nearest[place + column] = value
        largest = max(largest, value)
    step = 1
    while step * step < largest:
        further = nearest.dtype.type(step * step)
        left, right = np.uint64(start - step), np.uint64(start + step)
        for column in range(length):
            nearer = min(squares[left + column], squares[right + column])
            through = nearest.dtype.type(nearer + further)
            nearest[place + column] = min(nearest[place + column], through)
        if step % 4 == 1:  # to look costs as much as a step
            largest = nearest.dtype.type(0)
            for column in range(length):
                largest = max(largest, nearest[place + column])
        step += 1
    return largest


@njit(cache=True, nogil=True)
def closeness_to_centre(
    labels: np.ndarray, distance: np.ndarray, alpha: float, beta: float, squared: bool
) -> np.ndarray:
    """``1 / (1 + beta * alpha * d**2)``, d the distance of a pixel to the centre of its piece.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    distance : ndarray of shape (H, W), float32; the centre is the centroid weighted by it
    alpha : float; below 0: one over the square root of the piece's area
    beta : float
    squared : bool; False takes d itself

    Returns
    -------
    ndarray of shape (H, W), float32; 0 in the background
    """
    run_row, start, end, piece, n_pieces = runs_of_pieces(labels)
    area, mass = np.zeros(n_pieces, np.int64), np.zeros(n_pieces, np.float64)
    centre_row, centre_column = np.zeros(n_pieces, np.float64), np.zeros(n_pieces, np.float64)
    for run in range(len(piece)):
        number, row = piece[run], run_row[run]
        total, moment = _moments(distance[row], start[run], end[run])
        area[number] += end[run] - start[run]
        mass[number] += total
        centre_row[number] += total * row
        centre_column[number] += moment
    values = np.zeros(labels.shape, np.float32)
    for run in range(len(piece)):
        number, row = piece[run], run_row[run]
        scale = beta * (alpha if alpha >= 0 else 1 / np.sqrt(area[number]))
        across = (row - centre_row[number] / mass[number]) ** 2
        middle = centre_column[number] / mass[number]
        _closeness(values[row], start[run], end[run], across, middle, scale, squared)
    return values


# In any order: a distance is a multiple of 2**-23, so the sums of a tile of up to 1024 pixels are
# exact in 53 bits, and those of larger images the same up to rounding.
@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _moments(line, start, end):
    """Sum of a row from `start` to `end`, and sum of its values times their columns."""
    total, moment = 0.0, 0.0
    for column in range(np.uint64(start), np.uint64(end)):
        weight = np.float64(line[column])
        total += weight
        moment += weight * np.float64(np.int32(column))
    return total, moment


# NumPy's errors: to look for a division by zero at each pixel would take as long as the rest.
@njit(cache=True, nogil=True, error_model="numpy")
def _closeness(line, start, end, across, middle, scale, squared):
    """Closeness of the pixels of a run within its row."""
    for column in range(np.uint64(start), np.uint64(end)):
        along = np.float64(np.int32(column)) - middle
        away = across + along * along
        line[column] = 1 / (1 + scale * (away if squared else np.sqrt(away)))


@njit(cache=True, nogil=True)
def share_of_largest(labels: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Distances divided by the largest in the same connected piece.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    distance : ndarray of shape (H, W), float32; 0 or more, in the background 0

    Returns
    -------
    ndarray of shape (H, W), float32; 0 in the background. Where the largest distance is 0 all
        pixels have it, and 1.
    """
    run_row, start, end, piece, n_pieces = runs_of_pieces(labels)
    # Of numbers of at least 0 the bits have the same order, and are compared faster.
    bits, most_bits = distance.view(np.int32), np.zeros(n_pieces, np.int32)
    for run in range(len(piece)):
        of_run = largest_of(bits[run_row[run], start[run] : end[run]])
        most_bits[piece[run]] = max(most_bits[piece[run]], of_run)
    largest = most_bits.view(np.float32)
    shares, divisor = np.empty(labels.shape, np.float32), np.empty(labels.shape[1], np.float32)
    run = 0
    for row in range(len(labels)):
        divisor[:] = 1
        first_of_row = run
        while run < len(piece) and run_row[run] == row:
            if largest[piece[run]] > 0:
                _set(divisor[start[run] : end[run]], largest[piece[run]])
            run += 1
        _divide(distance[row], divisor, shares[row])
        for number in range(first_of_row, run):
            if largest[piece[number]] == 0:
                _set(shares[row, start[number] : end[number]], np.float32(1))
    return shares


@njit(cache=True, nogil=True)
def _set(values, value):
    for place in range(np.uint64(len(values))):
        values[place] = value


@njit(cache=True, nogil=True)
def largest_of(values: np.ndarray) -> int:
    """The largest of at least one whole number."""
    largest = values[0]
    for place in range(np.uint64(len(values))):
        largest = max(largest, values[place])
    return largest


# NumPy's errors: to look for a division by zero at each pixel would take as long as the rest.
@njit(cache=True, nogil=True, error_model="numpy")
def _divide(parts, wholes, found):
    for column in range(np.uint64(len(found))):
        found[column] = parts[column] / wholes[column]


@njit(cache=True, nogil=True, error_model="numpy")
def roots_of_shares(parts: np.ndarray, wholes: np.ndarray, found: np.ndarray) -> None:
    """Square roots of quotients, of as many numbers as `found` has room for, in float64."""
    for column in range(np.uint64(len(found))):
        found[column] = np.sqrt(np.float64(parts[column]) / np.float64(wholes[column]))
