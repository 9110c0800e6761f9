"""What the workflow asks of a kind of data set: the interface, with the usual answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from cellseg.data import livecell_size


@dataclass(frozen=True)
class Images:
    """Images of a split: how many, and their pixels and cells in all."""

    count: float
    pixels: float
    cells: float

    def part(self, share: float) -> "Images":
        """A share of them."""
        return Images(self.count * share, self.pixels * share, self.cells * share)


def all_of(splits: Iterable[Images]) -> Images:
    """The images of several splits together."""
    splits = list(splits)
    totals = (sum(getattr(some, one.name) for some in splits) for one in fields(Images))
    return Images(*totals)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A kind of data set. A subclass replaces the methods whose answers differ.

    In the methods, `entry` is an entry of ``datasets`` in the configuration, complete with its
    defaults, `name` that of the data set, and `folder` the one in which the workflow keeps it.
    All of this is asked for while Snakemake reads its rules: modules that bring NumPy along are
    imported in the methods that need them.

    Attributes
    ----------
    rule : name of the rule that makes ``source.json``, see :mod:`cellseg.data.sources`
    settings : keys of an entry that this rule is given
    label : what the images are, in reports (reStructuredText)
    licence : under which terms the images are, in the description of an exported network (Markdown)
    spdx : identifier of that licence; None if only the owner of the images knows it
    needs_internet : whether the rule fetches files
    published_as : the data set of published scores that this one is as a whole; empty if none
    paths : keys of an entry that hold paths of the user
    """

    rule: str
    settings: tuple[str, ...]
    label: str
    licence: str
    spdx: str | None = None
    needs_internet: bool = False
    published_as: str = ""
    paths: tuple[str, ...] = ()

    def check(self, where: str, entry: Mapping) -> None:
        """Refuse settings that contradict each other, which the schema cannot say.

        Parameters
        ----------
        where : what messages call the entry

        Raises
        ------
        UserError
            Names the settings.
        """

    def cell_types(self, entry: Mapping) -> Sequence[str]:
        """Cell types of the images; empty if they are not known before the images are read."""
        return ()

    def images(self, entry: Mapping) -> dict[str, Images] | None:
        """Images of each split; None if they are not known before they are read."""
        return None

    def pixels(self, entry: Mapping) -> int:
        """Pixels of an image; LIVECell's if they are not known before the images are read."""
        return livecell_size.PIXELS

    def space(self, entry: Mapping, images: Mapping[str, Images]) -> float | None:
        """Bytes of the images and annotations that the rule makes; None if it makes none.

        Parameters
        ----------
        images : of each split
        """
        return None

    def refuse_missing(self, name: str, entry: Mapping, folder: Path) -> None:
        """Refuse a data set whose files do not exist, before anything is started.

        Raises
        ------
        UserError
            Names the setting of each missing file.
        """

    def lacking(self, entry: Mapping, folder: Path) -> list[tuple[str, Path]]:
        """Address and path of each file that the rule has not fetched yet."""
        return []

    def annotation_files(self, name: str, entry: Mapping) -> list[str]:
        """Files of the user that hold annotations: an edit reads the data set again.

        Raises
        ------
        UserError
            One has braces in its name, which mean wildcards to Snakemake.
        """
        return []

    def content(
        self, name: str, entry: Mapping, without: Iterable[Path], memory: Path
    ) -> str | None:
        """Stamp of the user's images, which changes with their content; None if there are none.

        Parameters
        ----------
        without : folders that hold no images of the data set
        memory : JSON file that keeps what was found, for the next time
        """
        return None
