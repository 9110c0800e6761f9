"""Public data sets in a folder on this disk, as their archives hold them."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cellseg.data import sources
from cellseg.data.kinds.source import Source
from cellseg.errors import UserError
from cellseg.io import tolerant

LAYOUTS = "cellseg.data.layouts"


@dataclass(frozen=True, kw_only=True)
class Converted(Source):
    """See :class:`cellseg.data.kinds.source.Source`; read by :mod:`cellseg.data.layouts`.

    Attributes
    ----------
    tables : names of the files that hold annotations, as patterns; empty for label images, which
        are watched with the images
    pictures : folder of the images below that of the data set; empty if they are everywhere
    """

    rule: str = "convert"
    settings: tuple[str, ...] = ("path", "split")
    paths: tuple[str, ...] = ("path",)
    tables: tuple[str, ...] = ()
    pictures: str = ""

    def layout(self, entry: Mapping) -> str:
        """Module that reads the folder."""
        return f"{LAYOUTS}.{entry.get('layout', entry['kind']).replace('-', '_')}"

    def check(self, where: str, entry: Mapping) -> None:
        """Refuse shares that leave nothing to train on."""
        split = entry["split"]
        if split["val"] + split["test"] >= 1:
            raise UserError(
                f"{where}.split: val and test take {split['val']:g} and {split['test']:g} of the "
                "images and leave none to train on. Give shares whose sum is less than 1."
            )

    def refuse_missing(self, name: str, entry: Mapping, folder: Path) -> None:
        """Refuse a missing folder, unless its images were read before."""
        path = Path(entry["path"])
        if os.path.exists(path) or isinstance(tolerant.json_file(folder / "source.json"), dict):
            return
        more = "" if path.is_absolute() else f" It is looked for in {Path.cwd()}."
        raise UserError(
            f"datasets.{name}.path: {path} does not exist.{more} Put the data set there; "
            "docs/how-to/data-sets.md says where it can be had."
        )

    def annotation_files(self, name: str, entry: Mapping) -> list[str]:
        """The archive, or the files of the folder that hold annotations."""
        path = Path(entry["path"])
        if path.is_file():
            return sources.without_braces([str(path)])
        found = {str(one) for pattern in self.tables for one in path.glob(pattern)}
        return sources.without_braces(sorted(found))

    def content(
        self, name: str, entry: Mapping, without: Iterable[Path], memory: Path
    ) -> str | None:
        """Of all images below the folder; an archive is watched as a file."""
        from cellseg.data import local_images
        from cellseg.images import reading

        path = Path(entry["path"])
        if path.is_file():
            return None
        root = path / self.pictures
        found = reading.find(root, reading.SUFFIXES, without=without) if root.is_dir() else []
        return local_images.stamp(found, memory)


SOURCES: dict[str, Source] = {
    "sartorius": Converted(
        label="Sartorius Cell Instance Segmentation (Kaggle 2021)",
        licence=(
            "Sartorius Cell Instance Segmentation (Kaggle, 2021): the rules of the competition "
            "hold, which whoever downloads the data accepts."
        ),
        tables=("train.csv", "train.csv.gz", "train.csv.zip"),
        pictures="train",
        published_as="Sartorius 2021",
    ),
    "public": Converted(
        label="images of a public data set",
        licence=(
            "images of a public data set: its terms apply, and are to be added here before this "
            "is given away. docs/how-to/data-sets.md says what is known of some."
        ),
        tables=("**/instances_*_EVICAN2.json",),
    ),
}
"""By kind."""
