"""Grey values to network input."""

from collections.abc import Callable

import numpy as np

from cellseg.errors import UserError

EPSILON = 1e-7  # deepcell's guard against a division by zero on a constant image


def _standardize(batch: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Of float32, in place."""
    batch -= batch.mean(axis=axes, keepdims=True)
    # As of std(), which would subtract the mean once more.
    deviation = np.sqrt((batch * batch).mean(axis=axes, keepdims=True))
    batch /= deviation + EPSILON
    return batch


def whole_image(batch: np.ndarray) -> np.ndarray:
    """Zero mean and unit deviation of each tile: deepcell's ``norm_method='whole_image'``.

    In place.
    """
    return _standardize(batch, (1, 2))


def batch_wise(batch: np.ndarray) -> np.ndarray:
    """Zero mean and unit deviation over the batch: the words of the Mesmer-on-LIVECell report.

    In place.
    """
    return _standardize(batch, (0, 1, 2))


def percentile(batch: np.ndarray, low: float = 0.1, high: float = 99.9) -> np.ndarray:
    """Clip each tile to its `low` and `high` percentiles and scale it to 0..1 (Mesmer)."""
    bounds = np.percentile(batch, (low, high), axis=(1, 2), keepdims=True)
    span = np.maximum(bounds[1] - bounds[0], EPSILON)
    return np.clip((batch - bounds[0]) / span, 0, 1).astype(np.float32)


def clahe(batch: np.ndarray, kernel_size: int = 128, clip_limit: float = 0.01) -> np.ndarray:
    """Contrast-limited adaptive histogram equalisation of each tile, 0..1 (Mesmer's application).

    `kernel_size` is in pixels; scikit-image's implementation, as in deepcell-toolbox.
    """
    from skimage.exposure import equalize_adapthist

    scaled = percentile(batch, 0, 100)
    equalized = [
        [equalize_adapthist(image[..., 0], kernel_size=kernel_size, clip_limit=clip_limit)]
        for image in scaled
    ]
    return np.moveaxis(np.asarray(equalized, np.float32), 1, -1)


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "whole-image": whole_image,
    "batch": batch_wise,
    "percentile": percentile,
    "clahe": clahe,
    "none": lambda batch: batch,
}
BATCH_WISE = ("batch",)
"""Methods that need the whole batch; all others treat each tile by itself."""


def _method(name: str) -> Callable[[np.ndarray], np.ndarray]:
    if name not in METHODS:
        raise UserError(f"normalization '{name}' is not one of {', '.join(METHODS)}.")
    return METHODS[name]


def normalize(batch: np.ndarray, method: str) -> np.ndarray:
    """Normalise tiles by the named method.

    Parameters
    ----------
    batch : ndarray of shape (N, H, W, 1), uint8 or float32
    method : a key of :data:`METHODS`

    Returns
    -------
    ndarray of shape (N, H, W, 1), float32
    """
    return _method(method)(batch.astype(np.float32))


def normalize_in_place(batch: np.ndarray, method: str) -> None:
    """As :func:`normalize`, of a batch of float32, which is overwritten."""
    normalized = _method(method)(batch)
    if normalized is not batch:
        batch[:] = normalized
