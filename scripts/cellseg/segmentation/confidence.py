"""How sure a network is of each predicted cell: the table ``cells.parquet`` of a run.

A label image has no score, and average precision needs one. It is the mean of the map
that separates cells from background over the pixels of the cell: a probability where that map is
pixelwise or fgbg, a distance where it is one.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numba import njit

from cellseg.errors import UserError
from cellseg.io.atomic import replacing

COLUMNS = {"image": "string", "cell": "int32", "pixels": "int32", "score": "float64"}
"""Of the table, with their types."""


@njit(cache=True, nogil=True)
def areas_and_means(labels: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each cell, and the mean of a map over them.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; cells 1..n
    values : ndarray of shape (H, W), float32

    Returns
    -------
    pixels : ndarray of shape (n,), int64
    mean : ndarray of shape (n,), float64
    """
    n_cells = labels.max() if labels.size else 0
    pixels, total = np.zeros(n_cells + 1, np.int64), np.zeros(n_cells + 1, np.float64)
    rows, columns = labels.shape
    for row in range(rows):
        for column in range(columns):
            cell = labels[row, column]
            if cell != 0:
                pixels[cell] += 1
                total[cell] += values[row, column]
    return pixels[1:], total[1:] / pixels[1:]


def areas(labels: np.ndarray) -> np.ndarray:
    """Pixels of each cell.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; cells 1..n

    Returns
    -------
    ndarray of shape (n,), int64
    """
    return np.bincount(labels.ravel())[1:]


def write(path: str | Path, images: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Write the table: one row a predicted cell, with image, cell (its label), pixels and score.

    Parameters
    ----------
    images : from image to pixels and score of each cell
    """
    import pyarrow as pa  # an export computes without it
    import pyarrow.parquet as pq

    counts = [len(pixels) for pixels, _ in images.values()]
    columns = {
        "image": pa.array(list(images), pa.string()).take(
            pa.array(np.repeat(np.arange(len(counts)), counts))
        ),
        "cell": _joined([np.arange(1, count + 1) for count in counts]),
        "pixels": _joined([pixels for pixels, _ in images.values()]),
        "score": _joined([mean for _, mean in images.values()]),
    }
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS.items()])
    with replacing(path) as temporary:
        pq.write_table(pa.table(columns, schema=schema), temporary, compression="zstd")


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int8), *arrays])


def read(path: str | Path) -> dict[str, np.ndarray]:
    """Scores of the cells 1..n of every image that has any.

    Raises
    ------
    UserError
        The file is no such table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["image", "score"])
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"{path} is not a table of cells ({error}). Delete it and rerun."
        ) from error
    image = table["image"].to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(np.append(True, image[1:] != image[:-1])) if len(image) else []
    groups = np.split(table["score"].to_numpy(), starts[1:])
    return dict(zip(image[starts].tolist() if len(image) else [], groups, strict=False))
