"""The published LIVECell, fetched from its server."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cellseg.data import livecell_files, livecell_size
from cellseg.data.kinds.source import Images, Source
from cellseg.data.livecell_names import CELL_TYPES

IMAGES = 2.5e9
"""Bytes of images.zip and of what is unpacked from it."""
ANNOTATIONS = {"whole": 0.91e9, "single-cell-types": 0.91e9, "size-splits": 0.47e9}
"""Bytes of each group of annotation files."""


class Download(Source):
    """See :class:`cellseg.data.kinds.source.Source`."""

    def cell_types(self, entry: Mapping) -> Sequence[str]:
        """LIVECell's."""
        return CELL_TYPES

    def images(self, entry: Mapping) -> dict[str, Images]:
        """As published."""
        return {
            split: Images(count, count * livecell_size.PIXELS, count * livecell_size.CELLS)
            for split, count in livecell_size.IMAGES.items()
        }

    def space(self, entry: Mapping, images: Mapping[str, Images]) -> float:
        """All images, and the groups of annotation files that the entry names."""
        return IMAGES + sum(ANNOTATIONS[group] for group in entry["annotations"])

    def lacking(self, entry: Mapping, folder: Path) -> list[tuple[str, Path]]:
        """Images and annotation files that are not in the folder."""
        files = livecell_files.files_of(entry["annotations"])
        return livecell_files.lacking(entry["url"], files, folder / "source")


SOURCE = Download(
    rule="download",
    settings=("url", "annotations"),
    label="the published LIVECell",
    licence=(
        "LIVECell (Edlund et al., *Nature Methods* 18, 1038-1045, 2021): CC BY-NC 4.0. No "
        "commercial use, and the source is to be named."
    ),
    spdx="CC-BY-NC-4.0",
    needs_internet=True,
    published_as="LIVECell",
)
