"""Data sets whose cells are given as label images instead of outlines."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath

import numpy as np

from cellseg.data import livecell_names
from cellseg.data.coco_cells import Cells
from cellseg.data.image_files import ImageFiles
from cellseg.data.label_checks import Pieces, look
from cellseg.errors import UserError
from cellseg.images.decoded import WHOLE, Part
from cellseg.images.reading import LABEL_SUFFIXES, SUFFIXES, find, read_labels

LOSSY_SUFFIXES = (".jpg", ".jpeg", ".bmp", ".gif", ".webp")
"""Of pictures that cannot be label images, or are none in practice."""

OTHER_SUFFIXES = (
    *(".npz", ".mat", ".h5", ".hdf5", ".zip", ".roi", ".json", ".geojson", ".xml", ".txt", ".csv"),
    *(".nii", ".nrrd", ".mha", ".ims", ".czi", ".nd2", ".lif"),
)
"""Of files in which programs keep cells, and which are not read as label images."""

OF_CELLPOSE = "_seg.npy"
"""The state of Cellpose's window: a pickle, which may run code when it is opened."""

ENDINGS = ("_labels", "_cp_masks", "_masks")
"""Of names of label images: of `apply` of this workflow, and of Cellpose."""


def names_of_image(name: str) -> list[str]:
    """What the image of a label image may be called, the most likely name first.

    The label image of an image ``X`` is ``X``, ``X_labels`` (as `apply` writes it), ``X_masks`` or
    ``X_cp_masks`` (as Cellpose does), each with any suffix. An image that has the whole name of
    the label image goes before one with a shorter name.

    Parameters
    ----------
    name : path of the label image

    Returns
    -------
    list of paths, all with the suffix of the label image
    """
    path = PurePosixPath(name)
    stems = [path.stem.removesuffix(end) for end in ENDINGS if path.stem.endswith(end)]
    return [name, *(path.with_name(stem + path.suffix).as_posix() for stem in stems if stem)]


def find_image(files: ImageFiles, name: str, folder: str) -> Path | None:
    """The image of a label image; None if there is none.

    Parameters
    ----------
    files : all images
    name : path of the label image below `folder`
    folder : of the label images

    Raises
    ------
    UserError
        Several images fit equally well.
    """
    found = (files.find(other, folder) for other in names_of_image(name))
    return next((path for path in found if path is not None), None)


def refuse_two_of_one_image(folder: Path, names: Sequence[str], paths: Sequence[str]) -> None:
    """Stop at label images of which two belong to one image.

    Parameters
    ----------
    folder : of the label images of a split
    names : of the label images, below it
    paths : of the image of each; None where there is none

    Raises
    ------
    UserError
        Names both.
    """
    first: dict[str, str] = {}
    for name, path in zip(names, paths, strict=True):
        if path is not None and path in first:
            raise UserError(
                f"{folder}: {first[path]} and {name} are both label images of {path}. Keep one of "
                "them in that folder."
            )
        first[path] = name


def files(folders: Iterable[Path], root: Path) -> dict[Path, list[Path]]:
    """Label images of each folder, searched recursively.

    Parameters
    ----------
    folders : of label images, one a split; another one's that lies below is left out
    root : folder of the images; left out where it lies below a folder of label images. In a folder
        that has both, as Cellpose's, ``X`` next to ``X_cp_masks`` is the image, unless there is
        one of that name outside of the folders of label images.

    Raises
    ------
    UserError
        A folder holds no label images.
    """
    folders = list(folders)
    found = {folder: find(folder, LABEL_SUFFIXES, without=[root, *folders]) for folder in folders}
    for folder in folders:
        if folder.resolve() == root.resolve():
            found[folder] = _without_images(found[folder], set())
        elif root.resolve() in folder.resolve().parents:
            elsewhere = {path.stem for path in find(root, SUFFIXES, without=folders)}
            found[folder] = _without_images(found[folder], elsewhere)
    for folder, paths in found.items():
        found[folder] = paths = _without_states(paths)
        if not paths:
            raise UserError(
                f"{folder} holds no label images ({', '.join(LABEL_SUFFIXES)})."
                f"{other_files(folder, without=[root, *folders])}"
            )
        for path in paths:
            livecell_names.refuse_unprintable(path)
    return found


_AS_IMAGE = "save label images as PNG or TIFF, one number a cell, from the program that made it."
_LOSSLESS = (
    "save label images as PNG or TIFF from the program that made them, since JPEG changes values."
)


def other_files(folder: Path, without: Iterable[Path] = ()) -> str:
    """What to say of a folder's files that are no label images; empty if there are none."""
    lossy = find(folder, LOSSY_SUFFIXES, without)
    if lossy:
        return f" {lossy[0].name} is none: {_LOSSLESS}"
    others = find(folder, OTHER_SUFFIXES, without)
    return f" {others[0].name} is none: {_AS_IMAGE}" if others else ""


