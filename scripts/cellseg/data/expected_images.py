"""How many images each split of a data set has, their pixels and cells, also before it is read."""

from collections.abc import Mapping
from pathlib import Path

from cellseg.data import kinds
from cellseg.data.kinds.source import Images
from cellseg.data.splits import SPLITS


def images_of(entry: Mapping, annotations: Path) -> dict[str, Images] | None:
    """Images of each split: of the tables where they are, else as the kind of data set says.

    Parameters
    ----------
    entry : settings of the data set
    annotations : folder of its tables, see :mod:`cellseg.data.annotation_tables`

    Returns
    -------
    dict of split to Images; None if nothing is known before the annotations are read
    """
    paths = {split: annotations / f"{split}.images.parquet" for split in SPLITS}
    if all(path.is_file() for path in paths.values()):
        import pyarrow.parquet as pq

        columns = ["height", "width", "n_cells"]
        tables = {
            split: pq.read_table(path, columns=columns).to_pydict() for split, path in paths.items()
        }
        return {
            split: Images(
                len(table["height"]),
                sum(map(int.__mul__, table["height"], table["width"])),
                sum(table["n_cells"]),
            )
            for split, table in tables.items()
        }
    return kinds.of(entry).images(entry)
