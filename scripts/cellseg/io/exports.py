"""Exports of trained runs: what is read of them here."""

import itertools
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import run_files, zip_files

SUFFIX = ".zip"
SCORES = "scores.csv"
"""Within an export: the scores of the run's images."""
MEMBERS = "members"
"""Within an export of a run that is fused of others: folder of the members, called 1, 2 ..."""
OF_MEMBER = (run_files.SAFETENSORS, run_files.SETTINGS)
"""What is read of a member."""


def is_export(path: str | os.PathLike) -> bool:
    """Whether a file is one, by its name."""
    return Path(path).suffix.lower() == SUFFIX


def unpack(
    path: str | os.PathLike, names: Mapping[str, str], folder: Path, otherwise: str = ""
) -> None:
    """Write files of an export into a folder.

    Parameters
    ----------
    names : of the files in the export, and in the folder
    otherwise : what else the user can do about an export that lacks a file

    Raises
    ------
    UserError
        It is no export, one of an older version, or damaged.
    """
    with _opened(path) as archive:
        lacking = [name for name in names if name not in archive.namelist()]
        if lacking:
            raise UserError(
                f"{path} holds no {lacking[0]}: it is no export of livecell-bench, or one of "
                f"an older version. Export the run again{otherwise}."
            )
        for name, target in names.items():
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            (folder / target).write_bytes(archive.read(name))


@contextmanager
def named(path: str | os.PathLike, folder: str | os.PathLike) -> Iterator[None]:
    """Let errors about files of a folder name the export that they were unpacked from.

    Parameters
    ----------
    path : of the export
    folder : that :func:`unpack` wrote into, which nobody else knows
    """
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(f"{folder}{os.sep}", f"{path}: ")) from error


def members_in(path: str | os.PathLike) -> list[str]:
    """Names of the files of the members in an export of a fused run; none in other exports.

    Raises
    ------
    UserError
        It is damaged or no zip.
    """
    with _opened(path) as archive:
        names, found = archive.namelist(), []
    for number in itertools.count(1):
        of_member = [f"{MEMBERS}/{number}/{name}" for name in OF_MEMBER]
        if not set(of_member) & set(names):
            return found
        found += of_member


def weights_in(path: str | os.PathLike) -> str:
    """Name of the weights in an export: those of a network of torch have another format.

    Raises
    ------
    UserError
        It is damaged or no zip.
    """
    with _opened(path) as archive:
        of_torch = run_files.SAFETENSORS in archive.namelist()
    return run_files.SAFETENSORS if of_torch else run_files.WEIGHTS


def settings_in(path: str | os.PathLike) -> object:
    """Settings of the run in an export; None if it holds none that can be read.

    Raises
    ------
    UserError
        It is damaged or no zip.
    """
    with _opened(path) as archive:
        if run_files.SETTINGS not in archive.namelist():
            return None
        content = archive.read(run_files.SETTINGS)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (*zip_files.BROKEN, ValueError) as error:
        raise UserError(
            f"{path} is damaged or no zip ({error}). Copy it again, or export the run again."
        ) from error
