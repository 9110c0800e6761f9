"""Annotation tables: which images a data set has, and which cells are outlined on them."""

import itertools
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellseg.data import (
    annotation_tables,
    checks,
    coco,
    label_checks,
    label_folder,
    livecell_names,
    local_images,
)
from cellseg.data.coco_cells import Cells
from cellseg.data.image_files import ImageFiles
from cellseg.data.problems import Problems, write
from cellseg.errors import UserError
from cellseg.images import reading
from cellseg.images.decoded import Part
from cellseg.io.wording import number_of
from cellseg.runtime.parallel import ordered_map

DUPLICATES = ("drop", "keep")
EVALUATION_FIRST = ("test", "val", "train")


def parse(
    source: Mapping, folder: str | os.PathLike, duplicates: str = "drop", threads: int = 1
) -> None:
    """Write the tables of all splits and ``problems.csv`` into `folder`.

    Parameters
    ----------
    source : description of a data set, see :mod:`cellseg.data.sources`
    folder : where the tables go
    duplicates : what happens to images that are listed more than once

        - ``keep``: all are kept.
        - ``drop``: of an image that is listed twice in one split the entry with the most
          cells is kept (of equals, that with the lowest id). An image listed in several splits
          stays in the first of test, validation, training, so that nothing is scored that was
          trained on. Images are the same if they are the same file, whatever its name.

    threads : that read the images, to see that all can be used

    Notes
    -----
    An image is called by the stem of its file. Where files of several folders share a stem, or one
    is kept more than once, the second and later ones are called ``<stem>~<image_id>``, and
    ``<stem>~<image_id>~<split>`` where that is taken too. The keys are unique over all splits,
    since training pools the tiles of training and validation and selects them by key; test images
    come first and so keep their names longest. No key ends in ``.npy``.

    Raises
    ------
    UserError
        A file is missing, broken or not in the COCO format; images are listed that the folder
        does not hold, unless ``source["missing_images"]`` is ``"drop"``; no image of a split is
        left, or none of the cells that it lists; an image has crowd regions alone, unless
        ``source["crowds"]`` is ``"drop"`` (such images are left out) or ``"as-cells"`` (crowd
        regions are cells); label images hold no instances; or an image is broken, or of another
        size than its annotations.
    """
    if duplicates not in DUPLICATES:
        raise UserError(f"duplicates: '{duplicates}' is not one of {', '.join(DUPLICATES)}.")
    root = Path(source["images"])
    labels = label_folder.files([Path(path) for path in source.get("labels", {}).values()], root)
    files = ImageFiles(root, without=itertools.chain(*labels.values()))
    taken: dict[str, str] = {}  # file of an image -> the split that listed it before
    contents: set[str] = set()  # of earlier splits
    keys: set[str] = set()
    problems: list[dict] = []
    annotated: list[checks.Annotated] = []
    rows_read: list[tuple[Problems, Any]] = []
    for split in EVALUATION_FIRST:
        table, cells, pieces = _read_split(source, split, labels)
        listed = f"{number_of(len(table), 'image')} listed"
        print(f"{split}: {listed}, {number_of(len(cells.areas), 'cell')}", flush=True)
        where = {**source.get("annotations", {}), **source.get("labels", {})}.get(split)
        found = Problems(split, problems, table)
        apart = cells.apart_from_box()
        found.of_cells(cells, apart)
        found.of_labels(pieces)
        checks.report_crowds(split, where, cells)
        checks.report_boxes(split, where, apart.total(), len(cells.areas))
        table = _with_files(table, files, source, labels, found)
        counts = pd.Series(np.frombuffer(cells.image_ids, np.int64)).value_counts()
        table["n_cells"] = table["image_id"].map(counts).fillna(0).astype(int)
        resolved = _resolve(table, taken, duplicates, found)
        others = [taken[file] for file in table["file"] if file in taken]
        checks.refuse_no_images(
            split, where, found.n_listed, len(table), len(resolved), others, root
        )
        checks.refuse_no_cells(split, where, cells, resolved["n_cells"].sum())
        resolved = _without_emptied(resolved, cells, source.get("crowds", "error"), where, found)
        shared = resolved["file"].isin(taken).to_numpy()  # reported before
        taken.update(dict.fromkeys(table["file"], split))
        table = resolved.assign(image=_unique_keys(resolved, split, keys))
        table = _describe(table, split, root)
        # Threads, since hashing works without Python's lock and a disk may be far away.
        digests = ordered_map(local_images.content, table["path"], threads, processes=False)
        table["sha256"] = list(digests)
        copied = table[table["sha256"].isin(contents) & ~shared]
        found.add("copy of an image of another split", copied, "kept")
        checks.report_copies(split, copied["path"].tolist())
        contents.update(table["sha256"])
        table["channel"], table["page"] = source.get("channel"), source.get("page")
        annotated += [checks.Annotated(one, where) for one in annotation_tables.pictures(table)]
        rows_read += [(found, row) for row in table.itertuples()]
        found.add("image without cells", table[table["n_cells"] == 0], "kept")
        found.add("known to be incomplete", table[table["incomplete"]], "kept")
        annotation_tables.write_images(Path(folder) / f"{split}.images.parquet", table)
        annotation_tables.write_cells(Path(folder) / f"{split}.cells.parquet", cells.table(), table)
    seen = checks.refuse_unusable_images(annotated, threads)
    for (found, row), problem in zip(rows_read, seen, strict=True):
        if problem:
            found.of_image(row, *problem)
    write(problems, Path(folder) / "problems.csv")


