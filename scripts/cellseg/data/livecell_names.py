"""What a LIVECell file name says, and which images are known to be annotated in part only."""

import re
from pathlib import PurePath

from cellseg.errors import UserError

CELL_TYPES = ("A172", "BT474", "BV2", "Huh7", "MCF7", "SHSY5Y", "SkBr3", "SKOV3")

# Named in issue 21 of the repository sartorius-research/LIVECell, where "_Phase_" is left out.
INCOMPLETE = (
    "A172_D7_1_01d20h00m_1",
    "A172_A7_1_01d04h00m_3",
    "BT474_B3_1_03d00h00m_3",
    "BV2_A4_2_00d00h00m_1",
    "BV2_A4_2_02d04h00m_3",
    "BV2_C4_1_01d16h00m_3",
    "BV2_D4_1_00d12h00m_2",
    "SHSY5Y_D10_1_01d16h00m_4",
    "SkBr3_H3_2_00d00h00m_1",
)

# <CellType>_Phase_<Well>_<Position>_<Time>_<Crop>, the time as 02d16h00m
_NAME = re.compile(
    r"(?P<cell_type>[^_]+)_Phase_(?P<well>[A-Za-z]+\d+)_(?P<position>\d+)"
    r"_(?P<days>\d+)d(?P<hours>\d+)h(?P<minutes>\d+)m_(?P<crop>\d+)"
)
# Folders that say how a data set is stored, not what is on its images.
_STORAGE = re.compile(r"(images?|pictures|train\w*|val\w*|test\w*|livecell_\w+)", re.IGNORECASE)
PARTS = ("well", "position", "hours", "crop")
_OFFICIAL = {name.lower(): name for name in CELL_TYPES}


def printable(path: PurePath) -> bool:
    """Whether a name can be written into tables: it is text in the encoding of the disk."""
    return re.search(r"[\ud800-\udfff]", str(path)) is None


def shown(path: PurePath) -> str:
    """A name as it can be printed, whatever its bytes."""
    return str(path).encode(errors="backslashreplace").decode()


def refuse_unprintable(path: PurePath) -> None:
    """Stop at a file of a data set whose name cannot be written into tables.

    Raises
    ------
    UserError
        The name is no UTF-8 text.
    """
    if not printable(path):
        raise UserError(f"the name of {shown(path)} is not UTF-8 text. Rename the file.")


NO_TYPE = "cells"
"""Cell type of images of which neither annotations nor folder nor name say one."""


def official_cell_type(name: str) -> str:
    """Spell a cell type as LIVECell does: ``sk-ov-3`` becomes ``SKOV3``; others stay."""
    return _OFFICIAL.get(re.sub(r"[-_ ]", "", name).lower(), name)


def cell_type(path: PurePath, root: PurePath) -> str:
    """Cell type of an image: from its name, else the folder below `root`, else none."""
    prefix, phase, _ = path.stem.partition("_Phase_")
    if phase:
        return official_cell_type(prefix)
    parent = path.parent
    if parent == root or _STORAGE.fullmatch(parent.name):
        return NO_TYPE
    return official_cell_type(parent.name)


def parts(stem: str) -> dict[str, str | int | float | None]:
    """Well, position, hours since the start and crop of an image; None where the name has none.

    Examples
    --------
    >>> parts("A172_Phase_C7_1_02d16h00m_2")
    {'well': 'C7', 'position': 1, 'hours': 64.0, 'crop': 2}
    """
    match = _NAME.fullmatch(stem)
    if match is None:
        return dict.fromkeys(PARTS)
    days, hours, minutes = (int(match[unit]) for unit in ("days", "hours", "minutes"))
    return {
        "well": match["well"],
        "position": int(match["position"]),
        "hours": days * 24 + hours + minutes / 60,
        "crop": int(match["crop"]),
    }


def is_incomplete(stem: str) -> bool:
    """Whether the image is known to have cells that nobody outlined."""
    return stem.replace("_Phase_", "_") in INCOMPLETE
