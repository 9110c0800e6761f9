"""A folder as Cellpose is trained on: ``X_img.tif`` or ``X.tif`` next to ``X_masks.tif``.

See Cellpose's documentation on training. Subfolders ``train`` and ``test`` are splits.
"""

from pathlib import Path

from cellseg.data.layouts import label_images
from cellseg.data.layouts.listed import Found
from cellseg.errors import UserError
from cellseg.images.reading import LABEL_SUFFIXES, SUFFIXES, find

ENDING = "_masks"


def read(folder: Path) -> Found:
    """Images and label images of a folder and its subfolders.

    Raises
    ------
    UserError
        Label images have no image, or there are none.
    """
    images = {path.with_suffix(""): path for path in find(folder, SUFFIXES)}
    pairs = []
    for labels in find(folder, LABEL_SUFFIXES):
        if not labels.stem.endswith(ENDING):
            continue
        stem = labels.with_name(labels.stem.removesuffix(ENDING))
        image = images.get(stem.with_name(f"{stem.name}_img"), images.get(stem))
        if image is None:
            raise UserError(
                f"{labels} has no image next to it: neither {stem.name}_img nor {stem.name} with a "
                "suffix of images. Put it there, or remove the label image."
            )
        pairs.append(label_images.Pair(image, labels, split=label_images.split_of(image, folder)))
    return label_images.found(folder, pairs, "X_img.tif or X.tif next to X_masks.tif")
