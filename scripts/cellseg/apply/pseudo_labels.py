"""The cells that a run finds in unlabelled images, as labels to train on.

A cell below the floor of confidence is not learnt, and its pixels are then background. Targets have
no pixels that a loss leaves out, so images in which such cells cover much are left out as a whole.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import pandas as pd

from cellseg.apply import geojson, pictures
from cellseg.data import annotation_tables, livecell_names, local_images, true_cells
from cellseg.errors import UserError
from cellseg.images.reading import Picture
from cellseg.inference import members
from cellseg.io import atomic, csv_file, made_files, run_format
from cellseg.io.wording import number_of
from cellseg.segmentation import confidence, of_image
from cellseg.training import provenance, pseudo_labels
from cellseg.training.start import CHAIN

if TYPE_CHECKING:
    from cellseg.training.family import Family

COLUMNS = ("image", "cells", "sure_cells", "unsure_share", "used", "why")
"""Of images.csv: one row an unlabelled image.

cells are those that the run found, sure_cells those of them that are confident enough. unsure_share
is the share of the others of the pixels of all cells. why says why an image is not used.
"""

PICTURES, IN_A_ROW = 9, 3


class Floor(NamedTuple):
    """What cells and images must have to be learnt; see ``pseudo_labels`` in the schema."""

    confidence: float
    max_unsure: float
    min_cells: int


class Chosen(NamedTuple):
    """The cells of an image that are learnt.

    Attributes
    ----------
    labels : ndarray of shape (H, W), int32; the learnt cells, 1..n
    others : ndarray of the same shape; the other cells, 1..m
    unsure_share : of the pixels of all cells, that of the others; 0 without cells
    """

    labels: np.ndarray
    others: np.ndarray
    unsure_share: float

    @property
    def n_cells(self) -> int:
        """Number of cells that are learnt."""
        return int(self.labels.max(initial=0))


def choose(labels: np.ndarray, scores: np.ndarray, floor: float) -> Chosen:
    """Split the cells of an image by their confidence.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32; cells 1..n
    scores : ndarray of shape (n,), float64
    floor : least score of a cell to learn
    """
    sure = scores >= floor
    pixels = confidence.areas(labels)
    unsure = int(pixels[~sure].sum())
    both = [_numbered(labels, chosen) for chosen in (sure, ~sure)]
    return Chosen(*both, unsure / max(int(pixels.sum()), 1))


def _numbered(labels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The chosen cells alone, numbered from 1."""
    numbers = np.concatenate([[0], np.cumsum(chosen) * chosen]).astype(np.int32)
    return numbers[labels]


def write(
    settings: Mapping,
    folder: Path,
    segmentation: Mapping,
    prediction: Mapping,
    load_family: Callable[[Mapping], "Family"],
    about: Mapping,
    images: Sequence[Path],
    root: Path,
    known: Sequence[str],
    floor: Floor,
    outputs: Mapping[str, str],
    threads: int,
) -> None:
    """Find the cells of unlabelled images, and write those that are learnt.

    Parameters
    ----------
    settings : of the run that finds them
    folder : holds its weights
    segmentation : settings of a segmentation, see :mod:`cellseg.segmentation.methods`
    prediction : see :func:`cellseg.inference.run.predict`
    load_family : from the model's settings to the module of its family
    about : of :func:`about`
    images : files; those that cannot be read are left out
    root : folder of the images, which their names leave out
    known : image tables of the data set, whose images are left out where they are among these
    floor : what is learnt
    outputs : paths of ``images`` (image table), ``labels`` and ``cells`` (npz), ``table``,
        ``about`` and ``picture``

    Raises
    ------
    UserError
        There is no image, or none is left to learn from.
    """
    if not images:
        raise UserError(
            f"{pseudo_labels.KEY}.images: {root} holds no images. Put the unlabelled images there, "
            "or correct the path."
        )
    labelled = _labelled(known)
    family = load_family(settings["model"])
    family.set_threads(threads)
    rows, used, drawn = [], [], []
    shown = set(np.linspace(0, len(images) - 1, min(PICTURES, len(images))).round().tolist())
    with (
        ExitStack() as opened,
        atomic.stack_writer(outputs["labels"]) as write_labels,
        atomic.stack_writer(outputs["cells"]) as write_cells,
    ):
        find = of_image.finder(
            settings, segmentation, prediction, family, folder,
            by=lambda *of_run: opened.enter_context(members.predictor(*of_run)),
        )  # fmt: skip
        for number, path in enumerate(images):
            name = livecell_names.shown(path.relative_to(root))
            grey, digest, why = _readable(path, labelled)
            if grey is None:
                rows.append((name, 0, 0, 0.0, False, why))
                continue
            labels, scores = find(grey)
            chosen = choose(labels, scores, floor.confidence)
            why = lacks(chosen, floor)
            counts = len(scores), chosen.n_cells, chosen.unsure_share
            rows.append((name, *counts, not why, why))
            if number in shown:
                drawn.append(_picture(grey, chosen, name, why))
            if why:
                continue
            key = pseudo_labels.key(name)
            write_labels(key, chosen.labels)
            for member, array in true_cells.arrays(key, true_cells.of_labels(chosen.labels)):
                write_cells(member, array)
            used.append(_row(key, len(used), path, digest, chosen))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    n_cells = sum(row["n_cells"] for row in used)
    print(
        f"{number_of(n_cells, 'cell')} on {len(used)} of {number_of(len(images), 'image')} are "
        "learnt.", *_left_out(table), sep="\n",
    )  # fmt: skip
    if not used:
        raise UserError(
            f"none of the {len(images)} images of {root} is left to learn from: "
            f"{'; '.join(_left_out(table))} Lower {pseudo_labels.KEY}.confidence or raise "
            "max_unsure, or train the run that finds the cells for longer."
        )
    empty = {column: None for column in annotation_tables.IMAGE_SCHEMA.names}
    annotation_tables.write_images(outputs["images"], pd.DataFrame([empty | row for row in used]))
    csv_file.write(outputs["table"], table, digits=4)
    with atomic.replacing(outputs["picture"]) as temporary:
        temporary.write_bytes(_sheet(drawn))
    atomic.write_json(
        outputs["about"],
        {**about, "images": len(used), "cells": n_cells, "unlabelled_images": len(images)},
    )


