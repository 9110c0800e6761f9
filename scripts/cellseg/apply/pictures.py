"""A picture of an image with the outlines of its cells."""

from collections.abc import Mapping

import cv2
import numpy as np

from cellseg.apply.geojson import Polygon

PICTURE = 640  # pixels, the longer side
LARGEST_ZOOM = 8  # of images that are smaller
OUTLINE = (233, 180, 86)  # blue, green, red: the colour of predicted cells in all figures
OTHERS = (0, 94, 213)  # vermilion, of the same palette


def draw(image: np.ndarray, cells: Mapping[int, list[Polygon]]) -> bytes:
    """A small picture of an image with the outlines of its cells, as JPEG.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8; shown between its 0.5th and 99.5th percentile
    cells : of :func:`cellseg.apply.geojson.of_cells`
    """
    picture = drawn(image, cells)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def drawn(
    image: np.ndarray,
    cells: Mapping[int, list[Polygon]],
    others: Mapping[int, list[Polygon]] | None = None,
) -> np.ndarray:
    """The same as an array (H, W, 3) uint8 of blue, green and red; `others` in another colour."""
    low, high = np.percentile(image, (0.5, 99.5))
    stretched = np.clip((image - low) * (255 / max(high - low, 1)), 0, 255).astype(np.uint8)
    scale = min(PICTURE / max(image.shape), LARGEST_ZOOM)
    size = tuple(max(1, round(length * scale)) for length in reversed(image.shape))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    picture = cv2.cvtColor(cv2.resize(stretched, size, interpolation=method), cv2.COLOR_GRAY2BGR)
    bits = 4  # of a pixel's fraction
    # OpenCV counts from the middle of the first pixel, polygons from its corner.
    for outlined, colour in ((others or {}, OTHERS), (cells, OUTLINE)):
        lines = [
            np.rint((np.array(ring) * scale - 0.5) * 2**bits).astype(np.int32)
            for parts in outlined.values()
            for polygon in parts
            for ring in polygon
        ]
        cv2.polylines(picture, lines, True, colour, 1, cv2.LINE_AA, bits)
    return picture
