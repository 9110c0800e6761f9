"""All files below a folder, also where links lead."""

import os
import sys
from collections import deque
from collections.abc import Container, Iterable
from pathlib import Path

from cellseg.errors import UserError

MAC = "__MACOSX"  # in archives made on a Mac, with a hidden twin of every file


def files(folder: Path, suffixes: Container[str], without: Iterable[Path] = ()) -> list[Path]:
    """All files below `folder` that end in one of `suffixes`, sorted.

    Links to folders are followed. A folder that several paths lead to is searched once, by its path
    without links if it has one; a link to a folder above is not followed. Hidden files and folders
    are left out: copies that file systems and Macs keep. A folder that cannot be read is named on
    stderr.

    Parameters
    ----------
    suffixes : in lower case; upper case in a name counts as lower
    without : folders whose files are left out, where they lie below `folder`

    Raises
    ------
    UserError
        The folder itself cannot be read.
    """
    if not os.access(folder, os.R_OK | os.X_OK) and os.path.isdir(folder):
        raise UserError(f"the folder {folder} cannot be read. Correct its rights.")
    root = folder.resolve()
    seen = {root, *root.parents}
    left_out = {other.resolve() for other in without} - seen
    found: list[Path] = []
    waiting, links = deque([(folder, root)]), deque()
    while waiting or links:
        here, real = waiting.popleft() if waiting else links.popleft()
        for entry in _entries(here):
            if entry.name.startswith(".") or entry.name == MAC:
                continue
            path = here / entry.name
            if not _is_folder(entry):
                if path.suffix.lower() in suffixes:
                    found.append(path)
                continue
            linked = entry.is_symlink()
            target = path.resolve() if linked else real / entry.name
            if linked:
                links.append((path, target))
            elif target not in seen and target not in left_out:
                seen.add(target)
                waiting.append((path, target))
        if not waiting:
            # Only now is known which folders have a path without links.
            while links and (links[0][1] in seen or _within(links[0][1], left_out)):
                links.popleft()
            if links:
                seen.add(links[0][1])
    return sorted(found)


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        print(f"Warning: {folder} is left out, it cannot be read ({error}).", file=sys.stderr)
        return []


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself
        return False


def _within(path: Path, folders: set[Path]) -> bool:
    return path in folders or any(parent in folders for parent in path.parents)
