"""Cells one by one, which may overlap: what an instance detector learns, and what it finds."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cellseg.targets import head_names

HEAD = head_names.INSTANCES
"""Stands in the place of heads: a detector learns no maps."""
CHANNEL = f"{HEAD}/0"
"""What is stored of a prediction, among the names of channels."""
SIDE = 28
"""Pixels of a side of a predicted mask, which is stretched over its box."""
WHITE = 255
"""Stored value of a probability of 1."""


@dataclass(frozen=True)
class Instances:
    """The true cells of a crop.

    Attributes
    ----------
    boxes : ndarray of shape (n, 4), float32
        Left, upper, right and lower edge in pixels, around the visible part of each cell.
    masks : list of n ndarrays of shape (h, w), uint8
        1 within the cell, in its box: whole masks of a frame of 2,500 cells would take 0.9 GB.
    origins : ndarray of shape (n, 2), int64
        Column and row of the crop at which each mask begins.
    """

    boxes: np.ndarray
    masks: list[np.ndarray]
    origins: np.ndarray


@dataclass(frozen=True)
class Detections:
    """The cells that a detector finds in an image, in any order.

    Attributes
    ----------
    shape : height and width of the image, pixels
    boxes : ndarray of shape (n, 4), float32; edges as of :class:`Instances`
    scores : ndarray of shape (n,), float32; how sure the network is, 0 to 1
    probabilities : ndarray of shape (n, 28, 28), uint8
        Of 255, that a part of the box belongs to the cell.
    """

    shape: tuple[int, int]
    boxes: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray


def rounded(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities from 0 to 1 as they are stored.

    Parameters
    ----------
    probabilities : ndarray of shape (n, 28, 28), float32

    Returns
    -------
    ndarray of shape (n, 28, 28), uint8
    """
    return np.rint(np.clip(probabilities, 0, 1) * np.float32(WHITE)).astype(np.uint8)


class Detector(Protocol):
    """A trained detector, see :mod:`cellseg.models`. Images are (H, W), float32, normalised."""

    def boxes(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...

    def masks(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


def detected(predictor: Detector, image: np.ndarray) -> Detections:
    """Detections of one image that is normalised, as they are stored."""
    boxes, scores = predictor.boxes(image)
    probabilities, quality = predictor.masks(image, boxes)
    return Detections(image.shape, boxes, scores * quality, rounded(probabilities))
