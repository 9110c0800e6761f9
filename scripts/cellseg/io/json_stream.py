"""Opening a JSON file of any size for a streaming parser, with what such parsers cannot take.

Python writes ``NaN`` and ``Infinity`` into JSON, Windows programs put a byte order mark in front,
and a parser that names the place of each value needs memory quadratic in the depth of brackets.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numba import njit

from cellseg.errors import UserError

DEEPEST = 200
"""Levels of brackets; COCO annotations have six."""

_AHEAD = len(b"-Infinity")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_FORMATS = {
    b"\xff\xfe": "UTF-16 or UTF-32 text. Save it as UTF-8",
    b"\xfe\xff": "UTF-16 text. Save it as UTF-8",
    bytes(64): "filled with zero bytes: a copy or an export was cut off. Copy or export it again",
    bytes(1): "UTF-16 or UTF-32 text. Save it as UTF-8",
    b"{\0": "UTF-16 or UTF-32 text. Save it as UTF-8",
    b"[\0": "UTF-16 or UTF-32 text. Save it as UTF-8",
    b"\x1f\x8b": "a gzip archive. Unpack it",
    b"PK": "a zip archive. Unpack it",
}


@contextmanager
def opened(path: str | os.PathLike) -> Iterator["Reader"]:
    """Open a JSON file for a streaming parser; a syntax error in it becomes a message for the user.

    Raises
    ------
    UserError
        The file does not exist, cannot be read or is no JSON.
    """
    import ijson

    if not os.path.isfile(path):
        raise UserError(f"{path} does not exist or is no file.")
    try:
        with open(path, "rb") as file:
            yield Reader(path, file)
    except ijson.JSONError as error:
        reason = _reason(error)
        if "invalid bytes in UTF8" in reason:
            raise UserError(
                f"{path} has text that is not UTF-8. Save it as UTF-8, or export it again."
            ) from error
        if "premature EOF" in reason:
            advice = "It ends too early: a copy or an export was cut off. Copy or export it again."
        else:
            advice = "Open it in an editor and correct it, or export it again."
        raise UserError(f"{path} is not valid JSON ({reason}). {advice}") from error
    except UnicodeError as error:
        raise UserError(
            f"{path} has text that is not UTF-8 ({error}). Save it as UTF-8, or rename the files "
            "that it names."
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Correct its rights.") from error


def _reason(error: Exception) -> str:
    """What the parser says in its first line; it says it in bytes if the text is not UTF-8."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return (text.strip().splitlines() or [""])[0]


class Reader:
    """The bytes of a JSON file, as a streaming parser reads them.

    A byte order mark is skipped. ``NaN``, ``Infinity`` and ``-Infinity`` are read as an empty list,
    which is no number either.

    Parameters
    ----------
    path : named in messages
    file : opened to read bytes

    Raises
    ------
    UserError
        The file holds something else than JSON, or its brackets are nested too deep.
    """

    def __init__(self, path: str | os.PathLike, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._refuse_other_formats()
        self._state = np.zeros(4, np.int64)  # in a string, after a backslash, depth, deepest
        self._ahead = b""

    def _refuse_other_formats(self) -> None:
        start = self._file.read(64)
        for magic, what in _OTHER_FORMATS.items():
            if start.startswith(magic):
                raise UserError(f"{self._path} is {what}.")
        begin = len(_BYTE_ORDER_MARK) if start.startswith(_BYTE_ORDER_MARK) else 0
        text = start[begin:].lstrip()
        if text and text[:1] not in b"{[":
            shown = text.splitlines()[0][:40].decode("utf-8", "replace")
            raise UserError(
                f"{self._path} is not JSON, it begins with {shown!r}. Name a COCO JSON file, or "
                "give label images under 'labels' instead of 'annotations'."
            )
        self._file.seek(begin)

    def read(self, size: int = -1) -> bytes:
        """Return at least one byte, at most some more than `size`; none at the end of the file."""
        if size == 0:
            return b""
        new = self._file.read(size)
        buffer = np.frombuffer(self._ahead + new, np.uint8).copy()
        # A word may be cut by the end of what was read: its first bytes wait for the rest.
        n_ready = max(len(buffer) - _AHEAD, 0) if new else len(buffer)
        _scan(buffer, n_ready, self._state, _NO_NUMBERS)
        if self._state[3] > DEEPEST:
            raise UserError(
                f"{self._path} has brackets nested more than {DEEPEST} deep: no COCO file."
            )
        self._ahead = buffer[n_ready:].tobytes()
        ready = buffer[:n_ready].tobytes()
        return ready if ready or not new else self.read(size)


_NO_NUMBERS = tuple(
    np.frombuffer(word, np.uint8).copy() for word in (b"NaN", b"Infinity", b"-Infinity")
)


@njit(cache=True, nogil=True)
def _scan(buffer, n_ready, state, no_numbers):
    """Follow strings and brackets through the first bytes; write [] over words that are no JSON."""
    in_string, escaped, depth, deepest = state
    place = 0
    while place < n_ready:
        byte = buffer[place]
        if in_string:
            if escaped:
                escaped = 0
            elif byte == ord("\\"):
                escaped = 1
            elif byte == ord('"'):
                in_string = 0
        elif byte == ord('"'):
            in_string = 1
        elif byte == ord("[") or byte == ord("{"):
            depth += 1
            deepest = max(deepest, depth)
        elif byte == ord("]") or byte == ord("}"):
            depth -= 1
        elif byte == ord("N") or byte == ord("I") or byte == ord("-"):
            for word in no_numbers:
                end = place + len(word)
                if end <= len(buffer) and np.all(buffer[place:end] == word):
                    buffer[place:end] = ord(" ")
                    buffer[place], buffer[place + 1] = ord("["), ord("]")
                    place += 1
                    break
        place += 1
    state[0], state[1], state[2], state[3] = in_string, escaped, depth, deepest
