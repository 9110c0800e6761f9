"""Arrays in an uncompressed npz that can be memory-mapped, which numpy.load cannot do itself."""

import builtins
import os
import struct
import zipfile
from collections.abc import Iterable

import numpy as np

from cellseg.errors import UserError

ALIGNMENT = 64  # bytes; data begins at multiples of it, as in NumPy's own files
_LOCAL_HEADER, _ZIP64_FIELD, _FIELD_HEAD = 30, 20, 4  # bytes, fixed by the zip format
_PADDING = 0xD935  # the number of the extra field that is registered for alignment


def write_rows(
    archive: zipfile.ZipFile,
    name: str,
    rows: Iterable[np.ndarray],
    shape: tuple[int, ...],
    dtype: type,
) -> None:
    """Write an array row by row, never holding more than one.

    Parameters
    ----------
    archive : opened for writing with ``ZIP_STORED``
    name : of the array
    rows : ``shape[0]`` arrays of ``shape[1:]`` (axes of length one may lack)
    shape, dtype : of the whole array

    Raises
    ------
    ValueError
        The rows do not fill the shape.
    """
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": tuple(shape),
    }
    written = 0
    with archive.open(_aligned(archive, name), "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for row in rows:
            written += member.write(np.ascontiguousarray(row, dtype).tobytes())
    if written != np.prod(shape, dtype=np.int64) * np.dtype(dtype).itemsize:
        raise ValueError(f"the rows of '{name}' do not fill the shape {shape}")


def write(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    """Write a whole array."""
    with archive.open(_aligned(archive, name), "w", force_zip64=True) as member:
        np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def open(path: str | os.PathLike, name: str) -> np.ndarray:
    """Memory-map the array `name` of an npz, read-only.

    Raises
    ------
    KeyError
        There is no such array.
    ValueError, zipfile.BadZipFile
        The array is compressed, or the file is broken.
    """
    with zipfile.ZipFile(path) as archive, builtins.open(path, "rb") as file:
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"'{name}' is compressed")
        file.seek(info.header_offset + _LOCAL_HEADER - 4)
        name_length, extra_length = struct.unpack("<HH", file.read(4))
        file.seek(name_length + extra_length, os.SEEK_CUR)
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"'{name}' has an unknown format")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if 0 in shape:
            return np.empty(shape, dtype)  # nothing to map
        return np.memmap(path, dtype, mode="r", offset=file.tell(), shape=shape)


def read(
    path: str | os.PathLike, mapped: Iterable[str], small: Iterable[str], what: str
) -> dict[str, np.ndarray]:
    """Take arrays of an npz of this workflow, some of them memory-mapped.

    Parameters
    ----------
    mapped, small : names of arrays to memory-map and to read
    what : the file holds, for the error

    Raises
    ------
    UserError
        The file is missing or broken, or lacks an array.
    """
    try:
        arrays = {name: open(path, name) for name in mapped}
        with np.load(path) as stored:
            return arrays | {name: stored[name] for name in small}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is not a file of {what} ({error}). Delete it and rerun."
        ) from error


def _aligned(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Describe a member whose data will begin at a multiple of :data:`ALIGNMENT`."""
    info = zipfile.ZipInfo(f"{name}.npy")
    before = archive.fp.tell() + _LOCAL_HEADER + len(info.filename) + _ZIP64_FIELD + _FIELD_HEAD
    padding = -before % ALIGNMENT
    info.extra = struct.pack("<HH", _PADDING, padding) + bytes(padding)
    return info
