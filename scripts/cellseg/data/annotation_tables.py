"""Annotation tables on disk: written by :mod:`cellseg.data.annotations`, read image by image.

Two Parquet tables a split. ``{split}.images.parquet`` has one row an image: image (the key used
everywhere), image_id, split, order (position in the published list), path, cell_type, well,
position, hours, crop, height and width (pixels), n_cells, incomplete, sha256 (of the image file:
with another image the table changes, and so all that is made of it), and channel and page (which
picture of the file; null where it has only one). ``{split}.cells.parquet`` has one row a cell, in
the order of the images and in file order within an image: image, image_id,
annotation_id, cell_type, area and bbox as published, polygons or rle. Crowd regions are left out.
"""

import os
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cellseg.errors import UserError
from cellseg.images.decoded import Part
from cellseg.images.reading import Picture
from cellseg.io import made_files
from cellseg.io.atomic import replacing

ROWS = 20_000  # cells read or written at a time

IMAGE_SCHEMA = pa.schema(
    [
        ("image", pa.string()),
        ("image_id", pa.int64()),
        ("split", pa.string()),
        ("order", pa.int64()),
        ("path", pa.string()),
        ("cell_type", pa.string()),
        ("well", pa.string()),
        ("position", pa.int64()),
        ("hours", pa.float64()),
        ("crop", pa.int64()),
        ("height", pa.int64()),
        ("width", pa.int64()),
        ("n_cells", pa.int64()),
        ("incomplete", pa.bool_()),
        ("sha256", pa.string()),
        ("channel", pa.int64()),
        ("page", pa.int64()),
    ]
)


def write_images(path: str | os.PathLike, table: pd.DataFrame) -> None:
    columns = {field.name: table[field.name].tolist() for field in IMAGE_SCHEMA}
    columns = {
        name: [None if value != value else value for value in values]  # pandas turns None to NaN
        for name, values in columns.items()
    }
    with replacing(path) as temporary:
        pq.write_table(pa.table(columns, schema=IMAGE_SCHEMA), temporary)


def pictures(table: pd.DataFrame) -> list[Picture]:
    """The picture of each row of an images table; columns that it lacks say nothing of pictures."""
    columns = ["path", "height", "width", "channel", "page"]
    rows = table.reindex(columns=columns).astype(object)
    rows = rows.where(rows.notna(), None)
    return [
        Picture(
            path,
            None if height is None else (int(height), int(width)),
            Part(*(None if value is None else int(value) for value in part)),
        )
        for path, height, width, *part in rows.itertuples(index=False)
    ]


def write_cells(path: str | os.PathLike, cells: pa.Table, table: pd.DataFrame) -> None:
    """Write the cells of the images that stayed, grouped by image, a piece at a time."""
    rank = pd.Series(np.arange(len(table)), index=table["image_id"])
    ranks = rank.reindex(cells["image_id"].to_numpy()).to_numpy(np.float64)
    rows = np.argsort(ranks, kind="stable")[: np.count_nonzero(~np.isnan(ranks))]  # NaN sorts last
    image, cell_type = table["image"].to_numpy(object), table["cell_type"].to_numpy(object)
    with replacing(path) as temporary:
        writer = None
        for start in range(0, max(len(rows), 1), ROWS):
            piece = rows[start : start + ROWS]
            owners = ranks[piece].astype(np.int64)
            part = cells.take(piece)
            part = part.add_column(0, "image", pa.array(image[owners], pa.string()))
            part = part.add_column(3, "cell_type", pa.array(cell_type[owners], pa.string()))
            writer = writer or pq.ParquetWriter(temporary, part.schema, compression="zstd")
            writer.write_table(part)
        writer.close()


def segmentations(
    images_table: str | os.PathLike, cells_table: str | os.PathLike
) -> Iterator[tuple[str, int, int, list, np.ndarray]]:
    """Yield the cells of every image, one image at a time, in table order.

    Yields
    ------
    image : key of the image
    height, width : pixels
    segmentations : list
        A list of polygons, or ``{"size", "counts"}`` with compressed run lengths, per cell: what
        :func:`cellseg.data.rasterize.rasterize` and pycocotools take.
    areas : ndarray of shape (n,), float64, as published
    """
    table = made_files.read_parquet(images_table, columns=["image", "height", "width", "n_cells"])
    waiting = _cell_rows(cells_table)
    for image, height, width, n_cells in table.itertuples(index=False):
        cells, areas = [], np.empty(n_cells, np.float64)
        for number in range(n_cells):
            owner, polygons, counts, areas[number] = next(waiting)
            if owner != image:
                raise UserError(f"{cells_table} does not belong to {images_table}. Parse again.")
            rle = {"size": [height, width], "counts": counts}
            cells.append(rle if polygons is None else polygons)
        yield image, height, width, cells, areas


def _cell_rows(path: str | os.PathLike) -> Iterator[tuple[str, list | None, bytes | None, float]]:
    columns = ["image", "polygons", "rle", "area"]
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS // 10, columns=columns):
            yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