def _without_states(paths: list[Path]) -> list[Path]:
    """Leave out Cellpose's ``_seg.npy`` where the masks are saved next to it, too."""
    others = {(path.parent, path.stem) for path in paths}
    endings = ("", *ENDINGS)

    def saved(path: Path) -> bool:
        stem = path.name.removesuffix(OF_CELLPOSE)
        return any((path.parent, f"{stem}{ending}") in others for ending in endings)

    return [path for path in paths if not (path.name.endswith(OF_CELLPOSE) and saved(path))]


def report_others(
    folder: Path, paths: Sequence[Path], pictures: Iterable[str], files: ImageFiles
) -> None:
    """Warn of files that seem to hold the cells of an image without label image.

    Parameters
    ----------
    folder, paths : of the label images of a split
    pictures : files of the images that these belong to
    files : all images
    """
    used = set(pictures)
    passed = []
    for path in find(folder, OTHER_SUFFIXES):
        try:
            image = find_image(files, path.relative_to(folder).as_posix(), str(folder))
        except UserError:  # several images fit
            continue
        if image is not None and str(image) not in used:
            passed.append(path)
    if passed:
        more = f" and {len(passed) - 1} more are" if passed[1:] else " is"
        print(
            f"Warning: {passed[0]}{more} passed over, and so are the images of that name. If they "
            f"hold cells, {_AS_IMAGE}",
            flush=True,
        )


def refuse_lossy(folder: Path, paths: Iterable[Path], pictures: Iterable[str]) -> None:
    """Stop at a picture in JPEG or the like among label images, which would be passed over.

    Parameters
    ----------
    folder, paths : of the label images of a split
    pictures : files of the images that these belong to; where some lie in the same folder, so may
        other images
    """
    if any(folder in PurePath(picture).parents for picture in pictures):
        return
    named = {path.with_suffix("") for path in paths}
    for path in find(folder, LOSSY_SUFFIXES):
        if path.with_suffix("") not in named:
            raise UserError(
                f"{path} lies among the label images of {folder}, but is none: {_LOSSLESS} "
                "If it is an image, move it to the images."
            )


def _without_images(paths: list[Path], elsewhere: set[str]) -> list[Path]:
    """Files without those that are the image of another one; stems `elsewhere` have an image."""
    images = {
        Path(name).with_suffix("") for path in paths for name in names_of_image(str(path))[1:]
    }
    return [path for path in paths if path.stem in elsewhere or path.with_suffix("") not in images]


def read(
    folder: Path, paths: Iterable[Path], part: Part = WHOLE
) -> tuple[list[dict], Cells, dict[int, Pieces]]:
    """Read label images as if they were a COCO file.

    Parameters
    ----------
    folder : folder of label images, each named as :func:`names_of_image` says
    paths : the label images in it, see :func:`files`
    part : which picture of a file with several

    Returns
    -------
    images : dicts with ``id``, ``file_name`` (path below `folder`), ``height`` and ``width``
    cells : run lengths, area and box of every label, by increasing label value
    pieces : how the labels of each image id hang together

    Raises
    ------
    UserError
        A label image is broken.
    """
    images, cells, pieces = [], Cells({}), {}
    for image_id, path in enumerate(paths, start=1):
        labels = read_labels(path, part)
        pieces[image_id] = look(labels)
        height, width = labels.shape
        name = path.relative_to(folder).as_posix()
        images.append({"id": image_id, "file_name": name, "height": height, "width": width})
        cells.sizes[image_id] = (height, width)
        for rle in encode(labels):
            annotation = {
                "id": len(cells.annotation_ids) + 1,
                "image_id": image_id,
                "segmentation": rle,
            }
            cells.add(annotation)
    return images, cells, pieces


def encode(labels: np.ndarray) -> Iterator[dict]:
    """Compressed COCO run lengths of each label of a label image, by increasing value.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    """
    from pycocotools import mask

    # One sort brings the pixels of every label together; a mask of the whole image for each
    # label takes as many passes over the image as it has cells.
    column_by_column = labels.ravel(order="F")  # the order of COCO run lengths
    inside = np.flatnonzero(column_by_column > 0)
    inside = inside[np.argsort(column_by_column[inside], kind="stable")]
    if len(inside) == 0:
        return
    new_label = np.flatnonzero(np.diff(column_by_column[inside])) + 1
    for pixels in np.split(inside, new_label):
        gaps = np.flatnonzero(np.diff(pixels) > 1)
        edges = np.empty(2 * len(gaps) + 2, np.int64)  # first pixel of each run, and the one after
        edges[0], edges[2::2] = pixels[0], pixels[gaps + 1]
        edges[1:-1:2], edges[-1] = pixels[gaps] + 1, pixels[-1] + 1
        counts = np.diff(edges, prepend=0, append=labels.size).tolist()
        if counts[-1] == 0:
            counts.pop()
        yield mask.frPyObjects({"size": list(labels.shape), "counts": counts}, *labels.shape)
