"""Data sets whose cells are given as label images instead of outlines."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cellseg.coco import Cells
from cellseg.errors import UserError
from cellseg.images import LABEL_SUFFIXES, find, read_labels


def read(folder: Path) -> tuple[list[dict], Cells]:
    """Read a folder of label images as if it were a COCO file.

    Parameters
    ----------
    folder : folder of label images, each named like its image; subfolders are searched too

    Returns
    -------
    images : dicts with ``id``, ``file_name`` (without suffix), ``height`` and ``width``
    cells : run lengths, area and box of every label, by increasing label value

    Raises
    ------
    UserError
        The folder holds no label images, or one of them is broken.
    """
    paths = find(folder, LABEL_SUFFIXES)
    if not paths:
        raise UserError(f"{folder} holds no label images ({', '.join(LABEL_SUFFIXES)}).")
    images, cells = [], Cells({})
    for image_id, path in enumerate(paths, start=1):
        labels = read_labels(path)
        height, width = labels.shape
        images.append({"id": image_id, "file_name": path.stem, "height": height, "width": width})
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

    for value in np.unique(labels[labels > 0]):
        yield mask.encode(np.asfortranarray(labels == value, dtype=np.uint8))
