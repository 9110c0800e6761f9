"""What the network sees of a picture: 8-bit grey values."""

import os

import numpy as np

from cellseg.errors import UserError

LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601

PERCENTILES = (0.1, 99.9)
"""Of an image that is deeper than 8 bits; they become 0 and 255.

One hot pixel, a row of dead ones or a scale bar must not set the contrast: a tenth of a percent is
366 pixels of one of LIVECell's images, and less than a single cell of most. Wider percentiles, such
as the 1 and 99.8 that fluorescence is often stretched by, would clip the bright halos of phase
contrast. Of fewer than a thousand pixels they are minimum and maximum.
"""

OUTLYING = 0.01
"""Most pixels of an image, as a share, that may be left out for being far from all others.

A row of hot pixels or a scale bar is more than a tenth of a percent of a small image.
"""

GAP = 0.5
"""Of the range from median to extreme: a gap as wide as this sets values apart. Cells leave none,
since their edges are blurred."""

BLOCK = 2**22  # pixels stretched at once: a stitched image as float64 may not fit into memory


def luminance(values: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    """Grey values of one picture, in the depth of its file.

    Parameters
    ----------
    values : ndarray of shape (H, W), or (H, W, 3) with red, green and blue
    path : named in errors

    Returns
    -------
    ndarray of shape (H, W); float64 where colour was deeper than 8 bits

    Raises
    ------
    UserError
        The picture has no pixels, or its values are no grey values.
    """
    if values.ndim == 3:
        colour = values @ LUMINANCE
        values = np.rint(colour).astype(np.uint8) if values.dtype == np.uint8 else colour
    if values.size == 0:
        raise UserError(f"{path} holds no pixels: it is broken. Copy it once more.")
    if values.dtype.kind not in "buif":
        raise UserError(
            f"{path}: pixels of type {values.dtype} are no grey values. Store real numbers."
        )
    return values


def levels(values: np.ndarray, path: str | os.PathLike) -> tuple[float, float]:
    """The grey values that become 0 and 255: 0 and 255 themselves for 8 bits, else percentiles.

    Values far from all others, as of a row of hot pixels, are left out first. Where the two
    percentiles are equal, as in an image that is empty but for a few cells, they are minimum and
    maximum.

    Raises
    ------
    UserError
        A value is not finite.
    """
    if values.dtype == np.uint8:
        return 0.0, 255.0
    if not np.isfinite(values).all():
        raise UserError(
            f"{path} holds values that are not finite (NaN or infinite). Replace them by grey "
            "values, such as the image's median."
        )
    values = values.astype(np.uint8) if values.dtype == bool else values
    # Values of the image, not between them: of a small image the smallest and the largest.
    low, high = (
        float(np.percentile(values, share, method=method))
        for share, method in zip(PERCENTILES, ("lower", "higher"), strict=True)
    )
    low, high = _without_outliers(values, low, high)
    return (low, high) if low < high else (float(values.min()), float(values.max()))


def _without_outliers(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """The two percentiles, each replaced where it is one of few values far from all others."""
    few = int(OUTLYING * values.size)
    if few == 0 or low == high:
        return low, high
    middle, last = values.size // 2, values.size - 1
    ordered = np.partition(values, (few, middle, last - few), axis=None)
    bottom = np.sort(ordered[: few + 1]).astype(np.float64)
    top = np.sort(ordered[last - few :]).astype(np.float64)
    median = float(ordered[middle])
    return -_inner(-bottom[::-1], -low, -median), _inner(top, high, median)


def _inner(top: np.ndarray, high: float, median: float) -> float:
    """The percentile `high`, or that of the values below a gap if it lies above one.

    Parameters
    ----------
    top : ndarray of float64, the largest values in ascending order
    """
    gap = int(np.argmax(np.diff(top)))
    above = top[gap + 1]
    # Halved, so that the span of the largest floats does not overflow.
    if high < above or above / 2 - top[gap] / 2 <= GAP * (top[-1] / 2 - median / 2):
        return high
    share = (1 - PERCENTILES[1] / 100) / OUTLYING  # of `top`
    return float(top[max(gap - round(share * len(top)), 0)])


def to_8_bit(values: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    """8-bit grey values: stretched linearly between :func:`levels` and clipped.

    Grey values of 8 bits are returned as they are; a constant image becomes 0.

    Raises
    ------
    UserError
        A value is not finite.
    """
    if values.dtype == np.uint8:
        return values
    low, high = levels(values, path)
    if low == high:
        return np.zeros(values.shape, np.uint8)
    stretched = np.empty(values.shape, np.uint8)
    # Halved first, so that the span of the largest floats does not overflow.
    span = high / 2 - low / 2
    rows = max(1, BLOCK // values.shape[1])
    for start in range(0, len(values), rows):
        some = np.clip(values[start : start + rows].astype(np.float64), low, high)
        stretched[start : start + rows] = np.rint((some / 2 - low / 2) / span * 255)
    return stretched
