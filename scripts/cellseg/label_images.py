"""Data sets whose cells are given as label images instead of outlines."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cellseg.cells import Cells
from cellseg.errors import UserError
from cellseg.images import LABEL_SUFFIXES, find, read_labels


def files(folders: Iterable[Path], root: Path) -> dict[Path, list[Path]]:
    """Label images of each folder, searched recursively.

    Parameters
    ----------
    folders : of label images, one a split; another one's that lies below is left out
    root : folder of the images; left out where it lies below a folder of label images

    Raises
    ------
    UserError
        A folder holds no label images.
    """
    folders = list(folders)
    found = {folder: find(folder, LABEL_SUFFIXES, without=[root, *folders]) for folder in folders}
    for folder, paths in found.items():
        if not paths:
            raise UserError(f"{folder} holds no label images ({', '.join(LABEL_SUFFIXES)}).")
    return found


def read(folder: Path, paths: Iterable[Path]) -> tuple[list[dict], Cells]:
    """Read label images as if they were a COCO file.

    Parameters
    ----------
    folder : folder of label images, each named like its image
    paths : the label images in it, see :func:`files`

    Returns
    -------
    images : dicts with ``id``, ``file_name`` (path below `folder`), ``height`` and ``width``
    cells : run lengths, area and box of every label, by increasing label value

    Raises
    ------
    UserError
        A label image is broken.
    """
    images, cells = [], Cells({})
    for image_id, path in enumerate(paths, start=1):
        labels = read_labels(path)
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
    return images, cells


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
