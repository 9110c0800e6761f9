"""Detections in large images by windows, and in several views of an image.

Both wrap a predictor and are predictors themselves. ``boxes(image)`` gives boxes ``(n, 4)``, as x0,
y0, x1 and y1 in pixels, and scores ``(n,)``. ``masks(image, boxes)`` gives probabilities
``(n, m, m)`` and factors ``(n,)`` of the scores, the quality of the masks. All are float32. Images
are ``(H, W)``, float32.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from skimage.transform import resize

from cellseg.data.tiles import offsets
from cellseg.inference.box_overlap import merged_windows, suppressed
from cellseg.targets.instances import Detector

EDGE = 1.5
"""Pixels: a box this near to an inner edge of its window may be cut."""


class Windows:
    """Detect in overlapping windows and merge what they found.

    A cell smaller than the overlap is whole in one window at least. Boxes that end at an inner edge
    of their window may be cut: they are dropped where another window has more of the cell. A cell
    that several windows found whole is taken once, from the most confident one.

    Parameters
    ----------
    predictor : of windows
    window, overlap : pixels; `overlap` must be less than `window`, and should exceed the largest
        cell by three pixels: a larger one may be found in parts

    Raises
    ------
    ValueError
        The overlap is not less than the window.
    """

    def __init__(self, predictor: Detector, window: int, overlap: int) -> None:
        if not 0 <= overlap < window:
            raise ValueError(f"overlap {overlap} must be at least 0 and less than window {window}")
        self.predictor, self.window, self.overlap = predictor, window, overlap

    def boxes(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and scores of the whole image, best first."""
        corners = self._corners(image.shape)
        boxes, scores, numbers = [_no_boxes()], [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
        for number, (row, column) in enumerate(corners):
            found, score = self.predictor.boxes(self._cut(image, row, column))
            boxes.append(found + np.float32([column, row, column, row]))
            scores.append(score)
            numbers.append(np.full(len(score), number))
        every, score, number = map(np.concatenate, (boxes, scores, numbers))
        edges = self._edges(corners, image.shape)
        inside = _distance_to_edges(every, edges[number]) > EDGE
        kept = merged_windows(every, score, number, inside, edges)
        kept = kept[np.argsort(-score[kept], kind="stable")]
        return every[kept], score[kept]

    def masks(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Masks in boxes of the whole image, each from the window that has most around it."""
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        corners = self._corners(image.shape)
        edges = self._edges(corners, image.shape)
        room = np.stack([_distance_to_edges(boxes, edge[None]) for edge in edges])
        chosen = room.argmax(axis=0)
        probabilities, quality = None, np.ones(len(boxes), np.float32)
        for number, (row, column) in enumerate(corners):
            here = np.flatnonzero(chosen == number)
            if len(here) == 0 and not (number == 0 and len(boxes) == 0):
                continue
            moved = boxes[here] - np.float32([column, row, column, row])
            masks, factors = self.predictor.masks(self._cut(image, row, column), moved)
            if probabilities is None:
                probabilities = np.empty((len(boxes), *masks.shape[1:]), np.float32)
            probabilities[here], quality[here] = masks, factors
        return probabilities, quality

    def _corners(self, shape: tuple[int, ...]) -> list[tuple[int, int]]:
        rows, columns = (offsets(length, self.window, self.overlap) for length in shape)
        return list(product(rows, columns))

    def _cut(self, image: np.ndarray, row: int, column: int) -> np.ndarray:
        return image[row : row + self.window, column : column + self.window]

    def _edges(self, corners: Sequence[tuple[int, int]], shape: tuple[int, ...]) -> np.ndarray:
        """Boxes of the windows; infinite where the image ends, since nothing is cut there."""
        edges = np.array([(c, r, c + self.window, r + self.window) for r, c in corners], float)
        edges[edges <= 0] = -np.inf
        for axis, length in ((2, shape[1]), (3, shape[0])):
            edges[edges[:, axis] >= length, axis] = np.inf
        return edges


class Views:
    """Detect in several views of an image: mirrored, turned by quarters and resized.

    Boxes of all views are turned back and suppressed together. Masks are predicted again in each
    view for the boxes that are left, and the probabilities averaged.

    Parameters
    ----------
    predictor : of images of any size
    flips : as it is, mirrored along each axis and along both
    rotations : turned by 0, 90, 180 and 270 degrees; with `flips` the eight symmetries
    scales : magnifications, at least one
    nms_threshold : of two boxes whose IoU is larger the less confident is dropped
    most : largest number of boxes
    """

    def __init__(
        self,
        predictor: Detector,
        flips: bool = False,
        rotations: bool = False,
        scales: Sequence[float] = (1,),
        nms_threshold: float = 0.5,
        most: int = 2000,
    ) -> None:
        self.predictor, self.nms_threshold, self.most = predictor, nms_threshold, most
        # Mirrored along both axes is half a turn, so flips alone need turns by 0 and 180 degrees.
        turns = (0, 1, 2, 3) if rotations else (0, 2) if flips else (0,)
        self.views = list(product(scales, turns, (False, True) if flips else (False,)))
        if not self.views:
            raise ValueError("there is no scale")

    def boxes(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and scores at the size of the image, best first."""
        boxes, scores = [_no_boxes()], [np.zeros(0, np.float32)]
        for view, (turn, mirror), scaled in self._seen(image):
            found, score = self.predictor.boxes(view)
            back = _boxes_back(found, scaled, turn, mirror)
            boxes.append(back * _factors(image.shape, scaled))
            scores.append(score)
        every, score = np.concatenate(boxes).astype(np.float32), np.concatenate(scores)
        if len(self.views) == 1:
            return every, score
        kept = suppressed(every, score, self.nms_threshold)[: self.most]
        return every[kept], score[kept]

    def masks(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean probabilities and mean factors of the views."""
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        total, factors = np.float32(0), np.zeros(len(boxes), np.float32)
        for view, (turn, mirror), scaled in self._seen(image):
            moved = _boxes_there(boxes / _factors(image.shape, scaled), scaled, turn, mirror)
            masks, quality = self.predictor.masks(view, moved.astype(np.float32))
            masks = np.rot90(masks, -turn, axes=(1, 2))
            total = total + (masks[:, :, ::-1] if mirror else masks)
            factors += quality
        number = np.float32(len(self.views))
        return np.asarray(total / number, np.float32), factors / number

    def _seen(
        self, image: np.ndarray
    ) -> Iterator[tuple[np.ndarray, tuple[int, bool], tuple[int, int]]]:
        """Each view with its turn and whether it is mirrored, and the size before turning."""
        for scale, turn, mirror in self.views:
            shape = tuple(max(1, round(length * scale)) for length in image.shape)
            scaled = image
            if shape != image.shape:
                scaled = resize(image, shape, order=1, anti_aliasing=scale < 1)
            turned = np.rot90(scaled[:, ::-1] if mirror else scaled, turn)
            yield np.ascontiguousarray(turned, np.float32), (turn, mirror), shape


def _no_boxes() -> np.ndarray:
    return np.zeros((0, 4), np.float32)


def _factors(shape: tuple[int, ...], scaled: tuple[int, int]) -> np.ndarray:
    """From lengths in a scaled image to those in the image, for a box."""
    y, x = shape[0] / scaled[0], shape[1] / scaled[1]
    return np.float32([x, y, x, y])


def _boxes_there(boxes: np.ndarray, shape: tuple[int, int], turn: int, mirror: bool) -> np.ndarray:
    """Boxes of an image of `shape` in its view, mirrored and then turned by `turn` quarters."""
    x0, y0, x1, y1 = boxes.T
    height, width = shape
    if mirror:
        x0, x1 = width - x1, width - x0
    for _ in range(turn):  # against the clock, as numpy.rot90
        x0, y0, x1, y1 = y0, width - x1, y1, width - x0
        height, width = width, height
    return np.stack([x0, y0, x1, y1], axis=1)


def _boxes_back(boxes: np.ndarray, shape: tuple[int, int], turn: int, mirror: bool) -> np.ndarray:
    """Boxes of a view in the image of `shape`, see :func:`_boxes_there`."""
    height, width = shape if turn % 2 == 0 else shape[::-1]
    back = _boxes_there(boxes, (height, width), -turn % 4, False)
    return _boxes_there(back, shape, 0, mirror)


def _distance_to_edges(boxes: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Pixels between boxes and the nearest edge of their window, negative outside: (n,)."""
    return np.minimum(boxes[:, :2] - edges[:, :2], edges[:, 2:] - boxes[:, 2:]).min(axis=1)
