"""What files and folders take on the disk."""

import json
import os
import shutil
from pathlib import Path

from cellseg.io import unzip


class Sizes:
    """Bytes of files below a folder; each folder is read once.

    Parameters
    ----------
    folder : of all results; it need not exist
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listed: dict[str, dict[str, int]] = {}

    def of(self, path: str) -> int | None:
        """Bytes of a file, or of a folder if the path ends in ``/``; None while it is missing.

        A folder is missing until ``source.json`` is next to it.
        """
        place, _, name = path.rstrip("/").rpartition("/")
        files = self._files(place)
        if not path.endswith("/"):
            return files.get(name)
        return _below(self.folder / path) if "source.json" in files else None

    def free(self) -> int:
        """Bytes that are free where the folder is, or will be."""
        folder = self.folder.absolute()
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def _files(self, place: str) -> dict[str, int]:
        if place not in self._listed:
            try:
                with os.scandir(f"{self.folder}/{place}") as entries:
                    files = {one.name: one.stat().st_size for one in entries if one.is_file()}
            except OSError:
                files = {}  # not made yet
            self._listed[place] = files
        return self._listed[place]


def _below(folder: Path) -> int:
    """Of unpacked images, which are thousands, the sizes are in the list next to them."""
    size = 0
    for path, folders, names in os.walk(folder):
        if unzip.MARKER in names:
            try:
                marker = json.loads((Path(path) / unzip.MARKER).read_text(encoding="utf-8"))
                size += sum(marker["files"].values())
            except (OSError, ValueError, KeyError):
                continue
            folders.clear()
        else:
            size += sum(_size(Path(path) / name) for name in names)
    return size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
