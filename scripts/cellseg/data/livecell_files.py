"""Which files the published LIVECell consists of, and which of them a folder lacks."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cellseg.data.livecell_names import CELL_TYPES
from cellseg.data.splits import SPLITS

_SIZES = (
    "0_train2percent",
    "1_train4percent",
    "2_train5percent",
    "3_train25percent",
    "4_train50percent",
)
ANNOTATIONS: dict[str, tuple[str, ...]] = {
    "whole": tuple(f"annotations/LIVECell/livecell_coco_{split}.json" for split in SPLITS),
    "single-cell-types": tuple(
        f"annotations/LIVECell_single_cells/{cell_type.lower()}/{split}.json"
        for cell_type in CELL_TYPES
        for split in SPLITS
    ),
    "size-splits": tuple(f"annotations/LIVECell_dataset_size_split/{size}.json" for size in _SIZES),
}
IMAGES = "images.zip"


def files_of(groups: Iterable[str]) -> list[str]:
    """Annotation files of some groups of :data:`ANNOTATIONS`."""
    return [name for group in groups for name in ANNOTATIONS[group]]


def url_of(base_url: str, name: str) -> str:
    """Address of a file."""
    return f"{base_url.rstrip('/')}/{name}"


def lacking(base_url: str, files: Sequence[str], folder: Path) -> list[tuple[str, Path]]:
    """Address and path of each missing file; the images may be unpacked already.

    Parameters
    ----------
    base_url : address of the folder on the server
    files : annotation files, relative to both `base_url` and `folder`
    folder : where everything belongs
    """
    wanted = [*files, *([] if (folder / "images").is_dir() else [IMAGES])]
    return [
        (url_of(base_url, name), folder / name) for name in wanted if not (folder / name).is_file()
    ]


def listed(pairs: Iterable[tuple[str, Path]]) -> Iterator[str]:
    """Lines with each address and, below it, the path where its file belongs."""
    for url, path in pairs:
        yield f"  {url}"
        yield f"    -> {path}"
