"""How a picture has to be turned so that it is upright: the tag Orientation of TIFF and EXIF."""

from collections.abc import Callable

import numpy as np

TAG = 274
"""Number of the tag, in TIFF and in EXIF."""

TURNS: dict[int, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    2: ("mirrored left to right", lambda image: image[:, ::-1]),
    3: ("turned by 180 degrees", lambda image: image[::-1, ::-1]),
    4: ("mirrored top to bottom", lambda image: image[::-1]),
    5: ("mirrored at its diagonal", lambda image: image.swapaxes(0, 1)),
    6: ("turned by 90 degrees clockwise", lambda image: np.rot90(image, -1)),
    7: ("mirrored at its other diagonal", lambda image: np.rot90(image, 2).swapaxes(0, 1)),
    8: ("turned by 90 degrees anticlockwise", lambda image: np.rot90(image, 1)),
}
"""What makes a stored picture upright, by its orientation; 1 and other numbers say nothing.

Rows and columns are the first two axes.
"""

TURNED = "orientation tag, in doubt"
STORED = "orientation tag that the annotations ignore"


def number(value: object) -> int:
    """The orientation that a tag says; 1 where it says none."""
    return value if isinstance(value, int) and value in TURNS else 1


def turn(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a stored picture of shape (H, W, …) upright."""
    return TURNS[orientation][1](image) if orientation in TURNS else image


def swaps(orientation: int) -> bool:
    """Whether upright width and height are the stored height and width."""
    return orientation in (5, 6, 7, 8)


def fit(
    image: np.ndarray, orientation: int, shape: tuple[int, int] | None
) -> tuple[np.ndarray, tuple[str, str] | None]:
    """Turn a picture as its annotations were made.

    Upright, unless only the stored height and width are those of the annotations. Programs differ
    in whether they heed the tag: where width and height do not prove it, it is a problem to list.

    Parameters
    ----------
    image : ndarray of shape (H, W, …), as stored
    shape : height and width that the annotations say; None if there are none

    Returns
    -------
    image : as annotated, if possible; upright where neither way fits
    problem : what to list and what was done, or None
    """
    if orientation not in TURNS:
        return image, None
    upright, words = turn(image, orientation), TURNS[orientation][0]
    if shape is None:
        return upright, None
    if upright.shape[:2] != tuple(shape) and image.shape[:2] == tuple(shape):
        return image, (STORED, "read as stored")
    proven = orientation in (6, 8) and upright.shape[:2] != image.shape[:2]
    return upright, None if proven else (TURNED, words)
