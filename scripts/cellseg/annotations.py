"""Annotation tables: which images a data set has, and which cells are outlined on them."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg import cell_tables, coco, image_names, images, label_images
from cellseg.errors import UserError
from cellseg.files import replacing
from cellseg.source import SPLITS

POLICIES = ("as-published", "deduplicated")
EVALUATION_FIRST = ("test", "val", "train")

PROBLEM_COLUMNS = ["split", "problem", "image", "image_id", "cells", "action"]


def parse(source: Mapping, folder: str | os.PathLike, policy: str = "deduplicated") -> None:
    """Write the tables of all splits and ``problems.csv`` into `folder`.

    Parameters
    ----------
    source : description of a data set, see :mod:`cellseg.source`
    folder : where the tables go
    policy : what happens to images that are listed more than once

        - ``as-published``: all are kept. The second of a split is called ``<name>~<image_id>``.
        - ``deduplicated``: of an image that is listed twice in one split the entry with the most
          cells is kept (of equals, that with the lowest id). An image listed in several splits
          stays in the first of test, validation, training, so that nothing is scored that was
          trained on.

    Raises
    ------
    UserError
        A file is missing, broken or not in the COCO format; or images are listed that the folder
        does not hold, unless ``source["missing_images"]`` is ``"drop"``.
    """
    if policy not in POLICIES:
        raise UserError(f"duplicate policy '{policy}' is not one of {', '.join(POLICIES)}.")
    root = Path(source["images"])
    files = _image_files(root)
    taken: dict[str, str] = {}  # path of an image -> the split that listed it before
    problems: list[dict] = []
    for split in EVALUATION_FIRST:
        table, cells = _read_split(source, split)
        print(f"{split}: {len(table)} images listed, {len(cells.areas)} cells", flush=True)
        found = _Problems(split, problems, table)
        found.of_cells(cells)
        table = _with_files(table, files, root, source, found)
        counts = pd.Series(np.frombuffer(cells.image_ids, np.int64)).value_counts()
        table["n_cells"] = table["image_id"].map(counts).fillna(0).astype(int)
        table = _resolve(table, taken, policy, found)
        table = _describe(table, split, root)
        found.add("image without cells", table[table["n_cells"] == 0], "kept")
        found.add("known to be incomplete", table[table["incomplete"]], "kept")
        cell_tables.write_images(Path(folder) / f"{split}.images.parquet", table)
        cell_tables.write_cells(Path(folder) / f"{split}.cells.parquet", cells.table(), table)
    order = {split: rank for rank, split in enumerate(SPLITS)}
    rows = sorted(problems, key=lambda row: order[row["split"]])
    with replacing(Path(folder) / "problems.csv") as temporary:
        pd.DataFrame(rows, columns=PROBLEM_COLUMNS).to_csv(temporary, index=False)


class _Problems:
    """Collects what is wrong with a split, a row per kind and image."""

    def __init__(self, split: str, rows: list[dict], table: pd.DataFrame) -> None:
        self.split, self.rows = split, rows
        self.names = dict(zip(table["image_id"], table["image"], strict=True))

    def add(self, problem: str, table: pd.DataFrame, action: str) -> None:
        """Note images; `cells` is how many cells each of them has."""
        for row in table.itertuples():
            self._row(problem, row.image, row.image_id, getattr(row, "n_cells", 0), action)

    def of_cells(self, cells: coco.Cells) -> None:
        """Note what is wrong with single cells; `cells` is how many of the image."""
        leaving, outside = cells.beyond_frame()
        for problem, counts, action in (
            ("cell of an unlisted image", cells.unknown, "dropped"),
            ("outline without area", cells.degenerate, "dropped"),
            ("outline with a part without area", cells.reduced, "part dropped"),
            ("cell partly outside the frame", leaving, "kept"),
            ("cell outside the frame", outside, "kept"),
        ):
            for image_id, count in sorted(counts.items(), key=lambda item: str(item[0])):
                self._row(problem, self.names.get(image_id, ""), image_id, count, action)

    def _row(self, problem: str, image: str, image_id: int, cells: int, action: str) -> None:
        values = (self.split, problem, image, image_id, cells, action)
        self.rows.append(dict(zip(PROBLEM_COLUMNS, values, strict=True)))


def _read_split(source: Mapping, split: str) -> tuple[pd.DataFrame, coco.Cells]:
    """Images of a split as listed, and its cells; both empty when the data set lacks the split."""
    if split in source.get("labels", {}):
        listed, cells = label_images.read(Path(source["labels"][split]))
    elif split in source.get("annotations", {}):
        listed = coco.read_images(source["annotations"][split])
        cells = coco.read_cells(source["annotations"][split], listed)
    else:
        listed, cells = [], coco.Cells({})
    table = pd.DataFrame(listed, columns=["id", "file_name", "height", "width"])
    table = table.rename(columns={"id": "image_id"})
    table["order"] = range(len(table))
    table["image"] = [Path(name).stem for name in table["file_name"]]
    return table, cells


def _image_files(root: Path) -> dict[str, list[Path]]:
    """Image files below `root` by path below it, by name and by name without suffix."""
    found: dict[str, list[Path]] = {}
    for path in images.find(root, images.SUFFIXES):
        for name in sorted({path.relative_to(root).as_posix(), path.name, path.stem}):
            found.setdefault(name, []).append(path)
    if not found:
        raise UserError(f"{root} holds no images ({', '.join(images.SUFFIXES)}).")
    return found


def _with_files(
    table: pd.DataFrame, files: dict, root: Path, source: Mapping, found: _Problems
) -> pd.DataFrame:
    """Add the path of every image; drop or refuse the images that have none."""
    paths = []
    for name in table["file_name"]:
        pure = Path(name)
        candidates = files.get(name) or files.get(pure.name) or files.get(pure.stem) or [None]
        if len(candidates) > 1:
            raise UserError(
                f"the image {name} is there more than once: {candidates[0]} and {candidates[1]}. "
                "Keep one of them."
            )
        paths.append(candidates[0])
    table = table.assign(path=[path and str(path) for path in paths])
    missing = table["path"].isna()
    if missing.any() and source.get("missing_images", "error") == "error":
        first = ", ".join(table.loc[missing, "file_name"].head(3))
        raise UserError(
            f"{missing.sum()} of {len(table)} images of the {found.split} split are not below "
            f"{root}: {first}{', …' if missing.sum() > 3 else ''}. Put them there, or set "
            "'missing_images: drop' for this data set to go on without them."
        )
    found.add("missing image file", table[missing], "dropped")
    return table[~missing]


def _resolve(table: pd.DataFrame, taken: dict, policy: str, found: _Problems) -> pd.DataFrame:
    """Apply the duplicate policy; give every row that stays a key of its own."""
    best = table.sort_values(["n_cells", "image_id"], ascending=[False, True])
    repeated = table["path"].duplicated(keep=False)
    keep = table.index.isin(best.drop_duplicates("path").index)
    elsewhere = table["path"].isin(taken)
    if policy == "as-published":
        found.add("listed twice in a split", table[repeated], "kept")
        found.add("listed in several splits", table[elsewhere], "kept")
    else:
        found.add("listed twice in a split", table[repeated & keep], "kept")
        found.add("listed twice in a split", table[~keep], "dropped")
        found.add("listed in several splits", table[keep & elsewhere], "dropped")
        table = table[keep & ~elsewhere]
    taken.update(dict.fromkeys(table["path"], found.split))
    rows = zip(table["image"], table["image_id"], table["image"].duplicated(), strict=True)
    keys = [f"{name}~{image_id}" if second else name for name, image_id, second in rows]
    return table.assign(image=keys)


def _describe(table: pd.DataFrame, split: str, root: Path) -> pd.DataFrame:
    """Add what the file names say."""
    paths = [Path(path) for path in table["path"]]
    named = [image_names.parts(path.stem) for path in paths]
    return table.assign(
        split=split,
        cell_type=[image_names.cell_type(path, root) for path in paths],
        incomplete=np.array([image_names.is_incomplete(path.stem) for path in paths], bool),
        **{
            name: [parts[name] for parts in named] for name in ("well", "position", "hours", "crop")
        },
    )
