"""Maps of whole images: from windows that are cut, predicted and blended, or at once."""

from collections.abc import Callable, Sequence

import numpy as np
from skimage.transform import resize

from cellseg.data.tiles import offsets
from cellseg.images.normalization import normalize

Maps = dict[str, np.ndarray]


def blending_weights(window: int, overlap: int) -> np.ndarray:
    """Weight of each pixel of a window: one inside, a raised cosine over the overlap.

    Returns
    -------
    ndarray of shape (window, window), float32, nowhere zero
    """
    ramp = np.ones(window)
    if overlap:
        rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / overlap)
        ramp[:overlap] = rise
        ramp[window - overlap :] = np.minimum(ramp[window - overlap :], rise[::-1])
    ramp = np.maximum(ramp, 1e-3)
    return np.outer(ramp, ramp).astype(np.float32)


def predict_image(
    predict: Callable[[np.ndarray], Maps],
    image: np.ndarray,
    window: int,
    overlap: int,
    normalization: str,
    batch_size: int = 8,
    grid: int = 1,
) -> Maps:
    """Maps of a whole image, at its own resolution.

    Each window is normalised by itself, as each tile was in training. An image smaller than the
    window is mirrored at its far edges and the maps are cut back.

    Parameters
    ----------
    predict : from ``(N, window, window, 1)`` float32 to dict of head to ``(N, window, window, C)``
    image : ndarray of shape (H, W), uint8
    window, overlap : pixels; `overlap` must be less than `window`
    grid : rows and columns of which each has a value; windows begin at multiples of it

    Returns
    -------
    dict of head name to ndarray of shape (H, W, C), float32
    """
    if not 0 <= overlap < window:
        raise ValueError(f"overlap {overlap} must be at least 0 and less than window {window}")
    height, width = image.shape
    far = [
        (0, window - length if length < window else -(length - window) % grid)
        for length in image.shape
    ]
    padded = np.pad(image, far, mode="symmetric")
    places = [
        (row, column)
        for row in offsets(padded.shape[0], window, overlap, grid)
        for column in offsets(padded.shape[1], window, overlap, grid)
    ]
    weights = blending_weights(window, overlap)
    total = np.zeros(padded.shape, np.float32)
    sums: Maps = {}
    for start in range(0, len(places), batch_size):
        group = places[start : start + batch_size]
        tiles = np.stack([padded[row : row + window, col : col + window] for row, col in group])
        maps = predict(normalize(tiles[..., None], normalization))
        for number, (row, column) in enumerate(group):
            area = np.s_[row : row + window, column : column + window]
            total[area] += weights
            for head, values in maps.items():
                if head not in sums:
                    sums[head] = np.zeros((*padded.shape, values.shape[-1]), np.float32)
                sums[head][area] += weights[..., None] * values[number]
    return {head: (s / total[..., None])[:height, :width] for head, s in sums.items()}


def predict_whole(
    predict: Callable[[np.ndarray], Maps], image: np.ndarray, normalization: str
) -> Maps:
    """Maps of a whole image at once, for a network that takes any height and width.

    Returns
    -------
    dict of head name to ndarray of shape (H, W, C), float32
    """
    maps = predict(normalize(image[None, ..., None], normalization))
    return {head: values[0] for head, values in maps.items()}


def predict_resized(
    predict: Callable[[np.ndarray], Maps], image: np.ndarray, size: int, normalization: str
) -> Maps:
    """Maps of a whole image for a network trained on whole images squeezed to `size` x `size`.

    The maps are stretched back, so that cells are found and scored at the image's resolution.

    Returns
    -------
    dict of head name to ndarray of shape (H, W, C), float32
    """
    tile = resize(image.astype(np.float32), (size, size), order=1, anti_aliasing=True)
    maps = predict(normalize(tile[None, ..., None], normalization))
    return {head: resize(values[0], image.shape, order=1) for head, values in maps.items()}


def stacked(maps: Maps, names: Sequence[str]) -> np.ndarray:
    """Stack named channels, such as ``pixelwise/1``: head and channel.

    Returns
    -------
    ndarray of shape (H, W, channels), float32
    """
    places = [name.rsplit("/", 1) for name in names]
    return np.stack([maps[head][..., int(channel)] for head, channel in places], axis=-1)
