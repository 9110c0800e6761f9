"""Instances to a label image: masks in boxes are pasted, painted by confidence, and cleaned.

A detector gives each cell a box, a score and a mask of some 28 x 28 probabilities. Pasting all of
them into whole images would cost a frame each; here each pixel of a box is interpolated once.
"""

import numpy as np
from numba import njit

MASK_THRESHOLD, SCORE_THRESHOLD, MIN_SIZE = 0.5, 0.05, 0


def paste(
    box: np.ndarray, probabilities: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, tuple[int, int]]:
    """Probabilities of one instance at the pixels of an image.

    Interpolated bilinearly between the centres of the mask's pixels; beyond the outermost centres
    they fall to 0.

    Parameters
    ----------
    box : ndarray of shape (4,); x0, y0, x1, y1 in pixels, may leave the image
    probabilities : ndarray of shape (m, m), float32
    shape : height and width of the image

    Returns
    -------
    crop : ndarray of shape (h, w), float32; of the pixels whose centres lie in the box
    place : row and column of its first pixel
    """
    _check(np.asarray(box)[None], np.zeros(1), np.asarray(probabilities)[None])
    row, column, height, width = _area(np.asarray(box, np.float64), shape[0], shape[1])
    crop = np.empty((height, width), np.float32)
    _fill(crop, row, column, np.asarray(box, np.float64), np.asarray(probabilities, np.float32))
    return crop, (row, column)


