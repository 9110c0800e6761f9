"""Image files on disk, found by what annotations call them."""

import os
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import unquote

from cellseg.errors import UserError
from cellseg.images import reading

T = TypeVar("T")


class ImageFiles:
    """All image files below a folder.

    Parameters
    ----------
    root : folder of images, searched recursively
    without : files below it that are no images of cells, such as label images

    Raises
    ------
    UserError
        There is no image.
    """

    def __init__(self, root: Path, without: Iterable[Path] = ()) -> None:
        self.root = root
        self._by_path: _Index = {}
        self._by_tail: _Index = {}  # a/b/c.png, b/c.png, c.png
        # Path.resolve fails at links that lead to themselves.
        left_out = {os.path.realpath(path) for path in without}
        found = reading.find(root, reading.SUFFIXES)
        for path in found:
            if os.path.realpath(path) in left_out:
                continue
            below = PurePosixPath(path.relative_to(root).as_posix())
            for name in _with_and_without_suffix(below):
                self._by_path.setdefault(name, []).append(path)
            for tail in tails(below):
                for name in _with_and_without_suffix(tail):
                    self._by_tail.setdefault(name, []).append(path)
        if not self._by_path:
            besides = " but label images: put those into another folder" if found else ""
            raise UserError(f"{root} holds no images ({', '.join(reading.SUFFIXES)}){besides}.")

    def find(self, name: str, folder: str = "") -> Path | None:
        """The image that annotations call `name`; None if there is none.

        The path below the root decides, then as many of the last folder names as agree, with the
        suffix before without it (annotations often name the same image in another format). A name
        that fits no image is tried as other programs write it: with the backslashes of Windows,
        with ``%20`` for a space, in another Unicode form (macOS), in other letter case. Of images
        that fit a label image equally well, the one in the nearest folder: of
        ``train/masks/0.tif`` it is ``train/images/0.png``, not ``test/images/0.png``.

        Parameters
        ----------
        name : name or path of the image or of its label image
        folder : where `name` lies, if it is a label image: ``masks/train/1.tif`` may so find
            ``images/train/1.png``

        Raises
        ------
        UserError
            Several images fit equally well.
        """
        found = self._find(name, folder)
        if len(found) > 1 and folder:
            found = _nearest(found, Path(folder, name))
        if len(found) > 1:
            first, second = (path.relative_to(self.root).as_posix() for path in found[:2])
            raise UserError(
                f"'{PurePosixPath(folder, name)}' fits more than one image of {self.root}: {first} "
                f"and {second}. Say which: write its path below that folder ('{first}') "
                + (
                    "into the path of the label image, by subfolders of the same names."
                    if folder
                    else "as 'file_name' into the annotations, or set 'images' to a folder that "
                    "holds but one of them."
                )
            )
        return found[0] if found else None

    def _find(self, name: str, folder: str) -> list[Path]:
        """Files that fit the first spelling that fits any."""
        for by_path, by_tail, spelled in (
            (self._by_path, self._by_tail, str),
            (*self._folded, fold),
        ):
            for spelling in spellings(name):
                below = PurePosixPath(spelled(spelling))
                whole = PurePosixPath(spelled(str(folder)), below)
                if found := _first(by_path, [below]) or _first(by_tail, tails(whole)):
                    return found
        return []

    @cached_property
    def _folded(self) -> tuple["_Index", "_Index"]:
        """Both indexes by folded names; most data sets never need them."""
        return folded(self._by_path), folded(self._by_tail)


_Index = dict[str, list[Path]]


def fold(name: str) -> str:
    """The same text for names that differ in letter case and Unicode form alone."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def folded(index: Mapping[str, Iterable[T]]) -> dict[str, list[T]]:
    """An index by its folded names, each entry once a name."""
    found: dict[str, dict[T, None]] = {}
    for name, entries in index.items():
        found.setdefault(fold(name), {}).update(dict.fromkeys(entries))
    return {name: list(entries) for name, entries in found.items()}


def spellings(name: str) -> list[str]:
    """The name as it is written, and as it is if written by Windows or as part of an address."""
    posix = name.replace("\\", "/")
    return list(dict.fromkeys((name, posix, unquote(name), unquote(posix))))


def _first(index: dict[str, list[Path]], names: list[PurePosixPath]) -> list[Path]:
    """Files of the first name that has any."""
    keys = [key for name in names for key in _with_and_without_suffix(name)]
    return next((index[key] for key in keys if key in index), [])


def _nearest(found: list[Path], label_image: Path) -> list[Path]:
    """The images that share the most folders with a label image, counted from the root."""
    here = os.path.abspath(label_image)
    shared = [len(os.path.commonpath([here, os.path.abspath(path)])) for path in found]
    return [path for path, length in zip(found, shared, strict=True) if length == max(shared)]


def tails(path: PurePosixPath) -> list[PurePosixPath]:
    """All ends of a path, the longest first."""
    parts = [part for part in path.parts if part != path.anchor]
    return [PurePosixPath(*parts[start:]) for start in range(len(parts))]


def _with_and_without_suffix(path: PurePosixPath) -> list[str]:
    return list(dict.fromkeys((str(path), str(path.with_suffix("")))))
