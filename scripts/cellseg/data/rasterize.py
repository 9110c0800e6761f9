"""Outlines of cells to label images, pixel for pixel as pycocotools draws them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cellseg.data import run_lengths
from cellseg.data.true_cells import TrueCells, draw

# Which of two cells owns a pixel that both cover: the order in which cells are painted.
OVERLAP: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "smaller-on-top": lambda areas: np.argsort(-areas, kind="stable"),
    "later": lambda areas: np.arange(len(areas)),
    "earlier": lambda areas: np.arange(len(areas))[::-1],
}


def rasterize(
    segmentations: Sequence[Any],
    height: int,
    width: int,
    overlap_policy: str = "smaller-on-top",
) -> np.ndarray:
    """Paint cells into a label image.

    The mask of every cell equals that of pycocotools (``frPyObjects``, ``merge``, ``decode``).

    Parameters
    ----------
    segmentations : one a cell
        A list of polygons ``[x1, y1, x2, y2, …]`` in pixels, or COCO run lengths ``{"size",
        "counts"}``, compressed (bytes or str) or not (list).
    height, width : of the image, pixels
    overlap_policy : the cell that owns a pixel covered by several

        - ``smaller-on-top``: the one of the smallest area, so that none is buried under a larger
          one (of equal ones the later)
        - ``later``, ``earlier``: the last or the first in the list

    Returns
    -------
    ndarray of shape (height, width), int32
        0 is background; the value of a cell is its position in `segmentations` plus one, however
        cells overlap. A cell without a visible pixel leaves its value unused.

    Raises
    ------
    ValueError
        `overlap_policy` is not known, or run lengths belong to an image of another size.
    """
    return paint(draw(segmentations, height, width), overlap_policy)


def paint(cells: TrueCells, overlap_policy: str = "smaller-on-top") -> np.ndarray:
    """Paint cells that are drawn already, see :func:`rasterize`."""
    if overlap_policy not in OVERLAP:
        raise ValueError(f"overlap policy '{overlap_policy}' is not one of {', '.join(OVERLAP)}")
    order = OVERLAP[overlap_policy](cells.pixels)
    runs = cells.cell_of_runs, cells.start, cells.length
    return run_lengths.paint(*runs, order, cells.height, cells.width)