def about(run: Mapping, kind: str, provenance_of_run: str, folder: str, floor: Floor) -> dict:
    """What the provenance of a run says of pseudo-labels, but for their numbers.

    Parameters
    ----------
    run : dataset, model, heads, subset and seed of the run that finds the cells
    kind : of its data set
    provenance_of_run : path of its provenance.json
    folder : of the unlabelled images
    """
    record = made_files.read_json(provenance_of_run, "train_images")
    more = {key: record[key] for key in (CHAIN, pseudo_labels.KEY) if key in record}
    return {"run": {**run, "kind": kind, "train_images": len(record["train_images"]), **more},
            "folder": folder, **floor._asdict()}  # fmt: skip


def settings_of_run(path: str) -> dict:
    """Settings of the run that finds the cells."""
    return run_format.read(path, *provenance.SETTINGS)


def _labelled(tables: Sequence[str]) -> dict[str, str]:
    """The split of each image of a data set, by the digest of its file."""
    found: dict[str, str] = {}
    for path in tables:
        table = made_files.read_parquet(path, columns=["sha256", "split"])
        found |= dict(zip(table["sha256"], table["split"], strict=True))
    return found


def _readable(path: Path, labelled: Mapping[str, str]) -> tuple[np.ndarray | None, str, str]:
    """Grey values and digest of an image; or None, any digest, and why it is left out."""
    if not livecell_names.printable(path):
        return None, "", "name is not UTF-8 text"
    try:
        digest = local_images.content(path)
        if digest in labelled:
            return None, digest, f"in the {labelled[digest]} split of the data set"
        return Picture(path).read(), digest, ""
    except UserError as error:
        print(error, flush=True)
        return None, "", "cannot be read"


def lacks(chosen: Chosen, floor: Floor) -> str:
    """Why an image is not learnt from; empty if it is."""
    if chosen.n_cells < floor.min_cells:
        return "too few sure cells"
    return "too many unsure cells" if chosen.unsure_share > floor.max_unsure else ""


def _row(key: str, order: int, path: Path, digest: str, chosen: Chosen) -> dict:
    """Of the image table."""
    height, width = chosen.labels.shape
    return {
        "image": key, "image_id": order, "split": pseudo_labels.SPLIT, "order": order,
        "path": str(path), "cell_type": livecell_names.NO_TYPE, "height": height, "width": width,
        "n_cells": chosen.n_cells, "incomplete": False, "sha256": digest,
    }  # fmt: skip


def _left_out(table: pd.DataFrame) -> list[str]:
    """A line for each reason for which images are left out."""
    counts = table.loc[~table["used"], "why"].value_counts()
    return [f"Left out: {number_of(n, 'image')}, {why}." for why, n in counts.items()]


def _picture(grey: np.ndarray, chosen: Chosen, name: str, why: str) -> np.ndarray:
    """An image with its cells, (H, W, 3) uint8, blue, green and red, its name and fate below."""
    outlines = [geojson.of_cells(labels) for labels in (chosen.labels, chosen.others)]
    picture = pictures.drawn(grey, *outlines)
    picture = cv2.copyMakeBorder(picture, 0, 24, 0, 0, cv2.BORDER_CONSTANT, value=(255,) * 3)
    said = f"{name[-40:]}: {why or number_of(chosen.n_cells, 'cell')}"
    said = said.encode("ascii", "replace").decode()  # OpenCV's font has no other letters
    place = 4, len(picture) - 7
    return cv2.putText(picture, said, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0, 1, cv2.LINE_AA)


def _sheet(pictures: Sequence[np.ndarray]) -> bytes:
    """Pictures in rows, as JPEG."""
    if not pictures:  # none of the shown images could be read
        pictures = [np.full((24, 24, 3), 255, np.uint8)]
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    columns = min(IN_A_ROW, len(pictures))
    shape = math.ceil(len(pictures) / columns) * (height + 8), columns * (width + 8), 3
    sheet = np.full(shape, 255, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + 8), number % columns * (width + 8)
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
