"""Size, place, shape and brightness of each cell of a label image."""

import numpy as np

COLUMNS = (
    *("image", "page", "label", "area_px", "area_um2", "centroid_x_px", "centroid_y_px"),
    *("left_px", "top_px", "width_px", "height_px", "perimeter_px", "at_border"),
    *("mean_intensity", "score"),
)
"""Of cells.csv. The upper left corner of an image is (0, 0), as in ImageJ and QuPath."""


def measure(
    labels: np.ndarray,
    intensity: np.ndarray,
    scores: np.ndarray,
    pixel_size: tuple[float, float] | None,
) -> dict[str, np.ndarray]:
    """One value a cell of each of :data:`COLUMNS` but image and page.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; cells 1..n
    intensity : ndarray of shape (H, W), the grey values of the file
    scores : ndarray of shape (n,), float64; of
        :func:`cellseg.segmentation.confidence.areas_and_means`
    pixel_size : height and width of a pixel, µm; without it area_um2 is NaN

    Returns
    -------
    dict of column to ndarray of shape (n,)
        Perimeters are scikit-image's (Benkrid & Crookes 2000), in pixels; at_border is 1 where the
        border of the image may cut the cell, else 0.
    """
    from skimage.measure import regionprops_table

    # Without a cell, regionprops_table still gives its columns, if empty.
    found = regionprops_table(labels, properties=("label", "area", "centroid", "bbox", "perimeter"))
    top, left, bottom, right = (found[f"bbox-{side}"] for side in range(4))
    border = (top == 0) | (left == 0) | (bottom == labels.shape[0]) | (right == labels.shape[1])
    area = found["area"].astype(np.int64)
    brightness = np.bincount(labels.ravel(), weights=intensity.ravel().astype(np.float64))
    square = np.nan if pixel_size is None else pixel_size[0] * pixel_size[1]
    return {
        "label": found["label"],
        "area_px": area,
        "area_um2": area * square,
        "centroid_x_px": found["centroid-1"] + 0.5,
        "centroid_y_px": found["centroid-0"] + 0.5,
        "left_px": left,
        "top_px": top,
        "width_px": right - left,
        "height_px": bottom - top,
        "perimeter_px": found["perimeter"],
        "at_border": border.astype(np.int64),
        "mean_intensity": brightness[found["label"]] / area,
        "score": scores[found["label"] - 1],
    }
