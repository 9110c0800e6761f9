"""Files that appear whole or not at all."""

import hashlib
import io
import json
import os
import re
import shutil
import socket
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg.io import disk_full

if TYPE_CHECKING:
    import h5py

LONGEST_NAME = 120
"""Bytes of a file's name that the name of its temporary folder repeats; disks allow 255 in all."""


@contextmanager
def replacing(path: str | os.PathLike, synced: bool = True) -> Iterator[Path]:
    """Yield a temporary path next to `path`; rename it to `path` when the block succeeds.

    A failed block leaves what was at `path` untouched and nothing half-written next to it. The
    temporary name keeps the suffix, because writers such as Matplotlib choose the format by it.
    What an earlier, killed process left is removed; folders of other writers are not.

    Parameters
    ----------
    path : file to write
    synced : wait until the file is on the disk; a crash of the machine may empty it otherwise

    Raises
    ------
    UserError
        The disk is full. The message names `path`.
    """
    path = Path(path)
    with disk_full.explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        here = f".{_short(path.name)}.partial-{socket.gethostname()}-{os.getpid()}-"
        folder = Path(tempfile.mkdtemp(prefix=here, dir=path.parent))
        try:
            temporary = folder / path.name
            yield temporary
            if synced:
                _to_disk(temporary)
            os.replace(temporary, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _short(name: str) -> str:
    """The name, or its start and a hash where a longer one might be too long for the disk."""
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    return f"{name[:20]}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"


def _remove_abandoned(path: Path) -> None:
    """Remove temporary folders for `path` whose process of this machine has ended."""
    pattern = re.compile(
        rf"\.{re.escape(_short(path.name))}\.partial-(?P<host>.+)-(?P<process>\d+)-[a-z0-9_]{{8}}"
    )
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    for name in names:
        written = pattern.fullmatch(name)
        # Of another machine's process nobody here knows whether it still writes.
        if written and written["host"] == socket.gethostname() and not _runs(written["process"]):
            shutil.rmtree(path.parent / name, ignore_errors=True)


def _runs(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        pass
    return True


def _to_disk(path: Path) -> None:
    """Wait until a file is on the disk: network file systems report only then that it is full."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str | os.PathLike, content: object, synced: bool = True) -> None:
    """Write `content` as indented JSON with a final newline; keys keep their order."""
    with replacing(path, synced) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


@contextmanager
def stack_writer(path: str | os.PathLike) -> Iterator[Callable[[str, np.ndarray], None]]:
    """Yield a function that writes a named array into a compressed npz, see :func:`write_stack`."""
    with replacing(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:

            def write(name: str, array: np.ndarray) -> None:
                # Here too: of several stacks written at once, the one that failed is named.
                with (
                    disk_full.explained(path),
                    archive.open(f"{name}.npy", "w", force_zip64=True) as member,
                ):
                    np.lib.format.write_array(
                        member, np.ascontiguousarray(array), allow_pickle=False
                    )

            yield write


def write_stack(path: str | os.PathLike, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write named arrays one by one into a compressed npz, never holding more than one.

    Parameters
    ----------
    path : path of the ``.npz``
    arrays : pairs of name and array
        ``numpy.load`` opens the result and reads one array at a time, by name.
    """
    with stack_writer(path) as write:
        for name, array in arrays:
            write(name, array)


def write_hdf5(path: str | os.PathLike, fill: "Callable[[h5py.File], None]") -> None:
    """Write an HDF5 file that `fill` fills; it is made in memory.

    Python ends with a segmentation fault where the disk fills up under the HDF5 library: it keeps
    the parts that it cannot write, and tries again when the interpreter frees them.
    """
    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        fill(file)
    with replacing(path) as temporary:
        # Not a view, which Python 3.13 complains of if the disk is full. Nothing is copied.
        temporary.write_bytes(content.getvalue())


class Stack(Mapping):
    """Arrays of an npz by name, each read from the disk when it is asked for.

    One at a time: zipfile of Python 3.12 and 3.13 mixes up the places of members that several
    threads open at once, and gives an error or the wrong bytes.

    Attributes
    ----------
    files : names of all arrays
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._arrays, self._lock = np.load(path), threading.Lock()
        self.files: list[str] = self._arrays.files
        self._names = frozenset(self.files)

    def __getitem__(self, name: str) -> np.ndarray:
        with self._lock:
            return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def open_stack(path: str | os.PathLike) -> Stack:
    """Open an npz that is read array by array; the same, unchanged file is opened once.

    To open an npz is to read its list of arrays, which for thousands of them takes longer than to
    read one. It stays open, as one of the last eight, and several threads may read it.
    """
    stamp = os.stat(path)
    return _opened(os.path.abspath(path), stamp.st_mtime_ns, stamp.st_size, stamp.st_ino)


@lru_cache(maxsize=8)
def _opened(path: str, *_stamp: int) -> Stack:
    return Stack(path)
