"""Two sets of images in the space of their features: how far apart, and on which components."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cellseg.extension import names
from cellseg.extension.features import FEATURES, GROUPS

SPLITS = 200  # random halves of the real images
MOST = 1000  # images of two halves: the distances of all pairs of more take minutes


def standardised(real: pd.DataFrame, other: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Features less the real images' mean, by their standard deviation; float64 each."""
    values = real[list(FEATURES)].to_numpy(float)
    mean, spread = values.mean(0), values.std(0)
    spread = np.where(spread > 0, spread, 1)
    return (values - mean) / spread, (other[list(FEATURES)].to_numpy(float) - mean) / spread


def principal_components(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions of the largest variance, and their shares of it.

    Parameters
    ----------
    values : ndarray of shape (N, F), centred

    Returns
    -------
    axes : ndarray of shape (2, F), unit vectors; each one's largest entry is positive
    shares : ndarray of shape (2,), of the variance of all
    """
    _, lengths, axes = np.linalg.svd(values, full_matrices=False)
    variances = np.zeros(max(len(lengths), 2))
    variances[: len(lengths)] = lengths**2
    first = np.zeros((2, values.shape[1]))
    first[: min(2, len(axes))] = axes[:2]
    largest = np.take_along_axis(first, np.abs(first).argmax(1, keepdims=True), 1)
    return first * np.where(largest < 0, -1, 1), variances[:2] / max(variances.sum(), 1e-12)


def energy_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Energy distance of two samples (Székely and Rizzo, 2013), 0 where they are the same.

    2 E|X-Y| - E|X-X'| - E|Y-Y'|, each mean over all pairs of rows. Samples of n and m images of
    one distribution are about (1/n + 1/m) E|X-X'| apart.

    Parameters
    ----------
    first, second : ndarrays of shape (N, F) and (M, F)

    Returns
    -------
    float, NaN where either has fewer than two rows
    """
    if min(len(first), len(second)) < 2:
        return float("nan")
    within = (_distances(values, values).mean() for values in (first, second))
    return float(2 * _distances(first, second).mean() - sum(within))


def distances(real: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    """How far synthetic images are from real ones, of all cell types and of each.

    Returns
    -------
    DataFrame
        cell_type (``all`` first), features (``all``, then each of :data:`GROUPS`), real_images,
        synthetic_images, energy_distance (of the standardised features), real_halves_mean and
        real_halves_95 (mean and 95th percentile of the energy distance between random halves of
        the real images; empty below four images), to_source (median distance of a synthetic image
        to its source), to_same_type (that of a real image to another of its cell type; empty
        where there is none). All in standard deviations of the real images.
    """
    a, b = standardised(real, synthetic)
    columns = {name: np.isin(list(FEATURES), group) for name, group in GROUPS.items()}
    columns = {"all": np.ones(len(FEATURES), bool), **columns}
    rows = []
    for cell_type in ["all", *sorted(real["cell_type"].unique())]:
        mine, theirs = (
            (table["cell_type"] == cell_type).to_numpy() | (cell_type == "all")
            for table in (real, synthetic)
        )
        for name, chosen in columns.items():
            first, second = a[mine][:, chosen], b[theirs][:, chosen]
            halves = _halves(first)
            between, same_type = _distances(first, second), _distances(first, first)
            is_source = _equal(
                real["image"][mine], [names.source_of(key) for key in synthetic["image"][theirs]]
            )
            is_like = _equal(real["cell_type"][mine], real["cell_type"][mine])
            np.fill_diagonal(is_like, False)
            rows.append(
                {
                    "cell_type": cell_type,
                    "features": name,
                    "real_images": len(first),
                    "synthetic_images": len(second),
                    "energy_distance": energy_distance(first, second),
                    "real_halves_mean": np.mean(halves) if halves else np.nan,
                    "real_halves_95": np.quantile(halves, 0.95) if halves else np.nan,
                    "to_source": np.median(between[is_source]) if is_source.any() else np.nan,
                    "to_same_type": np.median(same_type[is_like]) if is_like.any() else np.nan,
                }
            )
    return pd.DataFrame(rows)


def _equal(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Whether each of `first` equals each of `second`, ndarray of shape (N, M), bool."""
    return np.asarray(first, object)[:, None] == np.asarray(second, object)[None]


def _halves(values: np.ndarray) -> list[float]:
    """Energy distances between random halves."""
    if len(values) < 4:
        return []
    random = np.random.default_rng(0)
    found = []
    for _ in range(SPLITS):
        order = random.permutation(len(values))[: MOST // 2 * 2]
        half = len(order) // 2
        found.append(energy_distance(values[order[:half]], values[order[half:]]))
    return found


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return cdist(first, second)
