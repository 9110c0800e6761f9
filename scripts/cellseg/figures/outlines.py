"""Geometry of label images for drawing: outlines, boxes, and where most cells are."""

import numpy as np


def densest(labels: np.ndarray, zoom: int) -> tuple[int, int, int, int]:
    """Window of 1/`zoom` of the height and width that holds most cells (by their centres).

    Returns
    -------
    tuple of int
        First row, end row, first column, end column.
    """
    height, width = labels.shape
    return fullest(labels, max(height // zoom, 1), max(width // zoom, 1))


def fullest(labels: np.ndarray, rows: int, columns: int) -> tuple[int, int, int, int]:
    """Window of so many rows and columns, no more than there are, that holds most cells.

    Returns
    -------
    tuple of int
        As of :func:`densest`.
    """
    from scipy.ndimage import find_objects

    height, width = labels.shape
    counts = np.zeros((height + 1, width + 1), int)
    for box in find_objects(labels):
        if box is not None:
            row, column = ((side.start + side.stop - 1) // 2 for side in box)
            counts[row + 1, column + 1] += 1
    counts = counts.cumsum(0).cumsum(1)
    inside = (
        counts[rows:, columns:]
        - counts[:-rows, columns:]
        - counts[rows:, :-columns]
        + counts[:-rows, :-columns]
    )
    row, column = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(row), int(row) + rows, int(column), int(column) + columns


def outlines(labels: np.ndarray) -> list[np.ndarray]:
    """Outline of each cell, also between touching cells.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32

    Returns
    -------
    list of ndarray of shape (N, 2), float
        Columns x and y, in pixels; pixel centres are whole numbers.
    """
    from scipy.ndimage import find_objects
    from skimage.measure import find_contours

    lines = []
    for label, box in enumerate(find_objects(labels), 1):
        if box is None:
            continue
        mask = np.pad(labels[box] == label, 1).astype(np.float32)
        for line in find_contours(mask, 0.5):
            # Points within a straight stretch add nothing but bytes.
            steps = np.diff(line, axis=0)
            turns = np.r_[True, (steps[1:] != steps[:-1]).any(1), True]
            lines.append(line[turns, ::-1] + (box[1].start - 1, box[0].start - 1))
    return lines


def bounding_boxes(labels: np.ndarray) -> list[np.ndarray]:
    """Closed rectangle around each cell, ndarrays of shape (5, 2) like :func:`outlines`."""
    from scipy.ndimage import find_objects

    rectangles = []
    for rows, columns in filter(None, find_objects(labels)):
        left, right = columns.start - 0.5, columns.stop - 0.5
        upper, lower = rows.start - 0.5, rows.stop - 0.5
        corners = [(left, upper), (right, upper), (right, lower), (left, lower), (left, upper)]
        rectangles.append(np.array(corners))
    return rectangles


def meets(line: np.ndarray, window: tuple[int, int, int, int]) -> bool:
    """Whether a line's bounding box meets the window."""
    (left, upper), (right, lower) = line.min(0), line.max(0)
    return lower >= window[0] and upper < window[1] and right >= window[2] and left < window[3]
