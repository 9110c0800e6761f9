"""A kind of data set that only tests have: checkerboards, whose every other square is a cell.

It imports what the modules in ``cellseg/data/kinds`` do, so that a test may put it there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cellseg.data.kinds.source import Images, Source
from cellseg.data.splits import SPLITS
from cellseg.errors import UserError

PATTERN = "https://boards.example/pattern.txt"


class Checkerboard(Source):
    """One image a split, of 16 squares; every other one is a cell."""

    def check(self, where: str, entry: Mapping) -> None:
        if entry["side"] % 4:
            raise UserError(f"{where}.side: {entry['side']} pixels do not make four squares.")

    def cell_types(self, entry: Mapping) -> Sequence[str]:
        return ("squares",)

    def images(self, entry: Mapping) -> dict[str, Images]:
        return dict.fromkeys(SPLITS, Images(1, self.pixels(entry), 8))

    def pixels(self, entry: Mapping) -> int:
        return entry["side"] ** 2

    def space(self, entry: Mapping, images: Mapping[str, Images]) -> float:
        return sum(3 * some.pixels for some in images.values())

    def lacking(self, entry: Mapping, folder: Path) -> list[tuple[str, Path]]:
        return [(PATTERN, folder / "pattern.txt")]


SOURCE = Checkerboard(
    rule="draw_checkerboard",
    settings=("side",),
    label="checkerboards",
    licence="checkerboards: free for all.",
    spdx="CC0-1.0",
    needs_internet=True,
)


def write(dataset: str, folder: Path, side: int) -> dict:
    """Write images and label images; returns what belongs into ``source.json``."""
    import numpy as np
    import tifffile

    square = np.add.outer(*[np.arange(side) * 4 // side] * 2)
    number = np.add.outer(*(np.arange(side) * 4 // side * step for step in (4, 1))) + 1
    labels = np.where(square % 2, 0, number).astype(np.uint8)
    for split in SPLITS:
        for path, values in (
            (folder / f"images/squares/{split}.tif", np.where(labels, 60, 200).astype(np.uint8)),
            (folder / f"labels/{split}/{split}.tif", labels),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, values)
    return {
        "dataset": dataset,
        "images": str(folder / "images"),
        "labels": {split: str(folder / "labels" / split) for split in SPLITS},
    }


def add_to(schema: dict) -> None:
    """Add the lines of this kind to the schema of the configuration."""
    schema["$defs"]["checkerboard"] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind"],
        "properties": {
            "kind": True,
            "side": {"description": "Pixels.", "type": "integer", "default": 64},
            **{name: {"$ref": f"#/$defs/{name}"} for name in ("duplicates", "overlap_policy")},
        },
    }
    dataset = schema["$defs"]["dataset"]
    dataset["properties"]["kind"]["enum"].append("checkerboard")
    when = {"properties": {"kind": {"const": "checkerboard"}}, "required": ["kind"]}
    dataset["allOf"].append({"if": when, "then": {"$ref": "#/$defs/checkerboard"}})
