"""Unpacking zip archives from the internet: safely, and whole or not at all."""

import errno
import json
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from cellseg.errors import UserError
from cellseg.io import disk_full, zip_files

MARKER = ".unpacked.json"  # lies in the unpacked folder and says what it was made from


class BrokenArchive(UserError):
    """The archive cannot be read to its end."""


def unpack(
    archive: str | os.PathLike,
    folder: str | os.PathLike,
    sha256: str,
    wanted: Callable[[str], bool] = lambda name: True,
) -> None:
    """Unpack `archive` so that its content, less a single outer folder, becomes `folder`.

    A folder that was unpacked from the same archive and is still complete is left alone; another
    one is replaced, after the new one is complete.

    Parameters
    ----------
    archive : path of the zip
    folder : path of the folder to make
    sha256 : hash of the archive
    wanted : whether a file, by its name in the archive, is unpacked

    Raises
    ------
    BrokenArchive
        The archive cannot be read to its end.
    UserError
        It does not fit on the disk, or holds an entry that would be written
        outside the folder (absolute path, ``..``) or is a link.
    """
    archive, folder = Path(archive), Path(folder)
    if is_unpacked(folder, sha256):
        return
    with disk_full.explained(folder):
        _unpack(archive, folder, sha256, wanted)


def _unpack(archive: Path, folder: Path, sha256: str, wanted: Callable[[str], bool]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _extract(archive, aside / "new", wanted)
        top = list((aside / "new").iterdir())
        content = top[0] if len(top) == 1 and top[0].name == folder.name else aside / "new"
        sizes = {
            path.relative_to(content).as_posix(): path.stat().st_size
            for path in sorted(content.rglob("*"))
            if path.is_file()
        }
        (content / MARKER).write_text(
            json.dumps({"sha256": sha256, "files": sizes}, indent=1), encoding="utf-8"
        )
        if folder.exists():
            folder.rename(aside / "old")
        content.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def is_unpacked(folder: Path, sha256: str | None) -> bool:
    """Whether `folder` holds all of the archive with this hash; None means whichever it was."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return sha256 in (None, marker["sha256"]) and all(
            (folder / name).stat().st_size == size for name, size in marker["files"].items()
        )
    except (OSError, ValueError, KeyError):
        return False


def _extract(archive: Path, folder: Path, wanted: Callable[[str], bool]) -> None:
    try:
        with zipfile.ZipFile(archive) as content:
            members = [
                member
                for member in content.infolist()
                if not member.is_dir()
                and PurePosixPath(member.filename).parts[:1] != ("__MACOSX",)
                and wanted(member.filename)
            ]
            for member in members:
                _refuse_if_unsafe(archive, member)
            needed = sum(member.file_size for member in members)
            free = shutil.disk_usage(folder.parent).free
            if needed > free:
                raise UserError(
                    f"{archive} needs {needed / 1e9:.1f} GB to unpack, {free / 1e9:.1f} GB are "
                    f"free at {folder.parent}. Free some space and rerun."
                )
            folder.mkdir()
            for member in members:
                content.extract(member, folder)  # checks the CRC of every file
    except (*zip_files.DAMAGED, ValueError) as error:
        raise BrokenArchive(f"{archive} is a broken zip archive ({error}).") from error
    except OSError as error:
        # bz2 gives no number, and a place before the file is no argument; the rest is the disk.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise BrokenArchive(f"{archive} is a broken zip archive ({error}).") from error


def _refuse_if_unsafe(archive: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        reason = f"'{name}', which lies outside the folder it is unpacked into"
    elif stat.S_ISLNK(member.external_attr >> 16):
        reason = f"'{name}', which is a link"
    else:
        return
    raise UserError(
        f"{archive} holds {reason}. Nothing was unpacked. This is not the published archive: "
        "delete it and check where it came from."
    )
