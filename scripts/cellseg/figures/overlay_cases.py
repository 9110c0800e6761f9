"""Which images of a run an overlay shows, and where their maps and labels come from."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg import channels, map_store, score_tables
from cellseg.errors import UserError
from cellseg.figures import conditions
from cellseg.figures.overlay import Case

if TYPE_CHECKING:
    import pandas as pd

NOTE = (
    "Images are spread evenly from the best F1 at IoU 0.5 to the worst of the run, small objects "
    f"{conditions.PRIMARY}. Second line: the framed part, which holds the most true cells, "
    "enlarged three times. Scale bars in pixels."
)


def load(
    maps: str | Path,
    truth: str | Path,
    prediction: str | Path,
    metrics: str | Path,
    images: str | Path,
    count: int = 3,
) -> list[Case]:
    """Cases of one run from the workflow's files.

    Parameters
    ----------
    maps : of :mod:`cellseg.map_store`
    truth, prediction : npz of label images by image
    metrics : CSV, one row an image and treatment of small objects
    images : Parquet table with ``image``, ``path`` and ``cell_type``
    count : number of images

    Raises
    ------
    UserError
        An image is missing from one of the files.
    """
    import pandas as pd

    from cellseg import images as image_files

    scores = score_tables.read(metrics, ["image", "f1_50", "n_true", "n_pred"])
    paths = pd.read_parquet(images, columns=["image", "path"]).set_index("image")["path"]
    cases = []
    store = map_store.open(maps)
    heads = [name.split("/")[0] for name in store.channels]
    with np.load(truth) as true, np.load(prediction) as predicted:
        marker, mask = channels.marker_head(heads), channels.mask_head(heads)
        for rank, row in choose(scores, count):
            if row.image not in paths.index:
                raise UserError(f"{images} has no image '{row.image}'; rerun the parse rule.")
            found = store.read(row.image)
            cases.append(
                Case(
                    heading=heading(rank, row),
                    image=image_files.read(paths[row.image]),
                    truth=_member(true, row.image, truth),
                    prediction=_member(predicted, row.image, prediction),
                    markers=_map(found, marker),
                    interior=_map(found, mask),
                )
            )
    return cases


def choose(scores: "pd.DataFrame", count: int) -> list[tuple[str, object]]:
    """Pick images evenly from the best F1 at IoU 0.5 to the worst.

    Parameters
    ----------
    scores : rows with ``image``, ``small_objects`` and ``f1_50``; images without a score are left
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
    scored = scores[scores["f1_50"].notna()]
    scored = scored if len(scored) else scores
    ranked = scored.sort_values(["f1_50", "image"], ascending=[False, True], kind="stable")
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


def heading(rank: str, row: object) -> str:
    """What is written above an image: name, cell type, numbers of cells, score."""
    kind = getattr(row, "cell_type", None)
    parts = [
        f"{rank}: {row.image}",
        *([kind] if isinstance(kind, str) else []),
        f"{row.n_true:,.0f} true, {row.n_pred:,.0f} predicted cells",
        f"F1 at IoU 0.5 = {row.f1_50:.2f}" if row.f1_50 == row.f1_50 else "F1 not defined",
    ]
    return " · ".join(parts)


def _map(maps: dict, head: str | None) -> tuple[str, np.ndarray] | None:
    """Name of a head and its map, as the watershed used it."""
    if head is None:
        return None
    channel, *_ = channels.USED[head]
    return head, maps[head][channel]


def _member(archive: "np.lib.npyio.NpzFile", name: str, path: str | Path) -> np.ndarray:
    if name not in archive:
        raise UserError(f"{path} has no '{name}'; delete it and rerun the rule that makes it.")
    return archive[name]
