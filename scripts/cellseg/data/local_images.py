"""Images of a local data set, watched by content: dates differ between copies of a folder."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cellseg.data import image_files, label_folder, livecell_names
from cellseg.errors import UserError
from cellseg.images import decoding, reading
from cellseg.io import atomic, tolerant


def used(described: Mapping, without: Iterable[Path] = ()) -> list[Path]:
    """Image files that the tables of a data set are made of, sorted.

    With label images, those that have one; with COCO files, which are not read here, all below the
    folder of images.

    Parameters
    ----------
    described : from :func:`cellseg.data.sources.local`
    without : folders that hold no images of the data set

    Raises
    ------
    UserError
        A folder holds no label images or no images, or a label image fits several images.
    """
    root = Path(described["images"])
    if "labels" not in described:
        return reading.find(root, reading.SUFFIXES, without=without)
    labels = label_folder.files([Path(path) for path in described["labels"].values()], root)
    there = image_files.ImageFiles(root, without=itertools.chain(*labels.values()))
    found = {
        there.find(path.relative_to(folder).as_posix(), str(folder))
        for folder, paths in labels.items()
        for path in paths
    }
    return sorted(found - {None})


def stamp(paths: Sequence[Path], memory: Path) -> str | None:
    """Twelve hexadecimal digits that change when a file is added, taken away or has other content.

    Parameters
    ----------
    paths : files, which are read again only where size or date differ from the last time
    memory : file that keeps what was found; the folder may be missing

    Returns
    -------
    str, or None
        Without any file, as of a disk that is not there, that of the last time if there was one.
    """
    known = tolerant.json_file(memory)
    known = known if isinstance(known, dict) else {}
    if not paths:
        return known.get("stamp")
    seen = {}
    for path in paths:
        name = livecell_names.shown(path)
        *before, digest = known.get("files", {}).get(name, [None])
        about = _about(path)
        seen[name] = [*about, digest if before == about else _content_if_readable(path)]
    text = json.dumps([[name, digest] for name, (*_, digest) in sorted(seen.items())])
    now = {"stamp": hashlib.sha256(text.encode()).hexdigest()[:12], "files": seen}
    if now != known:
        with suppress(OSError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_json(memory, now)
    return now["stamp"]


def _about(path: Path) -> list[int]:
    """Size and date of a file; nothing of a link that leads nowhere."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _content_if_readable(path: Path) -> str | None:
    """SHA-256 of a file; None where it cannot be read: whether it is needed is decided later."""
    try:
        return content(path)
    except UserError:
        return None


def content(path: str | Path) -> str:
    """SHA-256 of a file.

    Raises
    ------
    UserError
        It is missing, no regular file, or cannot be read.
    """
    decoding.need_file(Path(path))
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise decoding.unopened(path, error) from None
