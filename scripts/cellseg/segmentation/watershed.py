"""Predicted maps to cells: marker-controlled watershed, as deepcell-toolbox does it."""

from collections.abc import Container, Mapping
from typing import Literal

import numpy as np

from cellseg.errors import UserError
from cellseg.segmentation.cleanup import cleaned
from cellseg.segmentation.flooding import flood
from cellseg.segmentation.h_maxima import h_maxima, numbered
from cellseg.segmentation.smoothing import gaussian
from cellseg.targets import channels

DISTANCE_THRESHOLD = 0.01
"""``interior_threshold`` where the mask is a distance, as in deepcell's applications
NuclearSegmentation and CytoplasmSegmentation, whose interior is the outer distance. A distance
falls to 0 towards the rim, so the 0.3 that suits a probability would leave only the core of cells.
"""

Maps = Mapping[str, np.ndarray | Mapping[int, np.ndarray]]


def segment(
    maxima: np.ndarray,
    interior: np.ndarray,
    maxima_threshold: float = 0.1,
    maxima_smooth: float = 0,
    interior_threshold: float = 0.3,
    interior_smooth: float = 1,
    radius: int = 2,
    peaks: Literal["h_maxima", "local_maxima"] = "h_maxima",
    min_size: int = 15,
    fill_holes_threshold: int = 15,
    exclude_border: bool = False,
    join_equal: bool = False,
) -> np.ndarray:
    """Grow one cell from each peak of `maxima` down the hills of `interior`.

    Equal, label for label, to ``deepcell_toolbox.deep_watershed`` with the same settings
    (Greenwald et al., Nature Biotechnology 2022). The default thresholds are the report's.

    Parameters
    ----------
    maxima : ndarray of shape (H, W), float
        High in the middle of each cell, such as the inner distance.
    interior : ndarray of shape (H, W), float
        High inside of cells, such as the probability of the interior.
    maxima_threshold : float
        Of ``h_maxima`` how far a peak rises above its surroundings; of ``local_maxima`` how high
        it is.
    maxima_smooth, interior_smooth : float
        Standard deviation of a Gaussian, pixels; 0 smooths nothing. Keep the second at 1 or less:
        with 2 (Mesmer's) cells grow so much that the IoU is capped at about 0.9.
    interior_threshold : float
        Cells are where the smoothed interior is above this.
    radius : int
        Pixels: neighbourhood of a peak (``h_maxima``) or distance between peaks
        (``local_maxima``).
    peaks : "h_maxima" or "local_maxima"
        How markers are found; deepcell calls the second ``peak_local_max``.
    min_size : int
        Cells with fewer pixels are removed; 0 keeps all.
    fill_holes_threshold : int
        Holes with fewer pixels are filled; 0 fills none.
    exclude_border : bool
        With ``local_maxima``, take no peak within `radius` of the image's border.
    join_equal : bool
        With ``h_maxima``, take one peak of those that are equally high and not parted by a valley
        of depth `maxima_threshold`. deepcell takes all.

    Returns
    -------
    ndarray of shape (H, W), int32
        0 is background, cells are 1..n.

    Raises
    ------
    ValueError
        The shapes differ or `peaks` is unknown.
    """
    if maxima.shape != interior.shape or maxima.ndim != 2:
        raise ValueError(f"maps of shapes {maxima.shape} and {interior.shape}: expected one (H, W)")
    markers = find_markers(
        gaussian(_floating(maxima), maxima_smooth),
        maxima_threshold,
        radius,
        peaks,
        exclude_border,
        join_equal,
    )
    height = gaussian(_floating(interior), interior_smooth)
    labels = flood(height, markers, height > interior_threshold)
    return cleaned(labels, min_size, fill_holes_threshold)


def find_markers(
    maxima: np.ndarray,
    threshold: float,
    radius: int = 2,
    peaks: Literal["h_maxima", "local_maxima"] = "h_maxima",
    exclude_border: bool = False,
    join_equal: bool = False,
) -> np.ndarray:
    """Find and number the peaks of a map; the parameters are those of :func:`segment`.

    Returns
    -------
    ndarray of shape (H, W), int32
        0 but for the peaks; pixels of one peak that touch (8 neighbours) share a number.

    Raises
    ------
    ValueError
        `peaks` is unknown.
    """
    if peaks == "h_maxima":
        return h_maxima(maxima, threshold, radius, join_equal)
    if peaks == "local_maxima":
        from skimage.feature import peak_local_max

        rows_columns = peak_local_max(
            maxima, min_distance=radius, threshold_abs=threshold, exclude_border=exclude_border
        )
        found = np.ravel_multi_index(tuple(rows_columns.T), maxima.shape)
        return numbered(maxima.shape, np.sort(found))
    raise ValueError(f"peaks is 'h_maxima' or 'local_maxima', not '{peaks}'")


def segment_maps(maps: Maps, settings: Mapping) -> np.ndarray:
    """Segment an image by whatever heads its network has.

    Markers come from the inner distance, else the outer distance, else the smoothed interior; the
    mask from the interior of pixelwise, else the foreground, else the outer, else the inner
    distance (:mod:`cellseg.targets.channels`).

    Parameters
    ----------
    maps : dict of head name to ndarray of shape (H, W, C), or to dict of channel to (H, W)
        As predicted or from :mod:`cellseg.inference.map_store`.
    settings : keyword arguments of :func:`segment`, and ``distance_threshold``
        The latter, :data:`DISTANCE_THRESHOLD` unless given, takes the place of
        ``interior_threshold`` where the mask is a distance. Markers from the interior are searched
        in it smoothed as for the mask, or more where ``maxima_smooth`` says so, and equally high
        ones are joined: a network that is sure gives 1 in several places of a cell.

    Returns
    -------
    ndarray of shape (H, W), int32

    Raises
    ------
    UserError
        None of the heads can serve.
    """
    return segment(*chosen_maps(maps), **options_of(maps, settings))


def chosen_maps(maps: Maps) -> tuple[np.ndarray, np.ndarray]:
    """The maps of markers and of the mask that :func:`segment_maps` takes.

    Returns
    -------
    two ndarrays of shape (H, W), float32

    Raises
    ------
    UserError
        None of the heads can serve.
    """
    marker, mask = channels.marker_head(maps), channels.mask_head(maps)
    if mask is None:
        raise UserError(
            f"heads {', '.join(maps) or '(none)'} cannot be segmented: the watershed needs one of "
            f"{', '.join(channels.MASKS)}."
        )
    return _used(maps, marker), _used(maps, mask)


def options_of(heads: Container[str], settings: Mapping) -> dict:
    """The keyword arguments of :func:`segment` that settings mean for a network of these heads."""
    options = dict(settings)
    threshold = options.pop("distance_threshold", DISTANCE_THRESHOLD)
    if channels.mask_head(heads) in channels.DISTANCES:
        options["interior_threshold"] = threshold
    options["join_equal"] = channels.marker_head(heads) not in channels.DISTANCES
    if options["join_equal"]:
        smooth = max(options.get("maxima_smooth", 0), options.get("interior_smooth", 1))
        options["maxima_smooth"] = smooth
    return options


def _used(maps: Maps, head: str) -> np.ndarray:
    channel, *_ = channels.USED[head]
    found = maps[head]
    found = found[..., channel] if isinstance(found, np.ndarray) else found[channel]
    return np.ascontiguousarray(found, np.float32)


def _floating(image: np.ndarray) -> np.ndarray:
    return image if image.dtype in (np.float32, np.float64) else image.astype(np.float32)
