"""Pixelwise segmentation as a method, see :mod:`.methods`: a threshold, then connected components.

What deepcell's pixelwise models do (Van Valen et al., PLOS Computational Biology 2016;
``deepcell_toolbox.pixelwise``), with the steps before and after it that the watershed has, too.
Cells part only where the network predicts a boundary, or anything else, between them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cellseg.segmentation import confidence
from cellseg.segmentation.cleanup import cleaned
from cellseg.segmentation.components import components
from cellseg.segmentation.smoothing import gaussian
from cellseg.study.segmentation_methods import MASK, METHODS
from cellseg.targets import channels

Maps = Mapping[str, "np.ndarray | Mapping[int, np.ndarray]"]

EXAMPLE_NOTE = (
    "The cells of the example are those of livecell-bench, but for maps that it rounds to 8 bits "
    "and holes that it fills."
)


def find_cells(
    interior: np.ndarray,
    interior_threshold: float = 0.8,
    interior_smooth: float = 0,
    neighbours: int = 4,
    min_size: int = 0,
    fill_holes_threshold: int = 0,
    grow: int = 0,
) -> np.ndarray:
    """Make a cell of each connected part of the interior above a threshold.

    With ``interior_smooth``, ``fill_holes_threshold`` and ``grow`` at 0, equal label for label to
    ``deepcell_toolbox.pixelwise``, but for numbers that small cells leave unused there.

    Parameters
    ----------
    interior : ndarray of shape (H, W), float32 or float64
        Probability that a pixel is inside of a cell, and on no boundary.
    interior_threshold : float
        Cells are where the smoothed interior is above this.
    interior_smooth : float
        Standard deviation of a Gaussian, pixels; 0 smooths nothing.
    neighbours : 4 or 8
        8 also joins pixels that touch at a corner.
    min_size, fill_holes_threshold : int
        Pixels; see :func:`cellseg.segmentation.cleanup.cleaned`.
    grow : int
        Pixels by which cells grow into the background, last of all: the boundary that the
        threshold takes off. A pixel goes to the nearest cell.

    Returns
    -------
    ndarray of shape (H, W), int32
        0 is background, cells are 1..n.
    """
    height = gaussian(interior, interior_smooth)
    labels = components(height > interior_threshold, neighbours)
    labels = cleaned(labels, min_size, fill_holes_threshold)
    if not grow:
        return labels
    from skimage.segmentation import expand_labels

    return expand_labels(labels, grow).astype(np.int32)


def segment(maps: Maps, settings: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Cells of one image; their scores are means of the mask's map."""
    interior = _interior(maps)
    labels = find_cells(interior, **settings)
    return labels, confidence.areas_and_means(labels, interior)[1]


def segment_all(maps: Maps, settings: Sequence[Mapping]) -> Iterator[tuple[int, np.ndarray]]:
    """Segment one image with each of many settings, smoothing once for all of a deviation."""
    interior = _interior(maps)
    smoothed: dict[float, np.ndarray] = {}
    for number, one in enumerate(settings):
        options = dict(one)
        deviation = options.pop("interior_smooth", 0)
        if deviation not in smoothed:
            smoothed[deviation] = gaussian(interior, deviation)
        yield number, find_cells(smoothed[deviation], **options)


def example(heads: Sequence[str], settings: Mapping, source_of: Callable[[str, int], str]) -> str:
    """Lines of Python that find cells with scikit-image."""
    head = METHODS["threshold-components"].head(MASK, heads)
    values = source_of(head, channels.USED[head][0])
    if settings.get("interior_smooth", 0):
        values = f"filters.gaussian({values}, {settings['interior_smooth']})"
    connectivity = 2 if settings.get("neighbours", 4) == 8 else 1
    threshold = settings.get("interior_threshold", 0.8)
    lines = [
        f"interior = {values}",
        f"cells = measure.label(interior > {threshold}, connectivity={connectivity})",
    ]
    if least := settings.get("min_size", 0):
        lines.append(f"cells = morphology.remove_small_objects(cells, max_size={least - 1})")
    if grow := settings.get("grow", 0):
        lines.append(f"cells = segmentation.expand_labels(cells, {grow})")
    return "\n".join(lines)


def _interior(maps: Maps) -> np.ndarray:
    head = METHODS["threshold-components"].head(MASK, maps)
    channel, *_ = channels.USED[head]
    found = maps[head]
    found = found[..., channel] if isinstance(found, np.ndarray) else found[channel]
    return np.ascontiguousarray(found, np.float32)
