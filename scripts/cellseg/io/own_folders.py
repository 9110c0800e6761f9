"""Folders that the library made and may delete again, known by a file in them.

A name is no proof: where a folder of a run is a link to a shared disk, those next to it may be
anybody's.
"""

import shutil
from pathlib import Path

MARKER = ".livecell-bench"


def make(folder: Path) -> None:
    """Make a folder, unless it exists; one that is made is ours."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        return
    (folder / MARKER).write_text(
        "livecell-bench made this folder and deletes it.\n", encoding="utf-8"
    )


def remove(folder: Path) -> None:
    """Remove a folder that is ours, with all that is in it; leave links and other folders."""
    if not folder.is_symlink() and (folder / MARKER).is_file():
        shutil.rmtree(folder, ignore_errors=True)
