"""Test-time augmentation: predict an image turned, mirrored and resized, and average the maps."""

from collections.abc import Callable, Iterable, Sequence
from itertools import product

import numpy as np
from skimage.transform import resize

from cellseg.targets.heads import at_scale, turned_back

Maps = dict[str, np.ndarray]


def averaged(
    predict: Callable[[np.ndarray], Maps], flips: bool, rotations: bool
) -> Callable[[np.ndarray], Maps]:
    """Predict tiles in several orientations, turn the maps back and average them.

    A softmax still sums to one in each pixel, as every average of softmaxes does. Maps whose
    channels are directions are turned back by their head (:class:`cellseg.targets.heads.Head`).

    Parameters
    ----------
    predict : from ``(N, H, W, 1)`` float32 to dict of head to ``(N, H, W, C)``
        Must take ``(N, W, H, 1)`` too where tiles are not square and `rotations` is set.
    flips : as they are, mirrored along each axis, and along both
    rotations : turned by 0, 90, 180 and 270 degrees; with `flips` the eight symmetries of the
        square, each once

    Returns
    -------
    function like `predict`, whose maps are float32; `predict` itself with neither option
    """
    if not (flips or rotations):
        return predict
    # Mirrored along both axes is half a turn, so flips alone need turns by 0 and 180 degrees.
    turns = (0, 1, 2, 3) if rotations else (0, 2)
    mirrors = (False, True) if flips else (False,)
    orientations = list(product(turns, mirrors))

    def predict_averaged(tiles: np.ndarray) -> Maps:
        predictions = (_predict_turned(predict, tiles, *each) for each in orientations)
        return mean(predictions, len(orientations))

    return predict_averaged


def over_scales(
    predict_image: Callable[[np.ndarray], Maps], scales: Sequence[float]
) -> Callable[[np.ndarray], Maps]:
    """Predict an image at several magnifications and average the maps at its own size.

    A softmax still sums to one in each pixel: interpolation and average are weighted means.

    Lengths in pixels are divided by the magnification. All other values are averaged as they are,
    which for distances is an approximation. Divided by the
    cell's largest, they change little with the scale; in pixels they grow with it. The inner
    distance, ``1 / (1 + beta * alpha * d**2)``, keeps its peak of 1, but with `alpha` "auto",
    ``1 / sqrt(area)``, it falls more steeply the larger the cell appears.

    Parameters
    ----------
    predict_image : from ``(H, W)`` uint8 to dict of head to ``(H, W, C)``; takes any H and W
    scales : magnifications, at least one; at 1 nothing is resized

    Returns
    -------
    function like `predict_image`, whose maps are float32; itself where the only scale is 1
    """
    if list(scales) == [1]:
        return predict_image

    def predict_scales(image: np.ndarray) -> Maps:
        predictions = (_predict_scaled(predict_image, image, scale) for scale in scales)
        return mean(predictions, len(scales))

    return predict_scales


def _predict_turned(
    predict: Callable[[np.ndarray], Maps], tiles: np.ndarray, turn: int, mirror: bool
) -> Maps:
    """Maps of the tiles as given, predicted mirrored and then turned by `turn` quarters."""
    turned = np.rot90(tiles[:, :, ::-1] if mirror else tiles, turn, axes=(1, 2))
    maps = predict(np.ascontiguousarray(turned))
    maps = {head: turned_back(head, values, turn, mirror) for head, values in maps.items()}
    back = {head: np.rot90(values, -turn, axes=(1, 2)) for head, values in maps.items()}
    return {head: values[:, :, ::-1] if mirror else values for head, values in back.items()}


def _predict_scaled(
    predict_image: Callable[[np.ndarray], Maps], image: np.ndarray, scale: float
) -> Maps:
    """Maps at the size of the image, predicted at `scale` times it."""
    shape = tuple(max(1, round(length * scale)) for length in image.shape)
    if shape == image.shape:
        return predict_image(image)
    # As float32, since skimage divides uint8 by 255. Smoothed first where it shrinks.
    scaled = resize(image.astype(np.float32), shape, order=1, anti_aliasing=scale < 1)
    maps = predict_image(np.rint(scaled).astype(np.uint8))
    return {
        head: at_scale(
            head,
            resize(values.astype(np.float32), image.shape, order=1, anti_aliasing=scale > 1),
            scale,
        )
        for head, values in maps.items()
    }


def mean(predictions: Iterable[Maps], number: int) -> Maps:
    """Mean of each head over `number` predictions, float32; holds one at a time and the sums."""
    sums: Maps = {}
    for maps in predictions:
        for head, values in maps.items():
            if head in sums:
                sums[head] += values
            else:
                sums[head] = values.astype(np.float32)  # a copy, which may be added to
    return {head: total / number for head, total in sums.items()}
