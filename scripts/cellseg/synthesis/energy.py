"""Energy distance between images and those made of them, next to its null distribution.

The energy distance (Székely and Rizzo, 2013) of two distributions is 2 E|X-Y| - E|X-X'| - E|Y-Y'|,
0 where they are the same. Here every Y is made of one X, its source, and so is no independent
draw. Two things follow. Pairs of one source are left out of all three means: what remains is
unbiased, where a mean over all pairs is too large by E|X-X'| over the number of images. And chance
is not found by mixing all images: within each source, it is drawn again which of the source and its
synthetic images is called real. That keeps both numbers of images, and which images belong
together, and has the mean 0. Random halves of the real images, as another yardstick, are smaller
samples than those compared, and their distances scatter more.
"""

import math
from typing import NamedTuple

import numpy as np

EXCHANGES = 199  # so that p is a multiple of 1/200
FEWEST = 20  # different exchanges, below which none is rarer than 5 %
ROWS = 500  # of distances at once


class Energy(NamedTuple):
    """An energy distance, and its distribution were real and synthetic images exchangeable."""

    distance: float  # NaN where fewer than two sources have images of both kinds
    low: float  # 5th percentile of exchanges; NaN where there are fewer than `FEWEST`
    high: float  # 95th percentile
    p: float  # share of exchanges at least as far apart, counting what was observed as one


def compare(values: np.ndarray, source: np.ndarray, is_real: np.ndarray) -> Energy:
    """Compare real images with synthetic ones.

    Parameters
    ----------
    values : ndarray of shape (N, F), float64, features of all images
    source : ndarray of shape (N,), int, number of the real image that each is or is made of
    is_real : ndarray of shape (N,), bool
    """
    drawn = exchanged(source, is_real, EXCHANGES)
    distance, *others = energy_distances(values, source, np.column_stack([is_real, drawn]))
    if np.isnan(distance) or _exchanges(source, is_real) < FEWEST:
        return Energy(float(distance), *[float("nan")] * 3)
    low, high = np.quantile(others, (0.05, 0.95))
    # Exchanges that change nothing differ from what was observed by rounding alone.
    beyond = np.count_nonzero(np.array(others) >= distance - 1e-9)
    return Energy(float(distance), float(low), float(high), (1 + beyond) / (1 + EXCHANGES))


def energy_distances(values: np.ndarray, source: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Unbiased energy distances between marked images and all others.

    Means are over pairs of different sources. An estimate may be negative where the two are alike.

    Parameters
    ----------
    values : ndarray of shape (N, F), float64
    source : ndarray of shape (N,), int
    marked : ndarray of shape (N, K), bool; the columns mark equally many images of each source

    Returns
    -------
    ndarray of shape (K,), float64; NaN where there is no pair of one of the three kinds
    """
    marks = marked.astype(float)
    total, marked_any, marked_marked = 0.0, np.zeros(marks.shape[1]), np.zeros(marks.shape[1])
    for start in range(0, len(values), ROWS):
        rows = slice(start, start + ROWS)
        apart = _distances(values[rows], values)
        apart[source[rows, None] == source] = 0
        sums = apart.sum(1)
        total += sums.sum()
        marked_any += sums @ marks[rows]
        marked_marked += (marks[rows] * (apart @ marks)).sum(0)
    between = marked_any - marked_marked
    other_other = total - marked_any - between
    ours = np.bincount(source, marks[:, 0])
    theirs = np.bincount(source) - ours
    pairs = [a.sum() * b.sum() - (a * b).sum()
             for a, b in ((ours, theirs), (ours, ours), (theirs, theirs))]  # fmt: skip
    if min(pairs) == 0:
        return np.full(marks.shape[1], np.nan)
    return 2 * between / pairs[0] - marked_marked / pairs[1] - other_other / pairs[2]


def exchanged(source: np.ndarray, is_real: np.ndarray, count: int) -> np.ndarray:
    """Which images are called real when that is drawn again within each source.

    Returns
    -------
    ndarray of shape (N, count), bool; always the same draws
    """
    random = np.random.default_rng(0)
    real_of = np.bincount(source, is_real).astype(int)
    first = np.cumsum(np.bincount(source)) - np.bincount(source)
    # Sorted by source, and within a source at random.
    order = np.argsort(source[:, None] + random.random((len(source), count)), axis=0)
    of = source[order]
    is_first = np.arange(len(source))[:, None] - first[of] < real_of[of]
    marked = np.empty((len(source), count), bool)
    np.put_along_axis(marked, order, is_first, axis=0)
    return marked


def _exchanges(source: np.ndarray, is_real: np.ndarray) -> int:
    """How many different exchanges there are."""
    counts = zip(np.bincount(source), np.bincount(source, is_real).astype(int), strict=True)
    return math.prod(math.comb(int(images), int(real)) for images, real in counts)


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return cdist(first, second)
