"""The outlines of a split to its true cells and label images."""

import os

import numpy as np

from cellseg.data import annotation_tables, rasterize, true_cells
from cellseg.data.true_cells import TrueCells
from cellseg.errors import UserError
from cellseg.io.atomic import stack_writer
from cellseg.io.wording import number_of
from cellseg.runtime.parallel import ordered_map

MANY = 0.1
"""Share of cells without a pixel of their own that is worth a warning."""

_REASONS = (
    "Outlines may be outside the frame, smaller than a pixel, or there twice: compare them with "
    "the images, and correct the annotations."
)


def write(
    images_table: str | os.PathLike,
    cells_table: str | os.PathLike,
    labels_path: str | os.PathLike,
    cells_path: str | os.PathLike,
    overlap_policy: str = "smaller-on-top",
    processes: int = 1,
) -> None:
    """Draw the cells of a split once, as they are and painted into label images.

    Parameters
    ----------
    images_table, cells_table : tables of the split, see :mod:`cellseg.data.annotation_tables`
    labels_path : npz to write; member ``<image>`` is an ndarray of shape (H, W), int32
    cells_path : npz to write, of :func:`cellseg.data.true_cells.arrays`
    overlap_policy : see :func:`cellseg.data.rasterize.rasterize`
    processes : worker processes; the result does not depend on their number

    Raises
    ------
    UserError
        Run lengths do not fit their image, or no cell covers a pixel.
    """
    images = annotation_tables.segmentations(images_table, cells_table)
    jobs = ((*image, overlap_policy) for image in images)
    n_images, n_cells, n_visible = 0, 0, 0
    with stack_writer(labels_path) as write_labels, stack_writer(cells_path) as write_cells:
        for image, cells, painted in ordered_map(_draw_image, jobs, processes):
            write_labels(image, painted)
            for name, array in true_cells.arrays(image, cells):
                write_cells(name, array)
            n_images, n_cells = n_images + 1, n_cells + len(cells.pixels)
            n_visible += np.count_nonzero(np.bincount(painted.ravel())[1:])
        if n_cells and not n_visible:
            raise UserError(
                f"{cells_table}: none of the {n_cells} cells covers a pixel of its image. "
                f"{_REASONS}"
            )
    print(
        f"{number_of(n_images, 'image')}, {number_of(n_cells, 'cell')}, "
        f"{n_cells - n_visible} of them without a pixel of their own (outlined twice, "
        "or outside the frame)."
    )
    if n_cells - n_visible > MANY * n_cells:
        print(
            f"Warning: {n_cells - n_visible} of {n_cells} cells of {cells_table} have no pixel of "
            f"their own. {_REASONS}"
        )


def _draw_image(
    job: tuple[str, int, int, list, np.ndarray, str],
) -> tuple[str, TrueCells, np.ndarray]:
    image, height, width, segmentations, areas, overlap_policy = job
    try:
        cells = true_cells.draw(segmentations, height, width, areas)
    except ValueError as error:
        raise UserError(f"the cells of image {image}: {error}. Correct its annotation.") from error
    return image, cells, rasterize.paint(cells, overlap_policy)
