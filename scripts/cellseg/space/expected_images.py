"""How many images each split of a data set has, their pixels and cells, also before it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "val", "test")

LIVECELL = {"train": 3_253, "val": 570, "test": 1_564}  # images as published, some of them twice
LIVECELL_PIXELS, LIVECELL_CELLS = 520 * 704, 323  # an image


@dataclass(frozen=True)
class Images:
    """Images of a split: how many, and their pixels and cells in all."""

    count: float
    pixels: float
    cells: float

    def part(self, share: float) -> "Images":
        """A share of them."""
        return Images(self.count * share, self.pixels * share, self.cells * share)


def images_of(entry: Mapping, annotations: Path) -> dict[str, Images] | None:
    """Images of each split: of the tables where they are, else as the settings say.

    Parameters
    ----------
    entry : settings of the data set
    annotations : folder of its tables, see :mod:`cellseg.data.annotation_tables`

    Returns
    -------
    dict of split to Images; None for local images whose annotations were not read yet
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
    if entry["kind"] == "download":
        return {
            split: Images(count, count * LIVECELL_PIXELS, count * LIVECELL_CELLS)
            for split, count in LIVECELL.items()
        }
    if entry["kind"] == "simulated":
        pixels = entry["height"] * entry["width"]
        cells = LIVECELL_CELLS * pixels / LIVECELL_PIXELS
        kinds = len(entry["cell_types"])
        return {
            split: Images(kinds * count, kinds * count * pixels, kinds * count * cells)
            for split, count in entry["images"].items()
        }
    return None
