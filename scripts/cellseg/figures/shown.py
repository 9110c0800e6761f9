"""Which images of runs are shown, from the best to the worst, and their label images."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg.errors import UserError
from cellseg.io import made_files
from cellseg.tables import conditions

if TYPE_CHECKING:
    import pandas as pd

    from cellseg.images.reading import Picture


def choose(scores: "pd.DataFrame", count: int, score: str = "f1_50") -> list[tuple[str, object]]:
    """Pick images evenly from the best score to the worst.

    Parameters
    ----------
    scores : rows with ``image``, ``small_objects`` and `score`; images without a score are left
        out unless no image has one

    Returns
    -------
    list of tuple of str and row
        What the image is and its row; fewer than `count` if there are fewer. The first is the
        best, the last the worst, the middle one of an odd number the median, and others have
        their rank.
    """
    if count < 1:
        raise UserError(f"an overlay shows at least one image, not {count}.")
    if "small_objects" in scores:
        scores = scores[scores["small_objects"] == conditions.PRIMARY]
    scored = scores[scores[score].notna()]
    scored = scored if len(scored) else scores
    ranked = scored.sort_values([score, "image"], ascending=[False, True], kind="stable")
    number = len(ranked)
    if number == 0:
        raise UserError("no image of the run was scored, so there is nothing to show.")
    count = min(count, number)
    # One image alone is the median, the one that flatters least and warns least.
    positions = (
        [(number - 1) // 2]
        if count == 1
        else [round(i * (number - 1) / (count - 1)) for i in range(count)]
    )
    rows = list(ranked.itertuples(index=False))
    return [
        (_rank(place, count, position, number), rows[position])
        for place, position in enumerate(positions)
    ]


def _rank(place: int, count: int, position: int, number: int) -> str:
    """Name of the image shown at `place` of `count`, which is at `position` of `number`."""
    if number == 1:
        return "Only image"
    if 2 * place + 1 == count:
        return "Median"
    names = {0: "Best", number - 1: "Worst"}
    return names.get(position, f"Rank {position + 1} of {number}")


def labels_of(archive: "np.lib.npyio.NpzFile", image: str, path: str | Path) -> np.ndarray:
    """Label image of an open npz at `path`; UserError where there is none."""
    if image not in archive:
        raise UserError(f"{path} has no '{image}'; delete it and rerun the rule that makes it.")
    return archive[image]


def pictures_of(table: str | Path) -> "dict[str, Picture]":
    """Picture of each image, by its name, from the Parquet table of a split."""

    from cellseg.data import annotation_tables

    images = made_files.read_parquet(table)
    return dict(zip(images["image"], annotation_tables.pictures(images), strict=True))


def picture(pictures: "dict[str, Picture]", image: str, table: str | Path) -> np.ndarray:
    """Read an image, ndarray of shape (H, W), uint8; UserError where `table` has none."""
    if image not in pictures:
        raise UserError(f"{table} has no image '{image}'; rerun the parse rule.")
    return pictures[image].read()
