"""Tile files and tables of a run, made of images of one tile each."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from cellseg.data import annotation_tables, tiles
from cellseg.data.annotation_tables import IMAGE_SCHEMA, write_images
from cellseg.io import atomic


def write_split(folder: Path, split: str, names: Sequence[tuple[str, str]], noise: int = 0) -> None:
    """Tiles, labels and table of a split: bright cells of BV2, dark ones of all other types.

    Parameters
    ----------
    folder : gets <split>.npz, <split>.labels.npz and <split>.images.parquet
    names : image and cell type of each; the well of an image is its name
    noise : seed of the images
    """
    labels = np.zeros((32, 32), np.int32)
    labels[4:14, 5:15], labels[18:29, 12:27] = 1, 2
    rows = []
    for order, (image, cell_type) in enumerate(names):
        grain = np.random.default_rng([noise, order]).normal(0, 4, labels.shape)
        sign = 1 if cell_type == "BV2" else -1
        path = folder / f"{image}.png"
        cv2.imwrite(str(path), (128 + sign * 60 * (labels > 0) + grain).astype(np.uint8))
        row = dict.fromkeys(field.name for field in IMAGE_SCHEMA) | {
            "image": image, "image_id": order, "split": split, "order": order, "path": str(path),
            "cell_type": cell_type, "well": image, "height": 32, "width": 32, "n_cells": 2,
            "incomplete": False,
        }  # fmt: skip
        rows.append(row)
    table = pd.DataFrame(rows)
    write_images(folder / f"{split}.images.parquet", table)
    atomic.write_stack(folder / f"{split}.labels.npz", [(name, labels) for name, _ in names])
    tiles.write(
        table["image"], annotation_tables.pictures(table),
        folder / f"{split}.labels.npz", folder / f"{split}.npz", 32,
    )  # fmt: skip
