"""A folder as StarDist's examples use it: ``images/X.tif`` and ``masks/X.tif``.

Both may lie below ``train`` and ``test``, which are splits.
"""

from pathlib import Path

from cellseg.data import label_folder
from cellseg.data.layouts import label_images
from cellseg.data.layouts.listed import Found
from cellseg.errors import UserError
from cellseg.images.reading import LABEL_SUFFIXES, SUFFIXES, find

IMAGES, MASKS = "images", "masks"


def read(folder: Path) -> Found:
    """Images and label images of a folder and its subfolders.

    Raises
    ------
    UserError
        Label images have no image, or there are none.
    """
    images = label_images.by_stem(find(folder, SUFFIXES))
    pairs = []
    for labels in find(folder, (*LABEL_SUFFIXES, *label_folder.LOSSY_SUFFIXES)):
        if labels.parent.name != MASKS:
            continue
        stem = labels.parent.with_name(IMAGES) / labels.stem
        if stem not in images:
            raise UserError(
                f"{labels} has no image: there is no {stem} with a suffix of images. Put it there, "
                "or remove the label image."
            )
        image = label_images.only(images[stem], labels)
        pairs.append(label_images.Pair(image, labels, split=label_images.split_of(image, folder)))
    return label_images.found(folder, pairs, "images/X.tif and masks/X.tif")
