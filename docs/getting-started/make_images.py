"""Make a small data set to follow the tutorial "your own images" with: images and label images.

    PYTHONPATH=scripts python docs/getting-started/make_images.py my-images

The images are simulated, so scores on them say nothing about real cells. The same call gives the
same files.
"""

import sys
from pathlib import Path

import numpy as np
import tifffile
from skimage.draw import polygon

from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import Frame, simulate_frame

SIDE = 320  # pixels
IMAGES = {"train": 8, "val": 2, "test": 3, "new": 2}
CULTURE_HOURS = (24, 48, 72)


def labels(frame: Frame) -> np.ndarray:
    """Label image of a frame: 0 is background, each cell has another number."""
    drawn = np.zeros(frame.image.shape, np.uint16)
    for number, outline in enumerate(frame.outlines, 1):
        drawn[polygon(outline[:, 1], outline[:, 0], drawn.shape)] = number
    return drawn


def main(folder: Path) -> None:
    """Write ``images``, ``labels/train``, ``labels/val``, ``labels/test`` and ``new``."""
    kind = CELL_TYPES["SkBr3"]
    random = np.random.default_rng(0)
    for split, count in IMAGES.items():
        for number in range(1, count + 1):
            hours = CULTURE_HOURS[number % len(CULTURE_HOURS)]
            frame = simulate_frame(kind, hours, SIDE, SIDE, random)
            name = f"{split}-{number}.tif"
            parts = {"new" if split == "new" else "images": frame.image}
            if split != "new":
                parts[f"labels/{split}"] = labels(frame)
            for part, pixels in parts.items():
                (folder / part).mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(folder / part / name, pixels)
    print(f"{sum(IMAGES.values())} images in {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"Name the folder to write: python {sys.argv[0]} my-images")
    main(Path(sys.argv[1]))
