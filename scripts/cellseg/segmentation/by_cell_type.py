"""Settings of a segmentation that differ by cell type: which of them an image gets.

A threshold search by cell type finds settings for all images together and for single types.
``chosen.json`` and ``segmentation.json`` hold the former as ``segmentation`` and the latter under
:data:`KEY`. Files without that key have one set of settings for all images.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cellseg.data import livecell_names
from cellseg.errors import UserError
from cellseg.io import made_files

CELL_TYPE = "cell-type"
"""Value of ``by`` of a threshold search."""

KEY = "segmentation_by_cell_type"
"""Settings by cell type, of those types that have their own."""

AS_ALL = "cell_types_as_all"
"""Types that have none, and so the settings of all, each with the reason."""

NO_IMAGE = "no validation image"
"""One of these reasons."""

MEAN = "mean by cell type"
"""In ``chosen.json``: mean score over all images, each with the settings of its type."""

UNKNOWN = livecell_names.NO_TYPE
"""What images of unknown cell type are counted as; they never have their own settings."""


def types_of(tables: Iterable[str | Path]) -> dict[str, str]:
    """Cell type of each image, :data:`UNKNOWN` where it is not known.

    Parameters
    ----------
    tables : Parquet files with columns image and cell_type

    Raises
    ------
    UserError
        A file cannot be read, or lacks a column.
    """
    found: dict[str, str] = {}
    for path in tables:
        table = made_files.read_parquet(path, columns=["image", "cell_type"])
        types = table["cell_type"].fillna(UNKNOWN).replace("", UNKNOWN)
        found |= dict(zip(table["image"], types, strict=True))
    return found


def of_images(types: Mapping[str, str], images: Iterable[str], maps: str | Path) -> dict[str, str]:
    """Cell types of some images.

    Parameters
    ----------
    types : of :func:`types_of`
    maps : file that holds the images, for the error

    Raises
    ------
    UserError
        An image is not in `types`.
    """
    images = list(images)
    missing = [image for image in images if image not in types]
    if missing:
        raise UserError(
            f"image {missing[0]} of {maps} is in no table of images, which gives its cell type. "
            "The data set has changed since the prediction: delete the prediction and run again."
        )
    return {image: types[image] for image in images}


def own_settings(content: Mapping, types: Mapping[str, str]) -> dict[str, dict]:
    """Settings of those images whose cell type has its own.

    Parameters
    ----------
    content : of ``chosen.json``
    types : cell type of each image that is segmented
    """
    own = content[KEY]
    return {image: own[name] for image, name in types.items() if name in own}


def record(content: Mapping, types: Mapping[str, str]) -> dict:
    """What ``segmentation.json`` says of cell types; arguments are those of :func:`own_settings`.

    Returns
    -------
    dict
        Under :data:`KEY` all types with their own settings, under :data:`AS_ALL` the other types
        of the segmented images.
    """
    own, reasons = content[KEY], content.get(AS_ALL, {})
    others = sorted(set(types.values()) - own.keys())
    return {KEY: dict(own), AS_ALL: {name: reasons.get(name, NO_IMAGE) for name in others}}


def in_words(content: Mapping, types: Mapping[str, str]) -> str:
    """How many images got which settings, as a line of a log."""
    shown: dict[bool, list[str]] = {True: [], False: []}
    for name, number in sorted(Counter(types.values()).items()):
        shown[name in content[KEY]].append(f"{name} ({number})")
    return (
        f"Images with the thresholds of their cell type: {', '.join(shown[True]) or 'none'}; "
        f"with those of all: {', '.join(shown[False]) or 'none'}."
    )


def of_type(content: Mapping, cell_type: str | None, where: str | Path) -> dict:
    """Settings of one cell type; those of all for None.

    Parameters
    ----------
    content : of ``segmentation.json``
    cell_type : in any spelling that LIVECell has for it
    where : path of the file, for the error

    Raises
    ------
    UserError
        The type has no settings of its own, or the file is damaged.
    """
    if cell_type is None:
        return content["segmentation"]
    own = content.get(KEY, {})
    if not isinstance(own, Mapping):
        raise made_files.damaged(where, TypeError(f"{KEY} holds no settings by cell type"))
    name = livecell_names.official_cell_type(cell_type)
    if name not in own:
        known = f"It has those of {', '.join(sorted(own))}."
        if not own:
            known = "Name a threshold search with `by: cell-type` under apply.tuning."
        raise UserError(
            f"apply.cell_type: {where} has no thresholds of cell type '{cell_type}'. {known} "
            "Leave cell_type at null to use those of all."
        )
    return own[name]


def value_of_all(settings: Sequence[Mapping]) -> dict:
    """Each setting where all have the same value, None where they differ."""
    first, *others = settings
    return {
        key: value if all(one.get(key) == value for one in others) else None
        for key, value in first.items()
    }
