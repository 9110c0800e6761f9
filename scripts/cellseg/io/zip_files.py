"""Zip files of this project: members that are the same wherever and whenever they are written."""

import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    RuntimeError,
)
"""What zipfile raises at a damaged file, next to OSError; the last if it says that it is encrypted,
or packed by a method that Python does not know."""
BROKEN = (*DAMAGED, OSError)
"""The same, where a file that cannot be opened counts as damaged."""


def member(name: str, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    """A member without the time and the system of writing."""
    made = zipfile.ZipInfo(name)
    made.compress_type = compression
    made.create_system = 3  # Unix, for which the next line says that all may read the file
    made.external_attr = 0o644 << 16
    return made


def remembered(read: Callable[[Path], T]) -> Callable[[str | os.PathLike], T]:
    """A reader of files that does not read a file again that it read before, unless it changed.

    Parameters
    ----------
    read : reads a file, and says what is wrong with it
    """

    @lru_cache(maxsize=8)
    def of_stamp(path: Path, *_stamp: int) -> T:
        return read(path)

    def of_path(path: str | os.PathLike) -> T:
        try:
            stamp = os.stat(path)
        except OSError:
            return read(path)
        return of_stamp(Path(path).absolute(), stamp.st_mtime_ns, stamp.st_size, stamp.st_ino)

    return of_path