def _read_split(
    source: Mapping, split: str, labels: Mapping[Path, list[Path]]
) -> tuple[pd.DataFrame, Cells, dict[int, label_checks.Pieces]]:
    """Images of a split as listed, its cells, and how label images hang together.

    All are empty when the data set lacks the split.
    """
    pieces: dict[int, label_checks.Pieces] = {}
    if split in source.get("labels", {}):
        folder = Path(source["labels"][split])
        part = Part(source.get("channel"), source.get("page"))
        listed, cells, pieces = label_folder.read(folder, labels[folder], part)
        label_checks.refuse_no_instances(folder, labels[folder], list(pieces.values()))
    elif split in source.get("annotations", {}):
        listed = coco.read_images(source["annotations"][split])
        as_cells = source.get("crowds") == "as-cells"
        cells = coco.read_cells(source["annotations"][split], listed, crowds_as_cells=as_cells)
    else:
        listed, cells = [], Cells({})
    table = pd.DataFrame(listed, columns=["id", "file_name", "height", "width", *coco.STATED])
    table = table.rename(columns={"id": "image_id"})
    table["order"] = range(len(table))
    table["image"] = [Path(name).stem for name in table["file_name"]]
    return table, cells, pieces


def _with_files(
    table: pd.DataFrame,
    files: ImageFiles,
    source: Mapping,
    labels: Mapping[Path, list[Path]],
    found: Problems,
) -> pd.DataFrame:
    """Add the path of every image; drop or refuse the images that have none."""
    folder = source.get("labels", {}).get(found.split)
    if folder is None:
        paths = [files.find(name) for name in table["file_name"]]
    else:
        paths = [label_folder.find_image(files, name, folder) for name in table["file_name"]]
        label_folder.refuse_two_of_one_image(Path(folder), table["file_name"], paths)
    table = table.assign(path=[path and str(path) for path in paths])
    missing = table["path"].isna()
    if missing.any() and source.get("missing_images", "error") == "error":
        first = ", ".join(table.loc[missing, "file_name"].head(3))
        names = (
            ""
            if folder is None
            else " A label image is named like its image, also with _labels, _masks or _cp_masks."
        )
        raise UserError(
            f"{missing.sum()} of {len(table)} images of the {found.split} split are not below "
            f"{files.root}: {first}{', …' if missing.sum() > 3 else ''}."
            f"{_in_other_formats(files.root, table.loc[missing, 'file_name'])}{names} Put them "
            "there, or set 'missing_images: drop' for this data set to continue without them."
        )
    found.add("missing image file", table[missing], "dropped")
    table = table[~missing]
    for path in table["path"]:
        livecell_names.refuse_unprintable(Path(path))
    if folder:
        label_folder.refuse_lossy(Path(folder), labels[Path(folder)], table["path"])
        label_folder.report_others(Path(folder), labels[Path(folder)], table["path"], files)
    # Links to one file are one image, files of one name in two folders are not.
    return table.assign(
        image=[Path(path).stem for path in table["path"]],
        file=[os.path.realpath(path) for path in table["path"]],
    )


