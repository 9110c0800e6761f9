"""Doubts about the cells that a trained run found elsewhere: almost none, noise, other scale.

They only warn: no cell is removed.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.io import tolerant
from cellseg.io.wording import number_of
from cellseg.scoring import found_nothing

LEAST_CORRELATION = 0.05
"""Of neighbouring pixels, below which an image is noise. White noise of a LIVECell image's size has
0.00; the least of 45 LIVECell images has 0.20."""
OTHER_SCALE = 1.6
"""Ratio of the sizes of two pixels, beyond which cells are of another size to the network. Training
usually varies magnification by up to 1.4 or 1.5."""
NAMED = 5
"""Images that a warning names; the others are counted."""


def is_noise(grey: np.ndarray) -> bool:
    """Whether neighbouring pixels of an image do not correlate.

    Parameters
    ----------
    grey : ndarray of shape (H, W)
    """
    if min(grey.shape) < 16:
        return False  # too few pixels to say
    values = grey - grey.mean(dtype=np.float64)
    variance = np.mean(values**2)
    if variance == 0:
        return False
    pairs = ((values[:, :-1], values[:, 1:]), (values[:-1], values[1:]))
    return max(np.mean(one * other) for one, other in pairs) < LEAST_CORRELATION * variance


def warnings(pages: Sequence[tuple[str, int]], noise: Sequence[str], metrics: Path) -> list[str]:
    """What to say once all images are segmented.

    Parameters
    ----------
    pages : image and number of cells of each page
    noise : images that :func:`is_noise` takes for noise, each once
    metrics : scores of the run on its own test images, which may be missing
    """
    notes = []
    n_cells = sum(cells for _, cells in pages)
    if n_cells < len(pages):
        notes.append(
            f"Warning: found almost nothing: {number_of(n_cells, 'cell')} on "
            f"{number_of(len(pages), 'page')}. {_reason(metrics)}"
        )
    if noise:
        more = f" and {len(noise) - NAMED} more" if len(noise) > NAMED else ""
        notes.append(
            f"Warning: {', '.join(noise[:NAMED])}{more}: neighbouring pixels do not correlate, as "
            "in pure noise. Do not trust cells found there; look at the overview."
        )
    return notes


def of_pixels(expected: float | None, pages: Sequence[tuple[str, float]]) -> list[str]:
    """What to say of pixels that are much larger or smaller than those of the training images.

    Parameters
    ----------
    expected : side of a pixel of the training images, micrometres; None if not known
    pages : image and side of a pixel of each page, micrometres; not finite if not known
    """
    if expected is None:
        return []
    others = {
        image: size
        for image, size in pages
        if np.isfinite(size) and max(size / expected, expected / size) > OTHER_SCALE
    }
    if not others:
        return []
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    named = ", ".join(f"{image} ({size:.3g} µm)" for image, size in [*others.items()][:NAMED])
    return [
        f"Warning: the network was trained on pixels of {expected:.3g} µm, and those of "
        f"{named}{more} differ much. Resize these images to that size, or apply another run."
    ]


def _reason(metrics: Path) -> str:
    rows = pd.DataFrame(tolerant.table(metrics))
    if "f1_50" in rows and "small_objects" in rows:
        kept = rows[rows["small_objects"] == "kept"]
        f1 = pd.to_numeric(kept["f1_50"], errors="coerce").mean()
        if f1 < found_nothing.LEAST_F1:
            return (
                f"The run finds as little in its own test images (F1 at IoU 0.5 {f1:.3f}): train "
                "it longer, or apply another run."
            )
        if np.isfinite(f1):
            return (
                f"In its own test images the run finds cells (F1 at IoU 0.5 {f1:.3f}): these "
                "images differ from what it was trained on. Compare magnification, contrast "
                "and focus."
            )
    return "Compare magnification, contrast and focus with the images that the run was trained on."
