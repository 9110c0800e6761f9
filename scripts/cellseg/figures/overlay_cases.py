"""Which images of a run an overlay shows, and where their maps and labels come from."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg.errors import UserError
from cellseg.figures import conditions
from cellseg.figures.overlay import Case

if TYPE_CHECKING:
    import pandas as pd

CHANNELS = "__channels__"
# What the watershed uses first comes first (head and channel).
MARKERS = ("inner-distance/0", "outer-distance/0", "pixelwise/1", "fgbg/1")
INTERIOR = ("pixelwise/1", "fgbg/1", "outer-distance/0", "inner-distance/0")

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
    maps : npz of ``<image>`` (H, W, C) and the channels' names in ``__channels__``
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

    scores = conditions.read_table(metrics)
    conditions.need(scores, Path(metrics).stem, ["image", "f1_50", "n_true", "n_pred"])
    paths = pd.read_parquet(images, columns=["image", "path"]).set_index("image")["path"]
    cases = []
    with np.load(maps) as all_maps, np.load(truth) as true, np.load(prediction) as predicted:
        channels = [str(name) for name in _member(all_maps, CHANNELS, maps)]
        for rank, row in choose(scores, count):
            if row.image not in paths.index:
                raise UserError(f"{images} has no image '{row.image}'; rerun the parse rule.")
            stack = _member(all_maps, row.image, maps)
            cases.append(
                Case(
                    heading=heading(rank, row),
                    image=image_files.read(paths[row.image]),
                    truth=_member(true, row.image, truth),
                    prediction=_member(predicted, row.image, prediction),
                    markers=_first(stack, channels, MARKERS),
                    interior=_first(stack, channels, INTERIOR),
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
        What the image is (best, median, …) and its row; fewer than `count` if there are fewer.
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
    return [(_rank(position, number), rows[position]) for position in positions]


def _rank(position: int, number: int) -> str:
    if number == 1:
        return "Only image"
    names = {0: "Best", number - 1: "Worst"}
    if number > 2 and position in ((number - 1) // 2, number // 2):
        return "Median"
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


def _first(
    stack: np.ndarray, channels: Sequence[str], wanted: Sequence[str]
) -> tuple[str, np.ndarray] | None:
    for name in wanted:
        if name in channels:
            array = np.asarray(stack[..., channels.index(name)], np.float32)
            return name.split("/")[0], np.nan_to_num(array)
    return None


def _member(archive: "np.lib.npyio.NpzFile", name: str, path: str | Path) -> np.ndarray:
    if name not in archive:
        raise UserError(f"{path} has no '{name}'; delete it and rerun the rule that makes it.")
    return archive[name]
