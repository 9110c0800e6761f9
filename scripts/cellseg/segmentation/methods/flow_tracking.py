"""Tracking along flows as a segmentation method, see :mod:`.methods`.

In a threshold search, settings that track alike share it: pixels are followed once for each
threshold of the foreground and number of steps, and flows are compared once for each of these.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cellseg.io import run_files
from cellseg.segmentation import confidence, flow_tracking

Maps = Mapping[str, np.ndarray | Mapping[int, np.ndarray]]

TRACKING = {"cell_threshold": 0.5, "iterations": 200, "max_size_fraction": 0.4}
"""Settings that decide where pixels end, and their defaults."""
FILTERS = {"flow_threshold": 0.4, "min_size": 15, "cellpose_size_error": False}
"""Settings that decide which cells are kept, and their defaults."""

EXAMPLE_NOTE = (
    "The example follows the flows with NumPy and joins pixels that end near each other; "
    "livecell-bench also removes cells whose flows do not fit, with the settings of "
    f"`{run_files.SEGMENTATION}`, so a few cells differ."
)


def segment(maps: Maps, settings: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Cells of one image; their scores are mean foreground probabilities."""
    flows, probability = chosen_maps(maps)
    labels = flow_tracking.segment(flows, probability, **settings)
    return labels, confidence.areas_and_means(labels, probability)[1]


def segment_all(maps: Maps, settings: Sequence[Mapping]) -> Iterator[tuple[int, np.ndarray]]:
    """Segment one image with each of many settings."""
    flows, probability = chosen_maps(maps)
    complete = [{**TRACKING, **FILTERS, **one} for one in settings]
    groups: dict[tuple, list[int]] = {}
    for number, one in enumerate(complete):
        groups.setdefault(tuple(one[name] for name in TRACKING), []).append(number)
    for tracking, numbers in groups.items():
        labels = flow_tracking.track(
            flows, probability, **dict(zip(TRACKING, tracking, strict=True))
        )
        errors = None
        for number in numbers:
            filters = {name: complete[number][name] for name in FILTERS}
            if filters["flow_threshold"] > 0 and errors is None:
                errors = flow_tracking.flow_errors(labels, flows)
            used = errors if filters["flow_threshold"] > 0 else None
            yield number, flow_tracking.kept(labels, used, **filters)


def chosen_maps(maps: Maps) -> tuple[np.ndarray, np.ndarray]:
    """Flows (H, W, 2) and foreground probability (H, W) of an image, float32."""
    flows = np.stack([_channel(maps["flows"], channel) for channel in (0, 1)], axis=-1)
    return flows, _channel(maps["fgbg"], 1)


def _channel(found: np.ndarray | Mapping[int, np.ndarray], channel: int) -> np.ndarray:
    values = found[..., channel] if isinstance(found, np.ndarray) else found[channel]
    return np.ascontiguousarray(values, np.float32)


def example(heads: Sequence[str], settings: Mapping, source_of: Callable[[str, int], str]) -> str:
    """Lines of Python that find cells with NumPy, SciPy and scikit-image, as nearly as they can."""
    options = {**TRACKING, **FILTERS, **settings}
    least = options["min_size"]
    return "\n".join(
        [
            "from scipy import ndimage",
            f"inside = {source_of('fgbg', 1)} > {options['cell_threshold']}",
            f"flows = np.stack([{source_of('flows', 0)}, {source_of('flows', 1)}]) * inside",
            "pixels = np.argwhere(inside).T",
            "places, last = pixels.astype(float), np.array(inside.shape)[:, None] - 1",
            f"for _ in range({options['iterations']}):  # each pixel follows the flows",
            "    steps = [ndimage.map_coordinates(axis, places, order=1) for axis in flows]",
            "    places = np.clip(places + steps, 0, last)",
            "ends, points = tuple(places.astype(int)), np.zeros(inside.shape, int)",
            "np.add.at(points, ends, 1)",
            "meeting = ndimage.label(points > 2, np.ones((3, 3)))[0]",
            "cells = np.zeros(inside.shape, int)",
            "cells[tuple(pixels)] = meeting[ends]",
            *(
                [f"cells = morphology.remove_small_objects(cells, max_size={least - 1})"]
                if least else []
            ),
        ]
    )  # fmt: skip
