"""A folder with some installed packages, and what these need, alone: as a fresh environment has."""

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

SAME = {"tensorflow": "tensorflow-cpu"}
"""Packages, and those with the same content that an environment may have instead."""


def link(packages: list[str], folder: Path) -> None:
    """Link the files of installed packages, and of all that these require, into a folder.

    Raises
    ------
    PackageNotFoundError
        A package is not installed.
    """
    folder.mkdir(parents=True)
    waiting, seen = list(packages), set()
    while waiting:
        name = re.sub("[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        found = _distribution(name)
        for top in {file.parts[0] for file in found.files or [] if file.parts[0] != ".."}:
            target = Path(found.locate_file(top))
            if target.exists() and not (folder / top).exists() and target.suffix != ".pth":
                (folder / top).symlink_to(target)
        for text in found.requires or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)


def command(folder: Path) -> list[str]:
    """Python with the packages in a folder, and no others."""
    start = (
        f"import runpy, sys; sys.path.append({str(folder)!r}); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return [sys.executable, "-I", "-S", "-c", start]


def _distribution(name: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return metadata.distribution(SAME.get(name, name))
