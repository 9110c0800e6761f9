"""The marker-controlled watershed as a segmentation method, see :mod:`.methods`.

In a threshold search, settings that share a step share its result: smoothed maps, markers and,
where no markers tie, one flood for all thresholds of the mask.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cellseg.io import run_files
from cellseg.segmentation import confidence
from cellseg.segmentation.cleanup import fill_holes, remove_small
from cellseg.segmentation.flooding import above, flood, flood_of_all_thresholds
from cellseg.segmentation.smoothing import gaussian
from cellseg.segmentation.watershed import (
    Maps,
    chosen_maps,
    find_markers,
    options_of,
    segment_maps,
)
from cellseg.targets import channels

AXES = (
    "maxima_smooth",
    "maxima_threshold",
    "interior_smooth",
    "interior_threshold",
    "distance_threshold",
    "min_size",
)
"""Settings that can be searched, in the order of the table of what was tried."""

EXAMPLE_NOTE = (
    "The watershed of the example is scikit-image's; livecell-bench also fills small holes and "
    "merges peaks that are near each other, with the settings of "
    f"`{run_files.SEGMENTATION}`, so a few "
    "cells differ."
)


def segment(maps: Maps, settings: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Cells of one image; their scores are means of the mask's map."""
    labels = segment_maps(maps, settings)
    _, mask = chosen_maps(maps)
    return labels, confidence.areas_and_means(labels, mask)[1]


def searched(heads: Sequence[str]) -> tuple[str, ...]:
    """All of :data:`AXES` but the threshold that the mask does not have."""
    is_distance = channels.mask_head(heads) in channels.DISTANCES
    unused = "interior_threshold" if is_distance else "distance_threshold"
    return tuple(axis for axis in AXES if axis != unused)


def meaning(heads: Sequence[str], settings: Mapping) -> tuple:
    """What settings mean for these heads."""
    return tuple(options_of(heads, settings).items())


def segment_all(maps: Maps, settings: Sequence[Mapping]) -> Iterator[tuple[int, np.ndarray]]:
    """Segment one image with each of many settings, which are complete."""
    tries = [options_of(maps, one) for one in settings]
    image = _Image(*chosen_maps(maps), min(one["interior_threshold"] for one in tries))
    # Tries of one flood come one after the other, so that one flood is kept at a time.
    for number in sorted(range(len(tries)), key=lambda number: _flood_key(tries[number])):
        yield number, image.segment(tries[number])


def example(heads: Sequence[str], settings: Mapping, source_of: Callable[[str, int], str]) -> str:
    """Lines of Python that find cells with scikit-image, as nearly as it can."""

    def smoothed(head: str, smooth: float) -> str:
        values = source_of(head, channels.USED[head][0])
        return f"filters.gaussian({values}, {smooth})" if smooth else values

    options = options_of(heads, settings)
    if options["peaks"] == "h_maxima":
        markers = (
            f"markers = measure.label(morphology.h_maxima(peaks, {options['maxima_threshold']}))"
        )
    else:
        markers = (
            "markers = np.zeros(image.shape, int)\n"
            f"places = feature.peak_local_max(peaks, min_distance={options['radius']}, "
            f"threshold_abs={options['maxima_threshold']})\n"
            "markers[tuple(places.T)] = np.arange(len(places)) + 1"
        )
    least = options["min_size"]
    return "\n".join(
        [
            f"peaks = {smoothed(channels.marker_head(heads), options['maxima_smooth'])}",
            markers,
            f"interior = {smoothed(channels.mask_head(heads), options['interior_smooth'])}",
            "cells = segmentation.watershed(-interior, markers, mask=interior > "
            f"{options['interior_threshold']})",
            *(
                [f"cells = morphology.remove_small_objects(cells, max_size={least - 1})"]
                if least else []
            ),
        ]
    )  # fmt: skip


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
