"""Label images to the maps that a network learns.

The four transforms are those of deepcell 0.12.10 (Bannon et al., Nature Methods 2021; for the inner
distance Greenwald et al., Nature Biotechnology 2022), written from their description and equal to
them within 1e-6. Where a better form is known it is an option, and deepcell's stays the default.
"""

import cv2
import numpy as np


def inner_distance(
    labels: np.ndarray,
    alpha: float | str = "auto",
    beta: float = 1.0,
    squared: bool = True,
    erosion_width: int = 1,
) -> np.ndarray:
    """Closeness to the centre of the cell: ``1 / (1 + beta * alpha * d**2)``, 1 at the centre.

    The centre is the centroid weighted by the distance to the background, which pulls it into the
    thick part of a bent cell. Every connected piece of a label has a centre of its own.

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
        `alpha` is a word other than "auto".
    """
    if isinstance(alpha, str) and alpha != "auto":
        raise ValueError(f"alpha is 'auto' or a number, not '{alpha}'")
    eroded = erode(labels, erosion_width)
    pieces, n_pieces = _pieces(eroded, touching=erosion_width < 1)
    closeness = np.zeros(labels.shape, np.float32)
    inside = np.flatnonzero(pieces)
    piece = pieces.ravel()[inside]
    weight = _distance_to_background(eroded).ravel()[inside].astype(float)
    row, column = np.divmod(inside, labels.shape[1])

    def total(values: np.ndarray | None = None) -> np.ndarray:
        # Piece 0 is the background and has no pixel here; 1 keeps the divisions below defined.
        sums = np.bincount(piece, values, minlength=n_pieces)
        sums[0] = 1
        return sums

    mass = total(weight)
    centre_row, centre_column = total(weight * row) / mass, total(weight * column) / mass
    distance = (row - centre_row[piece]) ** 2 + (column - centre_column[piece]) ** 2
    if not squared:
        distance = np.sqrt(distance)
    scale = 1 / np.sqrt(total())[piece] if alpha == "auto" else alpha
    closeness.ravel()[inside] = 1 / (1 + beta * scale * distance)
    return closeness


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
    eroded = erode(labels, erosion_width)
    distance = _distance_to_background(eroded)
    if not normalize:
        return distance
    pieces, n_pieces = _pieces(eroded, touching=erosion_width < 1)
    largest = np.zeros(n_pieces, np.float32)
    np.maximum.at(largest, pieces.ravel(), distance.ravel())
    largest[0] = 1
    return distance / largest[pieces]


def foreground(labels: np.ndarray) -> np.ndarray:
    """Background and foreground as two channels.

    Returns
    -------
    ndarray of shape (H, W, 2), uint8
        Always two channels. (deepcell's generator gives one on a tile without cells, and fails.)
    """
    cells = labels > 0
    return np.stack([~cells, cells], axis=-1).astype(np.uint8)


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
    edge = inner_boundaries(labels)
    interior = (labels > 0) & ~edge
    if dilation_radius > 0:
        wider = cv2.dilate(edge.astype(np.uint8), _disk(dilation_radius))
        edge = wider.astype(bool) & ~interior
    return np.stack([edge, interior, ~(edge | interior)], axis=-1).astype(np.uint8)


def inner_boundaries(labels: np.ndarray) -> np.ndarray:
    """Pixels of a cell with another value above, below, left or right of them.

    The image's own border is no boundary.

    Returns
    -------
    ndarray of shape (H, W), bool
    """
    boundary = np.zeros(labels.shape, bool)
    below = labels[1:] != labels[:-1]
    boundary[1:] |= below
    boundary[:-1] |= below
    beside = labels[:, 1:] != labels[:, :-1]
    boundary[:, 1:] |= beside
    boundary[:, :-1] |= beside
    return boundary & (labels > 0)


def erode(labels: np.ndarray, width: int) -> np.ndarray:
    """Take `width` pixels off the border of every cell; small cells may vanish.

    Returns
    -------
    ndarray of shape (H, W), int32
    """
    eroded = labels
    for _ in range(width):
        eroded = np.where(inner_boundaries(eroded), 0, eroded)
    return eroded


def _distance_to_background(labels: np.ndarray) -> np.ndarray:
    """Euclidean distance to the nearest pixel of value 0, in pixels, float32."""
    cells = labels > 0
    if cells.all():
        # Without any background the distance is undefined. SciPy measures to a point outside the
        # frame, and deepcell with it.
        from scipy.ndimage import distance_transform_edt

        return distance_transform_edt(cells).astype(np.float32)
    distance = cv2.distanceTransform(cells.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's last bit depends on how it shared the rows among threads, so that the same seed would
    # not give the same batch. The square is a whole number, and its root is exact.
    return np.sqrt(np.rint(distance * distance))


def _pieces(labels: np.ndarray, touching: bool) -> tuple[np.ndarray, int]:
    """Number the connected (8 neighbours) pieces of equal label; their count includes background.

    After an erosion no two cells touch, not even by a corner, and the fast binary labelling
    will do. `touching` says that they may.
    """
    if touching:
        from skimage.measure import label

        pieces, n_pieces = label(labels, return_num=True)
        return pieces, n_pieces + 1
    n_pieces, pieces = cv2.connectedComponents((labels > 0).astype(np.uint8), connectivity=8)
    return pieces, n_pieces


def _disk(radius: int) -> np.ndarray:
    row, column = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (row**2 + column**2 <= radius**2).astype(np.uint8)
