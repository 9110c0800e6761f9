"""A folder as Cellpose is trained on: ``X_img.tif`` or ``X.tif`` next to ``X_masks.tif``.

Masks that Cellpose wrote, ``X_cp_masks.tif``, are read as well.

See Cellpose's documentation on training. Subfolders ``train`` and ``test`` are splits.
"""

from pathlib import Path

from cellseg.data import label_folder
from cellseg.data.layouts import label_images
from cellseg.data.layouts.listed import Found
from cellseg.errors import UserError
from cellseg.images.reading import LABEL_SUFFIXES, SUFFIXES, find
from cellseg.io.wording import number_of

ENDINGS = ("_cp_masks", "_masks")
"""Of masks that Cellpose wrote, and of those that it is trained on."""


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
        ending = next((one for one in ENDINGS if labels.stem.endswith(one)), None)
        if ending is None:
            continue
        stem = labels.with_name(labels.stem.removesuffix(ending))
        found = images.get(stem.with_name(f"{stem.name}_img"), images.get(stem))
        if not found:
            raise UserError(
                f"{labels} has no image next to it: neither {stem.name}_img nor {stem.name} with a "
                "suffix of images. Put it there, or remove the label image."
            )
        image = label_images.only(found, labels)
        pairs.append(label_images.Pair(image, labels, split=label_images.split_of(image, folder)))
    n_without = len(images.keys() - {path.with_suffix("") for pair in pairs for path in pair[:2]})
    if pairs and n_without:
        print(f"{number_of(n_without, 'image')} without label image passed over.")
    return label_images.found(folder, pairs, "X_img.tif or X.tif next to X_masks.tif")
