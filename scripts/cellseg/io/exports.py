"""Exports of trained runs: what is read of them here."""

import itertools
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import fold_networks, run_files, zip_files

SUFFIX = ".zip"
SCORES = "scores.csv"
"""Within an export: the scores of the run's images."""
MEMBERS = "members"
"""Within an export of several networks: folder of the runs that it is fused of, called 1, 2 ...,
or of the networks of torch of all folds, called as :mod:`cellseg.io.fold_networks` says."""


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
        found = []
        for number in itertools.count(1):
            place = f"{MEMBERS}/{number}/"
            if not any(name.startswith(place) for name in archive.namelist()):
                return found
            found += [*_weights(archive, place), place + run_files.SETTINGS]


def weights_in(path: str | os.PathLike) -> list[str]:
    """Names of the weights in an export: each network of torch has a file, in another format.

    Raises
    ------
    UserError
        It is damaged or no zip.
    """
    with _opened(path) as archive:
        of_torch = any(name.endswith(run_files.SAFETENSORS) for name in archive.namelist())
        return _weights(archive, "") if of_torch else [run_files.WEIGHTS]


def settings_in(path: str | os.PathLike) -> object:
    """Settings of the run in an export; None if it holds none that can be read.

    Raises
    ------
    UserError
        It is damaged or no zip.
    """
    with _opened(path) as archive:
        return _settings(archive, "")


def _settings(archive: zipfile.ZipFile, place: str) -> object:
    """Settings in a folder of an export, which ends in a slash; None if they cannot be read."""
    try:
        return json.loads(archive.read(place + run_files.SETTINGS))
    except (KeyError, ValueError, RecursionError):
        return None


def _weights(archive: zipfile.ZipFile, place: str) -> list[str]:
    """Names of the weights of torch in a folder of an export, one for each network of the run."""
    try:
        folds = fold_networks.names(_settings(archive, place))
    except (AttributeError, LookupError, TypeError, MemoryError):
        folds = []  # whoever reads the settings says what is wrong with them
    files = [f"{MEMBERS}/{name}/{run_files.SAFETENSORS}" for name in folds]
    return [place + name for name in files or [run_files.SAFETENSORS]]


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (*zip_files.BROKEN, ValueError) as error:
        raise UserError(
            f"{path} is damaged or no zip ({error}). Copy it again, or export the run again."
        ) from error
