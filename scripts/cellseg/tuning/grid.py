"""The watershed's settings that suit a network best, found on its validation images.

All combinations of the listed values are tried. Those that share a step share its result: smoothed
maps, markers and, where no markers tie, one flood for all thresholds of the mask.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from cellseg.scoring.objects import score_table
from cellseg.scoring.overlaps import overlaps
from cellseg.segmentation.cleanup import fill_holes, remove_small
from cellseg.segmentation.flooding import above, flood, flood_of_all_thresholds
from cellseg.segmentation.smoothing import gaussian
from cellseg.segmentation.watershed import Maps, chosen_maps, find_markers, options_of
from cellseg.targets import channels

AXES = (
    "maxima_smooth",
    "maxima_threshold",
    "interior_smooth",
    "interior_threshold",
    "distance_threshold",
    "min_size",
)
"""Settings of the watershed that can be searched."""


def combinations(tuning: Mapping, watershed: Mapping, heads: Sequence[str]) -> list[dict]:
    """Settings to try for a network of these heads, the study's own first.

    Parameters
    ----------
    tuning : lists of values by name, of :data:`AXES`; others are left as they are
    watershed : the study's settings

    Returns
    -------
    list of dict, each a whole set of settings of the watershed
    """
    is_distance = channels.mask_head(heads) in channels.DISTANCES
    unused = "interior_threshold" if is_distance else "distance_threshold"
    axes = [axis for axis in AXES if axis in tuning and axis != unused]
    grid = [
        {**watershed, **dict(zip(axes, values, strict=True))}
        for values in product(*(tuning[axis] for axis in axes))
    ]
    # Of several that mean the same for these heads, only the first.
    meant = {tuple(options_of(heads, one).items()): one for one in [*grid[::-1], dict(watershed)]}
    own = meant.pop(tuple(options_of(heads, watershed).items()))
    return [own, *list(meant.values())[::-1]]


def score_all(
    maps: Maps, true: np.ndarray, settings: Sequence[Mapping], names: Sequence[str]
) -> np.ndarray:
    """Score one image with each of many settings, as if each were segmented by itself.

    Parameters
    ----------
    maps : see :func:`cellseg.segmentation.watershed.segment_maps`
    true : ndarray of shape (H, W), int32
    settings : of the watershed, complete, as of :func:`combinations`
    names : columns of :data:`cellseg.scoring.names.COLUMNS`

    Returns
    -------
    ndarray of shape (settings, names), float64; small objects kept, NaN where not defined
    """
    tries = [options_of(maps, one) for one in settings]
    image = _Image(*chosen_maps(maps), min(one["interior_threshold"] for one in tries))
    scores = np.empty((len(tries), len(names)))
    # Tries of one flood come one after the other, so that one flood is kept at a time.
    for number in sorted(range(len(tries)), key=lambda number: _flood_key(tries[number])):
        table = overlaps(true, image.segment(tries[number]))
        score = score_table(table)
        scores[number] = [score[name] for name in names]
    return scores


def best(scores: np.ndarray) -> int:
    """Which settings have the highest mean score over images; of equal ones the first.

    Parameters
    ----------
    scores : ndarray of shape (images, settings); NaN does not count

    Returns
    -------
    int; 0, the study's own, if no image has a score
    """
    defined = ~np.isnan(scores)
    number = defined.sum(axis=0)
    mean = np.where(defined, scores, 0).sum(axis=0) / np.maximum(number, 1)
    return int(np.argmax(np.where(number > 0, mean, -1)))


MARKERS = ("maxima_smooth", "maxima_threshold", "radius", "peaks", "join_equal")
"""What the markers of an image depend on."""


def _flood_key(options: Mapping) -> tuple:
    return tuple(options[name] for name in (*MARKERS, "interior_smooth"))


class _Image:
    """The steps from one image's maps to cells, each kept as long as it may be needed again."""

    def __init__(self, maxima: np.ndarray, interior: np.ndarray, least_threshold: float) -> None:
        self.maxima, self.interior, self.least_threshold = maxima, interior, least_threshold
        self._kept: dict[str, tuple] = {}

    def segment(self, options: Mapping) -> np.ndarray:
        """As :func:`cellseg.segmentation.watershed.segment`, but for the numbers of cells."""
        threshold = options["interior_threshold"]
        height, markers, floods = self._once("flood", _flood_key(options), self._flood, options)
        if floods is None:
            labels = flood(height, markers, height > threshold)
        else:
            labels = above(*floods, threshold)
        labels = remove_small(labels, options["min_size"])
        return fill_holes(labels, options["fill_holes_threshold"])

    def _flood(self, options: Mapping) -> tuple:
        smooth = options["interior_smooth"]
        height = self._once("height", smooth, lambda _: gaussian(self.interior, smooth), options)
        key = tuple(options[name] for name in MARKERS)
        markers = self._once("markers", key, self._markers, options)
        floods = flood_of_all_thresholds(height, markers, height > self.least_threshold)
        return height, markers, floods

    def _markers(self, options: Mapping) -> np.ndarray:
        smoothed = gaussian(self.maxima, options["maxima_smooth"])
        return find_markers(
            smoothed,
            options["maxima_threshold"],
            options["radius"],
            options["peaks"],
            join_equal=options["join_equal"],
        )

    def _once(self, step: str, key: object, make, options: Mapping):
        """The kept result of a step if it is of the same key, else a new one in its place."""
        if step not in self._kept or self._kept[step][0] != key:
            self._kept[step] = (key, make(options))
        return self._kept[step][1]
