"""Two sets of images in the space of their features: how far apart, and on which components."""

import numpy as np
import pandas as pd

from cellseg.synthesis import energy, names
from cellseg.synthesis.features import FEATURES, GROUPS

MOST_REAL, MOST_SYNTHETIC = 1000, 5000  # images: distances of all pairs of more take minutes


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


def distances(real: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    """How far synthetic images are from real ones, of all cell types and of each.

    Parameters
    ----------
    real, synthetic : image, cell_type and a column a feature; a synthetic image's name has its
        source, see :mod:`cellseg.synthesis.names`

    Returns
    -------
    DataFrame
        cell_type (``all`` first); features (``all``, then each of :data:`GROUPS`); real_images and
        synthetic_images; real_images_compared and synthetic_images_compared (those that the energy
        distance is of: drawn where there are more than :data:`MOST_REAL`, or
        :data:`MOST_SYNTHETIC` of these); energy_distance (of the standardised features; unbiased,
        so that it may be negative); exchanged_5, exchanged_95 and exchanged_p (5th and 95th
        percentile of the energy distances when it is drawn which of a source and its synthetic
        images is the real one, and the share of such draws with as large a distance; of each row
        alone; empty where few draws are possible); to_source (median distance of a synthetic image
        to its source); to_same_type (that of a real image to another of its cell type, of those
        compared; empty where there is none). All distances in standard deviations of the real
        images.
    """
    values = np.concatenate(standardised(real, synthetic))
    images = pd.DataFrame(
        {
            "source": [*real["image"], *map(names.source_of, synthetic["image"])],
            "cell_type": [*real["cell_type"], *synthetic["cell_type"]],
            "is_real": np.arange(len(values)) < len(real),
        }
    )
    columns = {name: np.isin(list(FEATURES), group) for name, group in GROUPS.items()}
    columns = {"all": np.ones(len(FEATURES), bool), **columns}
    rows = []
    for cell_type in ["all", *sorted(real["cell_type"].unique())]:
        some = images if cell_type == "all" else images[images["cell_type"] == cell_type]
        compared = _drawn(some)
        source, is_real = pd.factorize(compared["source"])[0], compared["is_real"].to_numpy()
        for name, chosen in columns.items():
            found = energy.compare(values[compared.index][:, chosen], source, is_real)
            rows.append(
                {
                    "cell_type": cell_type,
                    "features": name,
                    "real_images": some["is_real"].sum(),
                    "synthetic_images": (~some["is_real"]).sum(),
                    "real_images_compared": is_real.sum(),
                    "synthetic_images_compared": (~is_real).sum(),
                    "energy_distance": found.distance,
                    "exchanged_5": found.low,
                    "exchanged_95": found.high,
                    "exchanged_p": found.p,
                    "to_source": _to_source(values[:, chosen], some),
                    "to_same_type": _to_same_type(values[:, chosen], compared),
                }
            )
    return pd.DataFrame(rows)


def _drawn(images: pd.DataFrame) -> pd.DataFrame:
    """As many images as are compared in seconds, always the same ones: all where there are few."""
    real = images[images["is_real"]]
    if len(real) > MOST_REAL:
        real = real.sample(MOST_REAL, random_state=0)
    synthetic = images[~images["is_real"] & images["source"].isin(real["source"])]
    if len(synthetic) > MOST_SYNTHETIC:
        synthetic = synthetic.sample(MOST_SYNTHETIC, random_state=0)
    return pd.concat([real, synthetic]).sort_index()


def _to_source(values: np.ndarray, images: pd.DataFrame) -> float:
    real = images[images["is_real"]].drop_duplicates("source")
    synthetic = images[~images["is_real"] & images["source"].isin(real["source"])]
    source = pd.Series(real.index, index=real["source"])[synthetic["source"]]
    return _median(np.linalg.norm(values[synthetic.index] - values[source], axis=1))


def _to_same_type(values: np.ndarray, images: pd.DataFrame) -> float:
    from scipy.spatial.distance import pdist

    by_type = images[images["is_real"]].groupby("cell_type").groups.values()
    return _median(np.concatenate([pdist(values[rows]) for rows in by_type]))


def _median(found: np.ndarray) -> float:
    return float(np.median(found)) if len(found) else float("nan")
