"""Small tiles with their cells for tests of detectors."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from cellseg.data.rasterize import rasterize
from cellseg.images.normalization import normalize
from cellseg.images.reading import read
from cellseg.models.detectors.detector import Instances
from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import simulate_frame

MINI = Path(__file__).resolve().parents[2] / "shared" / "data" / "livecell-mini"


def tiles(size: int = 128) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Two tiles and their label images: real ones where they are at hand, else simulated."""
    found = list(_real(size) if MINI.is_dir() else _simulated(size))
    return [image for image, _ in found], [labels for _, labels in found]


def _real(size: int):
    annotations = json.loads(
        (MINI / "annotations/LIVECell/livecell_coco_test.json").read_text(encoding="utf-8")
    )
    cells = annotations["annotations"]
    cells = list(cells.values()) if isinstance(cells, dict) else cells
    for kind in ("A172", "Huh7"):
        entry = next(one for one in annotations["images"] if one["file_name"].startswith(kind))
        outlines = [one["segmentation"] for one in cells if one["image_id"] == entry["id"]]
        labels = rasterize(outlines, entry["height"], entry["width"])
        path = MINI / "images/livecell_test_images" / kind / entry["file_name"]
        yield _fullest(read(path), labels, size)


def _simulated(size: int):
    for seed, name in enumerate(("A172", "Huh7")):
        random = np.random.default_rng(seed)
        frame = simulate_frame(CELL_TYPES[name], 60, 3 * size, 3 * size, random)
        labels = rasterize([[one.ravel().tolist()] for one in frame.outlines], 3 * size, 3 * size)
        yield _fullest(frame.image, labels, size)


def _fullest(image: np.ndarray, labels: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The crop with the most cells on a grid of crops; remains below 20 pixels are no cells."""
    crops = [
        np.s_[row : row + size, column : column + size]
        for row in range(0, labels.shape[0] - size + 1, size)
        for column in range(0, labels.shape[1] - size + 1, size)
    ]
    best = max(crops, key=lambda crop: len(np.unique(labels[crop])))
    cut = labels[best].copy()
    sizes = np.bincount(cut.ravel())
    cut[(sizes < 20)[cut]] = 0
    return image[best], np.unique(cut, return_inverse=True)[1].reshape(cut.shape).astype(np.int32)


def instances(labels: np.ndarray) -> Instances:
    """Boxes and crops of the cells of a label image."""
    boxes, crops, origins = [], [], []
    for number in range(1, labels.max() + 1):
        mask = (labels == number).astype(np.uint8)
        x, y, width, height = cv2.boundingRect(mask)
        boxes.append([x, y, x + width, y + height])
        crops.append(torch.from_numpy(mask[y : y + height, x : x + width].copy()))
        origins.append([x, y])
    return Instances(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        crops,
        torch.tensor(origins, dtype=torch.int64).reshape(-1, 2),
    )


def batch(images: list[np.ndarray]) -> torch.Tensor:
    """Normalised images, (N, 1, H, W) float32."""
    stack = normalize(np.stack(images)[..., None], "whole-image")
    return torch.from_numpy(np.ascontiguousarray(stack.transpose(0, 3, 1, 2), np.float32))
