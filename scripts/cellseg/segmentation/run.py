"""The predicted maps of a run to label images and a table of cells."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from cellseg.errors import UserError
from cellseg.inference import stores
from cellseg.io import atomic
from cellseg.io.wording import number_of
from cellseg.runtime.parallel import ordered_map
from cellseg.segmentation import confidence, methods

Found = tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]


def segment_run(
    maps: str | Path,
    labels: str | Path,
    cells: str | Path,
    settings: Mapping,
    threads: int,
    others: Mapping[str, Mapping] | None = None,
) -> None:
    """Segment every image of a run.

    Parameters
    ----------
    maps : of :mod:`cellseg.inference.stores`
    labels : npz to write; member ``<image>`` becomes an ndarray of shape (H, W), int32, cells 1..n
    cells : Parquet to write, of :mod:`cellseg.segmentation.confidence`
    settings : of a segmentation, see :mod:`cellseg.segmentation.methods`
    threads : number of images at once; the result is the same for any
    others : settings of those images that have others, by image

    Raises
    ------
    UserError
        The file holds no maps, or heads that the method cannot use.
    """
    images = stores.open(maps).images
    if not images:
        raise UserError(f"{maps} holds no image. Delete it and run again.")
    work = partial(_segment_image, maps, settings, others or {})
    measured = {}
    # The kernels hold no lock of Python's: threads do, and start at once.
    found = ordered_map(work, images, threads, processes=False)
    with atomic.stack_writer(labels) as write:
        for image, (painted, measures) in zip(images, found, strict=True):
            write(image, painted)
            measured[image] = measures
    confidence.write(cells, measured)
    n_cells = sum(len(pixels) for pixels, _ in measured.values())
    print(f"Found {number_of(n_cells, 'cell')} in {number_of(len(images), 'image')}.")


def _segment_image(
    maps: str | Path, settings: Mapping, others: Mapping[str, Mapping], image: str
) -> Found:
    read = stores.open(maps).read(image)
    labels, scores = methods.segment(read, others.get(image, settings))
    return labels, (confidence.areas(labels), scores)
