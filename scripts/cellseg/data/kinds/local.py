"""Images and annotations of the user, in a folder on this disk."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from cellseg.data import sources
from cellseg.data.kinds.source import Source
from cellseg.errors import UserError

PATHS = ("path", "images", "annotations", "labels")


class Local(Source):
    """See :class:`cellseg.data.kinds.source.Source`."""

    def check(self, where: str, entry: Mapping) -> None:
        """Refuse an entry that does not name its files in one of the three possible ways."""
        given = {key for key in PATHS if key in entry}
        if given not in ({"path"}, {"images", "annotations"}, {"images", "labels"}):
            raise UserError(
                f"{where}: give either `path` (a folder in the official LIVECell layout), or "
                "`images` with `annotations`, or `images` with `labels`; given: "
                f"{', '.join(sorted(given))}."
            )

    def refuse_missing(self, name: str, entry: Mapping, folder: Path) -> None:
        """Refuse missing folders and annotation files; of images only if they were never read."""
        sources.refuse_missing(name, entry, folder)

    def annotation_files(self, name: str, entry: Mapping) -> list[str]:
        """COCO files or label images; none if the data set is not complete."""
        if "path" not in entry:  # whether or not the images are there
            return sources.without_braces(sources.annotation_files(entry))
        try:
            described = sources.local(name, entry)
        except UserError:
            return []  # the rule says what is wrong
        return sources.without_braces(sources.annotation_files(described))

    def content(
        self, name: str, entry: Mapping, without: Iterable[Path], memory: Path
    ) -> str | None:
        """Of the images that the tables of the data set are made of."""
        from cellseg.data import local_images

        try:
            paths = local_images.used(sources.local(name, entry), without)
        except UserError:
            paths = []  # the rule says what is wrong
        return local_images.stamp(paths, memory)


SOURCE = Local(
    rule="use_local",
    settings=(*PATHS, "missing_images", "crowds", "channel", "page"),
    label="images from a folder",
    licence=(
        "images of whoever exported this: their terms apply, and are to be added here before it is "
        "given away. If they are LIVECell's, those are CC BY-NC 4.0 (no commercial use)."
    ),
    paths=PATHS,
)
