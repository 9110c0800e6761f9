"""Numbers that describe an image: density, size and shape of its cells, and their texture.

Chosen before any comparison was made: what decides how hard an image is to segment (density,
contact, size, shape), and what a paste could spoil (brightness, contrast and sharpness inside and
at the edge of cells, noise between them).
"""

import os
from functools import partial

import cv2
import numpy as np
import pandas as pd

from cellseg.data import annotation_tables
from cellseg.images.reading import Picture
from cellseg.io import made_files
from cellseg.io.atomic import open_stack
from cellseg.runtime.parallel import ordered_map
from cellseg.synthesis.background import REACH, distance_to

FEATURES = {
    "cells": "cells per 100,000 pixels, logarithm",
    "confluence": "share of the image that cells cover",
    "contact": "share of the cells' edge pixels that lie within two pixels of another cell",
    "area": "median area of the cells, pixels, logarithm",
    "area_spread": "interquartile range of the areas' logarithms",
    "elongation": "median ratio of the axes of the ellipse with a cell's second moments",
    "solidity": "median share of a cell in its convex hull",
    "cell_contrast": "standard deviation of grey values in cells",
    "cell_detail": "the same after a Laplacian, in cells",
    "edge_brightness": "mean grey value of cells' outermost three pixels, less the background's",
    "halo_contrast": "standard deviation of grey values up to three pixels from cells",
    "noise": "mean size of the Laplacian where no cell is near, without the largest tenth",
}
"""Each feature and what it is."""

GROUPS = {
    "density": ("cells", "confluence", "contact"),
    "size and shape": ("area", "area_spread", "elongation", "solidity"),
    "texture": ("cell_contrast", "cell_detail", "edge_brightness", "halo_contrast", "noise"),
}
QUIET = 0.9  # share of the background's pixels that are no debris


def table(
    images_table: str | os.PathLike, labels: str | os.PathLike, processes: int
) -> pd.DataFrame:
    """Features of all images of a table that have cells.

    Returns
    -------
    DataFrame
        image, cell_type and a column a feature; see :data:`FEATURES`
    """
    listed = made_files.read_parquet(images_table)
    listed = listed[listed["n_cells"] > 0]
    jobs = list(zip(listed["image"], annotation_tables.pictures(listed), strict=True))
    rows = ordered_map(partial(_features_of, str(labels)), jobs, processes)
    features = pd.DataFrame(list(rows), columns=list(FEATURES), index=listed.index)
    return pd.concat([listed[["image", "cell_type"]], features], axis=1).reset_index(drop=True)


def _features_of(labels: str, job: tuple[str, Picture]) -> dict[str, float]:
    cv2.setNumThreads(1)
    image, picture = job
    return features(picture.read(), open_stack(labels)[image])


def features(image: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Features of one image.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    labels : ndarray of shape (H, W), int32, with at least one cell
    """
    from skimage.measure import regionprops_table

    grey = image.astype(np.float32)
    cells = labels > 0
    shapes = regionprops_table(
        labels, properties=("area", "axis_major_length", "axis_minor_length", "solidity")
    )
    areas = np.log(shapes["area"])
    minor = np.maximum(shapes["axis_minor_length"], 1)
    away, depth = distance_to(cells), distance_to(~cells)
    detail = cv2.Laplacian(grey, cv2.CV_32F)
    free = away > REACH
    free = free if free.any() else away == away.max()
    quiet = np.sort(np.abs(detail[free]))
    near = (away > 0) & (away <= 3)
    return {
        "cells": float(np.log(1e5 * len(areas) / labels.size)),
        "confluence": float(cells.mean()),
        "contact": _contact(labels),
        "area": float(np.median(areas)),
        "area_spread": float(np.subtract(*np.quantile(areas, (0.75, 0.25)))),
        "elongation": float(np.median(np.maximum(shapes["axis_major_length"], 1) / minor)),
        "solidity": float(np.median(shapes["solidity"])),
        "cell_contrast": float(grey[cells].std()),
        "cell_detail": float(detail[cells].std()),
        "edge_brightness": float(grey[cells & (depth <= 3)].mean() - np.median(grey[free])),
        "halo_contrast": float(grey[near].std()) if near.any() else 0.0,
        "noise": float(quiet[: max(int(QUIET * len(quiet)), 1)].mean()),
    }


def _contact(labels: np.ndarray) -> float:
    """Share of edge pixels of cells that are within two pixels of another cell."""
    kernel = np.ones((5, 5), np.uint8)
    # Labels are far below 2^24, up to which float32 holds whole numbers.
    largest = cv2.dilate(labels.astype(np.float32), kernel)
    far = float(labels.max() + 1)
    smallest = far - cv2.dilate(np.where(labels > 0, far - labels, 0).astype(np.float32), kernel)
    inner = cv2.erode((labels > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    touching = (labels > 0) & ((largest > labels) | (smallest < labels))
    edge = (labels > 0) & (touching | ~inner)
    return float(np.count_nonzero(touching) / max(np.count_nonzero(edge), 1))
