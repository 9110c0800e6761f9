"""Cells meeting in a frame: who owns which pixel, and the outline of each."""

from dataclasses import dataclass

import cv2
import numpy as np

from cellseg.simulate import shapes

NOWHERE = -1e3  # depth where a cell has none


@dataclass(frozen=True)
class Cell:
    """A cell's window in the canvas and its depth there."""

    window: tuple[slice, slice]
    depth: np.ndarray


class Sheet:
    """A layer of cells that press against each other.

    Attributes
    ----------
    owner : ndarray of shape (H, W), int32
        Index of the cell that is deepest at a pixel; -1 where none comes near.
    depth : ndarray of shape (H, W), float32
        Distance to the visible border of the owner, pixels: outline or contact with a neighbour.
    """

    def __init__(
        self, size: tuple[int, int], grid: np.ndarray, ruffle: np.ndarray, adhesion: float
    ):
        self._grid, self._ruffle, self._adhesion = grid, ruffle, adhesion
        self._first = np.full(size, NOWHERE, np.float32)
        self._second = np.full(size, NOWHERE, np.float32)
        self.owner = np.full(size, -1, np.int32)
        self.cells: list[Cell] = []

    def add(self, shape: shapes.Shape, centre: np.ndarray) -> None:
        """Put a cell at `centre` (row, column, pixels)."""
        low = np.maximum(np.floor(centre - shape.reach - 6), 0).astype(int)
        high = np.minimum(np.ceil(centre + shape.reach + 6), self.owner.shape).astype(int)
        window = (slice(low[0], high[0]), slice(low[1], high[1]))
        rows, columns = (self._grid[axis][window] - centre[axis] for axis in (0, 1))
        depth = shapes.depth(shape, rows, columns) + self._ruffle[window]
        first, second = self._first[window], self._second[window]
        wins = depth > first
        second[:] = np.where(wins, first, np.maximum(second, depth))
        first[wins] = depth[wins]
        self.owner[window][wins] = len(self.cells)
        self.cells.append(Cell(window, depth))

    @property
    def free_depth(self) -> np.ndarray:
        """Distance to the outline of all cells together, pixels, as if none met."""
        return shapes.blend(self._first, self._second, self._adhesion)

    @property
    def contact_depth(self) -> np.ndarray:
        """Distance to the contact with a neighbour, pixels."""
        return (self._first - self._second) / 2

    @property
    def depth(self) -> np.ndarray:
        return np.minimum(self.free_depth, self.contact_depth)

    def visible(self, index: int, margin: float, overlap: float) -> np.ndarray:
        """Depth of one cell in its window, as far as its neighbours let it be seen.

        `margin` (pixels) widens the outline where it is free, `overlap` where it meets a neighbour.
        """
        cell = self.cells[index]
        first, second = self._first[cell.window], self._second[cell.window]
        others = np.where(self.owner[cell.window] == index, second, first)
        union = shapes.blend(cell.depth, others, self._adhesion)
        return np.minimum(union + margin, (cell.depth - others) / 2 + overlap)


def outline(depth: np.ndarray, tolerance: float) -> np.ndarray | None:
    """Polygon around the largest part where `depth` is positive.

    Parameters
    ----------
    depth : ndarray of shape (H, W), float32
    tolerance : largest distance between the outline and the simplified polygon, pixels

    Returns
    -------
    ndarray of shape (n, 2), float64, or None
        Unclosed polygon of (x, y) in COCO's coordinates, where pixel (0, 0) covers 0..1; None
        where nothing is left.
    """
    from skimage.measure import find_contours

    # Mirrored with the sign changed, depth crosses zero exactly at the border of the array.
    padded = np.pad(depth, 1, mode="edge")
    for edge in (padded[0], padded[-1], padded[:, 0], padded[:, -1]):
        edge[:] = -np.abs(edge)
    contours = find_contours(padded, 0.0)
    if not contours:
        return None
    largest = max(contours, key=area)
    closed = largest[:-1].astype(np.float32)
    polygon = cv2.approxPolyDP(closed, tolerance, closed=True)[:, 0].astype(np.float64)
    if len(polygon) < 4:
        return None
    return np.clip(polygon[:, ::-1] - 0.5, 0, depth.shape[::-1])


def area(polygon: np.ndarray) -> float:
    """Area of a polygon by the shoelace formula; `polygon` of shape (n, 2)."""
    x, y = polygon.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))
