"""The published LIVECell (Edlund et al., Nature Methods 2021): its files, fetched and checked."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from cellseg.data.livecell_files import IMAGES, lacking, listed, url_of
from cellseg.errors import UserError
from cellseg.images.reading import SUFFIXES, find
from cellseg.io import download, unzip
from cellseg.io.atomic import write_json


def fetch_dataset(
    base_url: str,
    files: Sequence[str],
    folder: str | os.PathLike,
    manifest: str | os.PathLike,
    checksums: Mapping[str, str] | None = None,
    retries: int = 4,
    images_archive: str = IMAGES,
    first_wait: float = 2.0,
) -> None:
    """Fetch annotations and images, and unpack the images into ``<folder>/images``.

    Whatever is there already, by hand or from an earlier call, is checked and kept. After a file
    that cannot be had the others are still fetched; without a connection each is tried once.

    Parameters
    ----------
    base_url : address of the folder on the server
    files : annotation files, relative to both `base_url` and `folder`, see
        :mod:`cellseg.data.livecell_files`
    folder : where everything goes
    manifest : JSON of the size and SHA-256 of every file. Written at the first download and
        checked against from then on: nobody publishes the hashes of these files.
    checksums : SHA-256 by file, pinned by the user; these go before the manifest
    retries, first_wait : see :func:`cellseg.io.download.fetch_file`
    images_archive : name of the zip of images, relative to `base_url` and `folder`

    Raises
    ------
    UserError
        A file cannot be had (the message lists all that lack, and where to put them), has an
        unexpected hash, or is broken.
    """
    folder, manifest = Path(folder), Path(manifest)
    wanted = [*files, images_archive]
    for name in wanted:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UserError(f"download: '{name}' must lie below the base URL.")
    pinned = dict(checksums or {})
    strangers = sorted(set(pinned) - set(wanted))
    if strangers:
        raise UserError(f"download: there is a checksum for '{strangers[0]}', which is no file.")
    known = _read_manifest(manifest)
    expected = {name: entry["sha256"] for name, entry in known.items()} | pinned

    unreachable: list[download.NotFetched] = []
    for name in wanted:
        images = folder / "images"
        if name == images_archive and _has_images(images, folder / name, expected.get(name)):
            continue
        try:
            entry = download.fetch_file(
                url_of(base_url, name),
                folder / name,
                sha256=expected.get(name),
                retries=0 if any(map(_no_connection, unreachable)) else retries,
                check=_check_json if name.endswith(".json") else None,
                first_wait=first_wait,
            )
        except download.NotFetched as error:
            unreachable.append(error)
            continue
        if name == images_archive:
            _unpack(folder / name, images, entry["sha256"])
        # An archive is only trusted once it has been unpacked, and an annotation once read.
        known[name] = entry
        write_json(manifest, known)
    if unreachable:
        raise UserError(_by_hand(unreachable, base_url, files, folder)) from unreachable[0]


def _read_manifest(path: Path) -> dict[str, dict]:
    """Size and SHA-256 of every file that was fetched before."""
    if not path.is_file():
        return {}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(entry["sha256"], str) for entry in known.values()):
            raise ValueError("a hash is no text")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} is no list of files and their hashes ({error}). Restore it from a backup, or "
            "delete it and rerun: existing files are then hashed again and kept."
        ) from error
    return known


def _has_images(images: Path, archive: Path, sha256: str | None) -> bool:
    """Whether the images are there without the archive: unpacked before, or put there by hand."""
    if archive.is_file():
        return False
    if unzip.is_unpacked(images, sha256):
        return True
    by_hand = not (images / unzip.MARKER).exists() and images.is_dir() and find(images, SUFFIXES)
    if by_hand:
        print(f"{len(by_hand)} images were put into {images} by hand; they are used as they are.")
    return bool(by_hand)


def _unpack(archive: Path, images: Path, sha256: str) -> None:
    try:
        unzip.unpack(archive, images, sha256)
    except unzip.BrokenArchive as error:
        bad = download.put_aside(archive, archive)
        raise UserError(f"{error} It is kept as {bad.name}; rerun to fetch it again.") from error


def _check_json(path: Path) -> None:
    """Refuse a JSON file that does not end where it should."""
    import ijson

    try:
        with path.open("rb") as file:
            for _ in ijson.items(file, "no such key", buf_size=1 << 20):
                pass
    except ijson.JSONError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path} is no complete JSON ({reason}).") from error


def _no_connection(error: download.NotFetched) -> bool:
    """Whether no server answered; another file of one that did may be had."""
    return "the server says" not in str(error)


def _by_hand(errors: Sequence[Exception], base_url: str, files: Sequence[str], folder: Path) -> str:
    reasons = [str(error).partition(". Without internet")[0] for error in errors]
    return "\n".join(
        [
            *(f"{reason}." for reason in reasons),
            "If there is no internet here, fetch these files elsewhere and put them there by hand:",
            *listed(lacking(base_url, files, folder)),
            "Then rerun: what is there is checked and kept. Parts of a broken transfer stay, and "
            "the next run continues with them.",
        ]
    )
