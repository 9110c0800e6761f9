"""Training data of Usiigaci (Tsai et al., SoftwareX 2019): phase contrast, a folder a picture.

``train/set*/`` and ``val/set*/`` hold ``raw.tif`` (or ``phase.png``, ``phase_normalized.png``) and
the label image ``instances_ids.png``. Folders without either are passed over.
"""

from pathlib import Path

from cellseg.data.layouts import label_images
from cellseg.data.layouts.listed import Found

LABELS = "instances_ids.png"
IMAGES = ("raw.tif", "phase.png", "phase_normalized.png")
CELL_TYPE = "T98G"


def read(folder: Path) -> Found:
    """Images and label images of a folder and its subfolders.

    Raises
    ------
    UserError
        There are none.
    """
    pairs, without = [], []
    for labels in sorted(folder.rglob(LABELS)):
        image = next((path for name in IMAGES if (path := labels.with_name(name)).is_file()), None)
        if image is None:
            without.append(labels)
            continue
        split = label_images.split_of(image, folder)
        pairs.append(label_images.Pair(image, labels, CELL_TYPE, labels.parent.name, split))
    if without:
        print(f"{len(without)} label images have no image and are passed over: {without[0]}, …")
    return label_images.found(folder, pairs, f"train/set*/{LABELS} next to {IMAGES[0]}")
