"""Simulated images, in the layout of LIVECell."""

from collections.abc import Mapping, Sequence

from cellseg.data import livecell_size
from cellseg.data.kinds.source import Images, Source

PIXEL, CELL = 0.6, 1_450
"""Bytes in the TIFF file and in three JSON files, measured on the thirteen real images of tests."""


class Simulated(Source):
    """See :class:`cellseg.data.kinds.source.Source`."""

    def cell_types(self, entry: Mapping) -> Sequence[str]:
        """Those that are imitated."""
        return entry["cell_types"]

    def images(self, entry: Mapping) -> dict[str, Images]:
        """As many of each cell type, with LIVECell's density."""
        pixels = self.pixels(entry)
        cells = livecell_size.CELLS * pixels / livecell_size.PIXELS
        types = len(entry["cell_types"])
        return {
            split: Images(types * count, types * count * pixels, types * count * cells)
            for split, count in entry["images"].items()
        }

    def pixels(self, entry: Mapping) -> int:
        """As the entry says."""
        return entry["height"] * entry["width"]

    def space(self, entry: Mapping, images: Mapping[str, Images]) -> float:
        """By pixels and cells."""
        return sum(PIXEL * some.pixels + CELL * some.cells for some in images.values())


SOURCE = Simulated(
    rule="simulate",
    settings=("cell_types", "images", "height", "width", "seed", "variation"),
    label="**simulated images**: scores on them say nothing about real cells",
    licence="simulated by livecell-bench; nobody else has rights in them.",
    spdx="MIT",
)
