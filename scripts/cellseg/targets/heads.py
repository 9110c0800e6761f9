"""Heads of a network: the maps that they learn, and how these are computed from label images.

To add one, write its function here or in a module next to this one, enter it in :data:`HEADS`, and
name in :mod:`cellseg.targets.channels` its channels.

The four transforms of this module are those of deepcell 0.12.10 (Bannon et al., Nature Methods
2021; for the inner distance Greenwald et al., Nature Biotechnology 2022), written from their
description and equal to them within 1e-6. Where a better form is known it is an option, and
deepcell's stays the default.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import lcm
from typing import Literal

import cv2
import numpy as np
from numba import njit

from cellseg.targets import centre_distances, distances, flows, star_distances


def inner_distance(
    labels: np.ndarray,
    alpha: float | str = "auto",
    beta: float = 1.0,
    squared: bool = True,
    erosion_width: int = 1,
) -> np.ndarray:
    """Closeness to the centre of the cell: ``1 / (1 + beta * alpha * d**2)``, 1 at the centre.

    The centre is the centroid weighted by the distance to the background, which pulls it into the
    thick part of a bent cell. Every connected piece of a label has its own centre.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
        0 is background.
    alpha : "auto" or float
        "auto" is ``1 / sqrt(area)`` of each piece, in pixels, so that large cells fall off slower.
    beta : float
        A further factor.
    squared : bool
        True takes the square of the distance, which is what deepcell computes; False the plain
        distance, which is what the Mesmer paper and the report print.
    erosion_width : int
        Pixels taken off each cell's border first, so that touching cells come apart.

    Returns
    -------
    ndarray of shape (H, W), float32
        0 in the background and in the eroded border.

    Raises
    ------
    ValueError
        `alpha` is a word other than "auto", or negative.
    """
    if alpha != "auto" and (isinstance(alpha, str) or alpha < 0):
        raise ValueError(f"alpha is 'auto' or a number of at least 0, not '{alpha}'")
    eroded = distances.erode(_int32(labels), erosion_width)
    distance = _distance_to_background(eroded)
    number = -1.0 if alpha == "auto" else float(alpha)
    return distances.closeness_to_centre(eroded, distance, number, float(beta), squared)


def outer_distance(
    labels: np.ndarray, erosion_width: int = 1, normalize: bool = True
) -> np.ndarray:
    """Distance to the background, pixels, or as a fraction of the largest in the same cell.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    erosion_width : int
        Pixels taken off each cell's border first. With 0 the distance does not see the border
        between touching cells.
    normalize : bool
        Divide by the maximum of each connected piece of a label.

    Returns
    -------
    ndarray of shape (H, W), float32
    """
    eroded = distances.erode(_int32(labels), erosion_width)
    distance = _distance_to_background(eroded)
    if not normalize:
        return distance
    return distances.share_of_largest(eroded, distance)


def foreground(labels: np.ndarray) -> np.ndarray:
    """Background and foreground as two channels.

    Returns
    -------
    ndarray of shape (H, W, 2), uint8
        Always two channels. (deepcell's generator gives one on a tile without cells, and fails.)
    """
    return _background_foreground(np.ascontiguousarray(labels, np.int32))


@njit(cache=True, nogil=True)
def _background_foreground(labels):
    rows, columns = labels.shape
    classes = np.empty((rows, columns, 2), np.uint8)
    for row in range(rows):
        for column in range(columns):
            classes[row, column, 0] = labels[row, column] <= 0
            classes[row, column, 1] = labels[row, column] > 0
    return classes


def pixelwise(labels: np.ndarray, dilation_radius: int = 1) -> np.ndarray:
    """Edge, interior and background as three channels, exactly one of them 1 in each pixel.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    dilation_radius : int
        The edge is widened by a disk of this radius, in pixels, but never into the interior: it
        grows outwards only. 0 widens nothing.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
    """
    labels = _int32(labels)
    edge = distances.inner_boundaries(labels)
    wider = edge
    if dilation_radius > 0:
        wider = cv2.dilate(edge.view(np.uint8), _disk(dilation_radius)).view(bool)
    return _edge_interior_background(labels, edge, wider)


@njit(cache=True, nogil=True)
def _edge_interior_background(labels, edge, wider):
    rows, columns = labels.shape
    classes = np.zeros((rows, columns, 3), np.uint8)
    for row in range(rows):
        for column in range(columns):
            is_interior = labels[row, column] > 0 and not edge[row, column]
            is_edge = wider[row, column] and not is_interior
            classes[row, column, 0] = is_edge
            classes[row, column, 1] = is_interior
            classes[row, column, 2] = not (is_edge or is_interior)
    return classes


def _int32(labels: np.ndarray) -> np.ndarray:
    if labels.min(initial=0) < 0 or sum(labels.shape) > 30_000:
        raise ValueError("labels must be 0 or more, of an image of at most 30,000 rows and columns")
    return np.ascontiguousarray(labels, np.int32)


def _distance_to_background(labels: np.ndarray) -> np.ndarray:
    """Euclidean distance to the nearest pixel of value 0, in pixels, float32."""
    if labels[0].all() and labels.all():  # hardly ever more than a row is looked at
        # Without any background the distance is undefined. SciPy measures to a point outside the
        # frame, and deepcell with it.
        from scipy.ndimage import distance_transform_edt

        return distance_transform_edt(labels).astype(np.float32)
    return distances.distance_to_background(labels)


@cache
def _disk(radius: int) -> np.ndarray:
    row, column = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (row**2 + column**2 <= radius**2).astype(np.uint8)


@dataclass(frozen=True)
class Head:
    """One target map, and how a network learns and predicts it.

    Attributes
    ----------
    channels : number of channels of the predicted map
    target : function of a label image and the head's settings
        ``(labels (H, W) int32, **settings) -> (H, W) or (H, W, target_channels)``
    activation : what the prediction ends in; ``pixels`` is linear, for lengths in pixels
    loss : name of its loss, in :data:`cellseg.models.keras3.losses.LOSSES`
    loss_scale : weight of the loss in the sum over heads; a softmax is weighted by the setting
        ``softmax_loss_scale`` on top
    loss_maps : channels of the target, after those of the map, that only the loss reads: a mask or
        weights of the pixels
    turn : function of a map and of how its image was turned, for maps whose channels are
        directions: ``(values (..., channels), quarters, mirrored) -> values (..., channels)``
        Given the values of each pixel, returns those of the same pixel once the image is first
        mirrored left to right, if `mirrored`, and then turned by `quarters` as ``numpy.rot90``
        does. Pixels stay in their places. None if the values do not change.
    lengths : values are lengths in pixels, which grow with the magnification
    grid : rows and columns of the image from one value of the target to the next, unless the
        head's setting ``grid`` says; the loss takes the prediction at these alone, so networks
        repeat these values up to the next
    """

    channels: int
    target: Callable[..., np.ndarray]
    activation: Literal["linear", "pixels", "relu", "sigmoid", "softmax"] = "relu"
    loss: str = "squared-error"
    loss_scale: float = 1.0
    loss_maps: int = 0
    turn: Callable[[np.ndarray, int, bool], np.ndarray] | None = None
    lengths: bool = False
    grid: int = 1

    @property
    def target_channels(self) -> int:
        """Channels of the target: those of the map, then those that only the loss reads."""
        return self.channels + self.loss_maps

    def grid_of(self, settings: Mapping) -> int:
        """Rows and columns of the image from one value to the next, by the head's settings."""
        return settings.get("grid", self.grid)

    def target_shape(self, settings: Mapping, size: tuple[int, int]) -> tuple[int, int, int]:
        """Rows, columns and channels of the target of an image of a size."""
        grid = self.grid_of(settings)
        return -(-size[0] // grid), -(-size[1] // grid), self.target_channels


# The order is that of heads in every run name, as in channels.USED.
HEADS: dict[str, Head] = {
    "inner-distance": Head(1, inner_distance),
    "outer-distance": Head(1, outer_distance),
    "flows": Head(2, flows.flows_of_pieces, "linear", loss_scale=5, turn=flows.turned),
    "center-distance": Head(
        1, centre_distances.center_target, "sigmoid", "masked-squared-error", loss_maps=1
    ),
    "boundary-distance": Head(
        1, centre_distances.boundary_target, "sigmoid", "masked-squared-error", loss_maps=1
    ),
    "fgbg": Head(2, foreground, "softmax", "weighted-cross-entropy"),
    "pixelwise": Head(3, pixelwise, "softmax", "weighted-cross-entropy"),
    "star-distances": Head(
        star_distances.N_RAYS,
        star_distances.target,
        "pixels",
        "star-distances",
        0.2,
        loss_maps=1,
        turn=star_distances.turned,
        lengths=True,
        grid=star_distances.GRID,
    ),
    "object-probability": Head(
        1, star_distances.probability_target, "sigmoid", "binary-cross-entropy"
    ),
}


def common_grid(heads: Mapping[str, Mapping]) -> int:
    """Rows and columns after which the values of all heads begin again; `heads` are settings."""
    return lcm(*(HEADS[name].grid_of(settings) for name, settings in heads.items()))


def compute(labels: np.ndarray, heads: Mapping[str, Mapping]) -> dict[str, np.ndarray]:
    """Target maps of one tile.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    heads : settings of each wanted head, passed to its target function

    Returns
    -------
    dict of head name to ndarray of shape (H, W, target_channels)
        uint8 of a softmax's classes, else float32; fewer rows and columns of a head with a grid
    """
    maps = {}
    for name, settings in heads.items():
        target = HEADS[name].target(labels, **settings)
        maps[name] = target.reshape(HEADS[name].target_shape(settings, labels.shape))
    return maps


def turned_back(head: str, values: np.ndarray, quarters: int, mirrored: bool) -> np.ndarray:
    """Values of a map of a turned image, as of the image itself.

    Parameters
    ----------
    head : name; the values of one that :data:`HEADS` does not have are returned as they are
    values : ndarray of shape (..., channels); pixels stay in their places
    quarters, mirrored : how the image was turned, see :class:`Head`

    Returns
    -------
    ndarray of the shape of `values`
    """
    turn = HEADS[head].turn if head in HEADS else None
    if turn is None:
        return values
    return turn(turn(values, -quarters % 4, False), 0, mirrored)


def at_scale(head: str, values: np.ndarray, scale: float) -> np.ndarray:
    """Values of a map of an image at a magnification, as of the image itself: lengths shrink."""
    return values / np.float32(scale) if head in HEADS and HEADS[head].lengths else values
