"""Star-convex polygons: the cells of StarDist, see :mod:`cellseg.segmentation.star_polygons`.

Of settings that differ in the probability threshold alone the polygons are chosen once, for the
lowest: with a higher one the same are kept, less those below it, since no polygon is dropped for
one that is less probable.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cellseg.segmentation import star_polygons
from cellseg.segmentation.cleanup import numbered_anew, remove_small

DEFAULTS = {"probability_threshold": 0.5, "nms_threshold": 0.4, "grid": 2, "min_size": 0}
LEAST_DISTANCE = 1e-3
"""Pixels: a network may predict distances below 0. StarDist takes the same."""


def segment(maps: Mapping, settings: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Cells of one image; their scores are the object probabilities of their polygons."""
    options = {**DEFAULTS, **settings}
    found = _kept(maps, options)
    return _painted(found, _channel(maps["object-probability"], 0).shape, options)


def segment_all(maps: Mapping, settings: Sequence[Mapping]) -> Iterator[tuple[int, np.ndarray]]:
    """Segment one image with each of many settings."""
    tries = [{**DEFAULTS, **one} for one in settings]
    shape = _channel(maps["object-probability"], 0).shape
    groups: dict[tuple, list[int]] = {}
    for number, options in enumerate(tries):
        groups.setdefault((options["nms_threshold"], options["grid"]), []).append(number)
    for members in groups.values():
        lowest = min((tries[number] for number in members), key=_probability_threshold)
        points, scores, rays = _kept(maps, lowest)
        for number in members:
            above = scores > _probability_threshold(tries[number])
            found = points[above], scores[above], rays[above]
            yield number, _painted(found, shape, tries[number])[0]


def meaning(heads: Sequence[str], settings: Mapping) -> tuple:
    """What settings mean, complete."""
    del heads
    return tuple({**DEFAULTS, **settings}.items())


def _probability_threshold(options: Mapping) -> float:
    return options["probability_threshold"]


def _kept(maps: Mapping, options: Mapping) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, scores and distances of the polygons of an image."""
    step = options["grid"]
    rays = maps["star-distances"]
    number = rays.shape[-1] if isinstance(rays, np.ndarray) else len(rays)
    distances = np.stack([_channel(rays, ray)[::step, ::step] for ray in range(number)], axis=-1)
    probability = _channel(maps["object-probability"], 0)[::step, ::step]
    return star_polygons.suppress(
        np.maximum(distances, np.float32(LEAST_DISTANCE)),
        np.ascontiguousarray(probability),
        _probability_threshold(options),
        options["nms_threshold"],
        step,
        -(-star_polygons.BORDER // step),
    )


def _painted(found: tuple, shape: tuple, options: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Label image of polygons, numbered 1..n, and their scores; hidden ones are no cells."""
    points, scores, rays = found
    labels = remove_small(star_polygons.paint(points, scores, rays, shape), options["min_size"])
    seen = np.flatnonzero(np.bincount(labels.ravel(), minlength=len(scores) + 1)[1:])
    return numbered_anew(labels), scores[seen].astype(np.float64)


def _channel(found: np.ndarray | Mapping[int, np.ndarray], number: int) -> np.ndarray:
    return found[..., number] if isinstance(found, np.ndarray) else found[number]