def _in_other_formats(root: Path, names: Iterable[str]) -> str:
    """What to say of missing images that are there in a format that is not read."""
    wanted = {Path(name).stem for name in names}
    found = [path for path in reading.find(root, reading.OTHER_SUFFIXES) if path.stem in wanted]
    if not found:
        return ""
    return (
        f" {found[0].name} is there, but images must be {', '.join(reading.SUFFIXES)}: export it "
        "as TIFF."
    )


def _resolve(table: pd.DataFrame, taken: Mapping, duplicates: str, found: Problems) -> pd.DataFrame:
    """Keep or drop images that are listed more than once."""
    best = table.sort_values(["n_cells", "image_id"], ascending=[False, True])
    repeated = table["file"].duplicated(keep=False)
    keep = table.index.isin(best.drop_duplicates("file").index)
    elsewhere = table["file"].isin(taken)
    if duplicates == "keep":
        found.add("listed twice in a split", table[repeated], "kept")
        found.add("listed in several splits", table[elsewhere], "kept")
        return table
    found.add("listed twice in a split", table[repeated & keep], "kept")
    found.add("listed twice in a split", table[~keep], "dropped")
    found.add("listed in several splits", table[keep & elsewhere], "dropped")
    return table[keep & ~elsewhere]


def _without_emptied(
    table: pd.DataFrame, cells: Cells, crowds: str, where: str | None, found: Problems
) -> pd.DataFrame:
    """Leave out images all of whose annotations are left out: they would teach cells as background.

    Raises
    ------
    UserError
        Crowd regions are why, and `crowds` is ``"error"``.
    """
    bare = table["n_cells"] == 0
    crowded = bare & table["image_id"].isin(list(cells.crowd))
    without_outline = bare & ~crowded & table["image_id"].isin(list(cells.degenerate))
    if crowds == "error" and crowded.any():
        raise UserError(
            f"{where}: all annotations of {crowded.sum()} of {len(table)} {found.split} images are "
            "marked 'iscrowd: 1', regions of many cells (first image: "
            f"{table.loc[crowded, 'image'].iloc[0]}). CVAT marks every painted mask so. If each is "
            "one cell, set 'crowds: as-cells' for this data set. If not, 'crowds: drop' leaves out "
            "these images."
        )
    for which, problem in (
        (crowded, "all annotations are crowd regions"),
        (without_outline, "all annotations lack an outline"),
    ):
        if which.any():
            found.add(problem, table[which], "image dropped")
            print(
                f"{found.split}: {which.sum()} images are left out: {problem} "
                f"(first: {table.loc[which, 'image'].iloc[0]}).",
                flush=True,
            )
    return table[~crowded & ~without_outline]


def _unique_keys(table: pd.DataFrame, split: str, used: set[str]) -> list[str]:
    """A key for every image that no image of this or an earlier split has; they join `used`."""
    keys = []
    for stem, image_id in zip(table["image"], table["image_id"], strict=True):
        longest = f"{stem}~{image_id}~{split}"
        further = (f"{longest}~{number}" for number in itertools.count(2))
        names = itertools.chain((stem, f"{stem}~{image_id}", longest), further)
        # In an npz, 'a.npy' is also the name of the file of 'a'.
        names = (name for name in names if not name.lower().endswith(".npy"))
        keys.append(next(name for name in names if name not in used))
        used.add(keys[-1])
    return keys


def _describe(table: pd.DataFrame, split: str, root: Path) -> pd.DataFrame:
    """Add what the file names say, but for what the annotations do."""
    paths = [Path(path) for path in table["path"]]
    named = [livecell_names.parts(path.stem) for path in paths]
    types = [livecell_names.cell_type(path, root) for path in paths]
    wells = [parts["well"] for parts in named]
    return table.assign(
        split=split,
        cell_type=_told(table["cell_type"], types, livecell_names.official_cell_type),
        well=_told(table["well"], wells),
        incomplete=np.array([livecell_names.is_incomplete(path.stem) for path in paths], bool),
        **{name: [parts[name] for parts in named] for name in ("position", "hours", "crop")},
    )


def _told(
    given: Iterable[Any], otherwise: Iterable[Any], spelled: Callable[[str], str] = str
) -> list[Any]:
    """What annotations say of each image; else the other."""
    pairs = zip(given, otherwise, strict=True)
    return [spelled(one) if isinstance(one, str) else other for one, other in pairs]