def paint(
    boxes: np.ndarray,
    scores: np.ndarray,
    probabilities: np.ndarray,
    shape: tuple[int, int],
    **thresholds: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Label image of instances, and the score of each cell.

    Parameters as of :func:`painted`.

    Returns
    -------
    labels : ndarray of shape (H, W), int32; 0 or 1..n, the most confident is 1
    scores : ndarray of shape (n,), float64
    """
    labels, chosen = painted(boxes, scores, probabilities, shape, **thresholds)
    return labels, np.asarray(scores, np.float64)[chosen]


def painted(
    boxes: np.ndarray,
    scores: np.ndarray,
    probabilities: np.ndarray,
    shape: tuple[int, int],
    mask_threshold: float = MASK_THRESHOLD,
    score_threshold: float = SCORE_THRESHOLD,
    min_size: int = MIN_SIZE,
) -> tuple[np.ndarray, np.ndarray]:
    """Label image of instances and their numbers, in the four steps of the Sartorius write-up.

    Those below the score threshold are left out. Masks are made binary. A pixel that several claim
    is given to the most confident, of equal ones to the first. Cells that are left with fewer than
    `min_size` pixels are removed; what they hid stays hidden.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4); x0, y0, x1, y1 in pixels
    scores : ndarray of shape (n,)
    probabilities : ndarray of shape (n, m, m); float32 in 0..1, or uint8, which is divided by 255
    shape : height and width of the image
    mask_threshold : a pixel is cell where its probability is at least this and above 0
    score_threshold : instances with a score of at least this are kept
    min_size : pixels

    Returns
    -------
    labels : ndarray of shape (H, W), int32; 0 or 1..n, the most confident is 1
    chosen : ndarray of shape (n,), int; the instance that each cell is painted from

    Raises
    ------
    ValueError
        The arrays do not fit each other.
    """
    boxes, scores = np.asarray(boxes, np.float64), np.asarray(scores, np.float64)
    probabilities = np.asarray(probabilities)
    _check(boxes, scores, probabilities)
    kept = np.flatnonzero(scores >= score_threshold)
    order = kept[np.argsort(-scores[kept], kind="stable")]
    if probabilities.dtype == np.uint8:
        masks = probabilities[order].astype(np.float32) / np.float32(255)
    else:
        masks = probabilities[order].astype(np.float32)
    labels = np.zeros(shape, np.int32)
    sizes = _paint(labels, boxes[order], masks, mask_threshold)
    seen = sizes >= max(1, min_size)
    numbers = np.zeros(len(order) + 1, np.int32)
    numbers[1:][seen] = np.arange(1, seen.sum() + 1)
    return numbers[labels], order[seen]


def _check(boxes: np.ndarray, scores: np.ndarray, probabilities: np.ndarray) -> None:
    """The kernels check no bounds."""
    number = len(scores)
    square = probabilities.ndim == 3 and probabilities.shape[1] == probabilities.shape[2] > 0
    if boxes.shape != (number, 4) or scores.ndim != 1 or len(probabilities) != number or not square:
        raise ValueError(
            f"boxes of shape {boxes.shape}, scores of {scores.shape} and masks of "
            f"{probabilities.shape} must be (n, 4), (n,) and (n, m, m)"
        )
    if not np.isfinite(boxes).all():
        raise ValueError("a box is not finite")


@njit(cache=True, nogil=True)
def _area(box, height, width):
    """First row and column, rows and columns of the pixels whose centres lie in a box."""
    left = int(np.ceil(min(max(box[0] - 0.5, 0.0), float(width))))
    top = int(np.ceil(min(max(box[1] - 0.5, 0.0), float(height))))
    right = int(np.ceil(min(max(box[2] - 0.5, 0.0), float(width))))
    bottom = int(np.ceil(min(max(box[3] - 0.5, 0.0), float(height))))
    return top, left, max(0, bottom - top), max(0, right - left)


@njit(cache=True, nogil=True)
def _between(at, size):
    """The two pixels of a mask around a position, and the share of the second."""
    first = int(np.floor(at))
    return first, first + 1, np.float32(at - first)


@njit(cache=True, nogil=True)
def _value(mask, y0, y1, dy, x0, x1, dx):
    """Bilinear interpolation; outside the mask is 0."""
    size = mask.shape[0]
    a = b = c = d = np.float32(0)
    if y0 >= 0:
        a = mask[y0, x0] if x0 >= 0 else a
        b = mask[y0, x1] if x1 < size else b
    if y1 < size:
        c = mask[y1, x0] if x0 >= 0 else c
        d = mask[y1, x1] if x1 < size else d
    one = np.float32(1)
    return (a * (one - dx) + b * dx) * (one - dy) + (c * (one - dx) + d * dx) * dy


@njit(cache=True, nogil=True)
def _fill(crop, row, column, box, mask):
    """Fill a crop that begins at `row` and `column` with a pasted mask."""
    size = mask.shape[0]
    tall, wide = size / (box[3] - box[1]), size / (box[2] - box[0])
    for r in range(crop.shape[0]):
        y0, y1, dy = _between((row + r + 0.5 - box[1]) * tall - 0.5, size)
        for c in range(crop.shape[1]):
            x0, x1, dx = _between((column + c + 0.5 - box[0]) * wide - 0.5, size)
            crop[r, c] = _value(mask, y0, y1, dy, x0, x1, dx)


@njit(cache=True, nogil=True)
def _paint(labels, boxes, masks, threshold):
    """Paint masks where nothing is, in their order; the pixels that each got."""
    height, width = labels.shape
    size = masks.shape[1]
    got = np.zeros(len(boxes), np.int64)
    left, right = np.empty(width, np.int64), np.empty(width, np.int64)
    share = np.empty(width, np.float32)
    for number in range(len(boxes)):
        box, mask = boxes[number], masks[number]
        row, column, rows, columns = _area(box, height, width)
        if rows == 0 or columns == 0:
            continue
        tall, wide = size / (box[3] - box[1]), size / (box[2] - box[0])
        for c in range(columns):
            left[c], right[c], share[c] = _between((column + c + 0.5 - box[0]) * wide - 0.5, size)
        for r in range(rows):
            y0, y1, dy = _between((row + r + 0.5 - box[1]) * tall - 0.5, size)
            for c in range(columns):
                if labels[row + r, column + c]:
                    continue
                value = _value(mask, y0, y1, dy, left[c], right[c], share[c])
                if value >= threshold and value > 0:
                    labels[row + r, column + c] = number + 1
                    got[number] += 1
    return got
