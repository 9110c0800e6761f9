"""Watershed on distances to centres and borders as a segmentation method, see :mod:`.methods`.

Written from the description of torch-em and of Segment Anything for Microscopy (Archit et al.,
Nature Methods 22, 2025): seeds are where a pixel is near to the centre and far from the border of
its cell; a watershed on the distance to the border grows them within the foreground.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cellseg.io import run_files
from cellseg.segmentation import confidence
from cellseg.segmentation.cleanup import numbered_anew, remove_small
from cellseg.segmentation.components import components
from cellseg.segmentation.flooding import flood
from cellseg.segmentation.smoothing import gaussian

Maps = Mapping[str, np.ndarray | Mapping[int, np.ndarray]]

DEFAULTS = {
    "center_distance_threshold": 0.5,
    "boundary_distance_threshold": 0.5,
    "foreground_threshold": 0.5,
    "distance_smooth": 1.6,
    "min_size": 0,
}
"""Those of torch-em's ``watershed_from_center_and_boundary_distances``, read in its source. Its map
of borders is 1 less ours, so its threshold of 0.5 is ours."""

EXAMPLE_NOTE = (
    "The cells of the example are those of livecell-bench with the settings of "
    f"`{run_files.SEGMENTATION}`, but for maps that it rounds and pixels equally near to two cells."
)


def find_cells(
    to_centre: np.ndarray,
    to_border: np.ndarray,
    foreground: np.ndarray,
    center_distance_threshold: float = DEFAULTS["center_distance_threshold"],
    boundary_distance_threshold: float = DEFAULTS["boundary_distance_threshold"],
    foreground_threshold: float = DEFAULTS["foreground_threshold"],
    min_size: int = DEFAULTS["min_size"],
) -> np.ndarray:
    """Grow a cell from each connected seed.

    Parameters
    ----------
    to_centre : ndarray of shape (H, W), float32
        Distance to the centre of the cell, 0 to 1, smoothed if wanted.
    to_border : ndarray of shape (H, W), float32
        Distance to the border of the cell, 0 to 1, smoothed if wanted.
    foreground : ndarray of shape (H, W), float32
        Probability that a pixel belongs to a cell.
    center_distance_threshold, boundary_distance_threshold : float
        Seeds are below the first in `to_centre` and above the second in `to_border`. Pixels of a
        seed touch at a side or a corner.
    foreground_threshold : float
        Seeds and cells are above it in `foreground`. A part of the foreground without a seed is no
        cell.
    min_size : int
        Cells with fewer pixels are removed; 0 keeps all.

    Returns
    -------
    ndarray of shape (H, W), int32
        0 is background, cells are 1..n.
    """
    mask = foreground > foreground_threshold
    near = to_centre < center_distance_threshold
    seeds = components(mask & near & (to_border > boundary_distance_threshold), 8)
    return numbered_anew(remove_small(flood(to_border, seeds, mask), min_size))


def segment(maps: Maps, settings: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Cells of one image; their scores are mean foreground probabilities."""
    options = {**DEFAULTS, **settings}
    smooth = options.pop("distance_smooth")
    foreground = _map(maps, "fgbg", 1)
    labels = find_cells(*_distances(maps, smooth), foreground, **options)
    return labels, confidence.areas_and_means(labels, foreground)[1]


def segment_all(maps: Maps, settings: Sequence[Mapping]) -> Iterator[tuple[int, np.ndarray]]:
    """Segment one image with each of many settings, smoothing once for all of a deviation."""
    tries = [{**DEFAULTS, **one} for one in settings]
    foreground = _map(maps, "fgbg", 1)
    for smooth in dict.fromkeys(one["distance_smooth"] for one in tries):
        distances = _distances(maps, smooth)
        for number, one in enumerate(tries):
            if one["distance_smooth"] == smooth:
                options = {name: value for name, value in one.items() if name != "distance_smooth"}
                yield number, find_cells(*distances, foreground, **options)


def meaning(heads: Sequence[str], settings: Mapping) -> tuple:
    """What settings mean, complete."""
    del heads
    return tuple({**DEFAULTS, **settings}.items())


def example(heads: Sequence[str], settings: Mapping, source_of: Callable[[str, int], str]) -> str:
    """Lines of Python that find the same cells with scikit-image."""
    del heads
    options = {**DEFAULTS, **settings}
    smooth, least = options["distance_smooth"], options["min_size"]

    def smoothed(head: str) -> str:
        values = source_of(head, 0)
        return f"filters.gaussian({values}, {smooth})" if smooth else values

    return "\n".join(
        [
            f"to_centre = {smoothed('center-distance')}",
            f"to_border = {smoothed('boundary-distance')}",
            f"inside = {source_of('fgbg', 1)} > {options['foreground_threshold']}",
            f"seeds = inside & (to_centre < {options['center_distance_threshold']})",
            f"seeds &= to_border > {options['boundary_distance_threshold']}",
            "cells = segmentation.watershed(-to_border, measure.label(seeds), mask=inside)",
            *(
                [f"cells = morphology.remove_small_objects(cells, max_size={least - 1})"]
                if least else []
            ),
        ]
    )  # fmt: skip


def _distances(maps: Maps, smooth: float) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed distances to centre and border, (H, W), float32."""
    to_centre, to_border = _map(maps, "center-distance", 0), _map(maps, "boundary-distance", 0)
    return gaussian(to_centre, smooth), gaussian(to_border, smooth)


def _map(maps: Maps, head: str, channel: int) -> np.ndarray:
    found = maps[head]
    values = found[..., channel] if isinstance(found, np.ndarray) else found[channel]
    return np.ascontiguousarray(values, np.float32)
