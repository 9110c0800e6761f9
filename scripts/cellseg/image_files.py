"""Image files on disk, found by what annotations call them."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from cellseg import images
from cellseg.errors import UserError


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
        self._exact: dict[str, list[Path]] = {}  # by path below the root
        self._tails: dict[str, list[Path]] = {}  # by each end of it: a/b/c.png, b/c.png, c.png
        left_out = {path.resolve() for path in without}
        found = images.find(root, images.SUFFIXES)
        for path in found:
            if path.resolve() in left_out:
                continue
            below = PurePosixPath(path.relative_to(root).as_posix())
            for name in _with_and_without_suffix(below):
                self._exact.setdefault(name, []).append(path)
            for tail in _tails(below):
                for name in _with_and_without_suffix(tail):
                    self._tails.setdefault(name, []).append(path)
        if not self._exact:
            besides = " but label images: give those a folder of their own" if found else ""
            raise UserError(f"{root} holds no images ({', '.join(images.SUFFIXES)}){besides}.")

    def find(self, name: str, folder: str = "") -> Path | None:
        """The image that annotations call `name`; None if there is none.

        The path below the root decides, then as many of the last folder names as agree, with the
        suffix before without it (annotations often name the same image in another format). Of
        images that fit a label image equally well, the one in the nearest folder: of
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
        below = PurePosixPath(name)
        found = _first(self._exact, [below]) or _first(
            self._tails, _tails(PurePosixPath(folder, name))
        )
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


def _first(index: dict[str, list[Path]], names: list[PurePosixPath]) -> list[Path]:
    """Files of the first name that has any."""
    keys = [key for name in names for key in _with_and_without_suffix(name)]
    return next((index[key] for key in keys if key in index), [])


def _nearest(found: list[Path], label_image: Path) -> list[Path]:
    """The images that share the most folders with a label image, counted from the root."""
    here = os.path.abspath(label_image)
    shared = [len(os.path.commonpath([here, os.path.abspath(path)])) for path in found]
    return [path for path, length in zip(found, shared, strict=True) if length == max(shared)]


def _tails(path: PurePosixPath) -> list[PurePosixPath]:
    """All ends of a path, the longest first."""
    parts = [part for part in path.parts if part != path.anchor]
    return [PurePosixPath(*parts[start:]) for start in range(len(parts))]


def _with_and_without_suffix(path: PurePosixPath) -> list[str]:
    return list(dict.fromkeys((str(path), str(path.with_suffix("")))))
