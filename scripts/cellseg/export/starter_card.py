"""The card of the starter network: what the shipped file is and what it scores."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg import starter
from cellseg.data import rasterize, sources
from cellseg.data.splits import SPLITS
from cellseg.errors import UserError
from cellseg.images import reading
from cellseg.io import atomic, exports, run_files
from cellseg.scoring.objects import score_image
from cellseg.segmentation.segmenter import Segmenter
from cellseg.simulate import variation
from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import simulate_frame

if TYPE_CHECKING:
    from cellseg.training.family import Family

LARGEST = 3_000_000
"""Bytes of the file: it is part of the repository."""
SCORES = ("msa", "f1_50", "n_true", "n_pred")
SIDE = 256
HOURS = (24, 72)
SEED = 2026
"""Of the fresh frames: no simulated data set draws with it."""


@dataclass(frozen=True)
class Picture:
    """An image with its true cells.

    Attributes
    ----------
    name, cell_type, split : of the image
    image : ndarray of shape (H, W), uint8
    labels : ndarray of shape (H, W), int32
    """

    name: str
    cell_type: str
    split: str
    image: np.ndarray
    labels: np.ndarray


def fresh(settings: Mapping) -> Iterator[Picture]:
    """Simulated frames that no network was trained on, two of each cell type.

    Parameters
    ----------
    settings : ``variation`` of a simulated data set
    """
    varied = variation.Variation.of(settings)
    for number, name in enumerate(sorted(CELL_TYPES)):
        for hours in HOURS:
            random = np.random.default_rng([SEED, number, hours])
            departure = variation.draw(CELL_TYPES[name], varied, random)
            frame = simulate_frame(departure.kind, hours, SIDE, SIDE, random, departure)
            polygons = [[outline.ravel().tolist()] for outline in frame.outlines]
            labels = rasterize.rasterize(polygons, SIDE, SIDE)
            yield Picture(f"{name}_{hours}h", name, "fresh", frame.image, labels)


def real(folder: Path) -> Iterator[Picture]:
    """All images of a folder in LIVECell's layout, with their annotated cells."""
    described = sources.official_layout("real", folder)
    paths = {path.name: path for path in sorted(Path(described["images"]).rglob("*.tif"))}
    for split in SPLITS:
        content = json.loads(Path(described["annotations"][split]).read_text(encoding="utf-8"))
        for record in sorted(content["images"], key=lambda one: one["file_name"]):
            name = record["file_name"]
            cells = [one["segmentation"] for one in content["annotations"]
                     if one["image_id"] == record["id"]]  # fmt: skip
            labels = rasterize.rasterize(cells, record["height"], record["width"])
            image = reading.read(paths[name])
            yield Picture(Path(name).stem, name.split("_")[0], split, image, labels)


def scores(
    export: Path,
    pictures: Iterator[Picture],
    load_family: Callable[[Mapping], "Family"],
    folder: Path,
    threads: int = 1,
) -> list[dict]:
    """Score an export on pictures, small objects kept.

    Parameters
    ----------
    folder : empty, for what is read of the export

    Returns
    -------
    list of dict
        name, cell_type and split of each picture, and :data:`SCORES`.
    """
    names = (run_files.WEIGHTS, run_files.SETTINGS, run_files.SEGMENTATION)
    exports.unpack(export, {name: name for name in names}, folder)
    run = dict(zip(("weights", "settings", "segmentation"), map(folder.joinpath, names),
                   strict=True))  # fmt: skip
    segmenter = Segmenter(run, load_family, threads)
    rows = []
    for picture in pictures:
        found, _ = segmenter(picture.image)
        kept = score_image(picture.labels, found)[0]
        about = {key: getattr(picture, key) for key in ("name", "cell_type", "split")}
        rows.append({**about, **{key: round(float(kept[key]), 4) for key in SCORES}})
    return rows


def mean(rows: Sequence[Mapping], key: str) -> float:
    """Mean of a score over pictures with cells."""
    return round(float(np.nanmean([row[key] for row in rows])), 4)


def ship(
    export: Path,
    settings: Mapping,
    pixel_size: float,
    load_family: Callable[[Mapping], "Family"],
    folder: Path,
    mini: Path | None = None,
) -> dict:
    """Copy an export to where the library looks for it, and write its card.

    Parameters
    ----------
    settings : ``variation`` of the data set that it was trained on
    pixel_size : side of a pixel of those images, micrometres
    folder : empty, for what is read of the export
    mini : livecell-mini, if its scores are to be on the card

    Raises
    ------
    UserError
        The file is too large for the repository.
    """
    content = export.read_bytes()
    if len(content) > LARGEST:
        raise UserError(
            f"{export} has {len(content):,} bytes, more than {LARGEST:,}. Train a smaller network."
        )
    simulated = scores(export, fresh(settings), load_family, folder)
    card = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "pixel_size": pixel_size,
        "licence": "MIT",
        "trained_on": "simulated images alone, never a real one",
        "variation": dict(settings),
        "simulated": {key: mean(simulated, key) for key in ("msa", "f1_50")},
        "simulated_images": simulated,
    }
    if mini is not None:
        found = scores(export, real(mini), load_family, folder)
        test = [row for row in found if row["split"] == "test"]
        card["livecell_mini"] = {key: mean(found, key) for key in ("msa", "f1_50")}
        card["livecell_mini_test"] = {key: mean(test, key) for key in ("msa", "f1_50")}
        card["livecell_mini_images"] = found
    with atomic.replacing(starter.FILE) as temporary:
        shutil.copyfile(export, temporary)
    atomic.write_json(starter.CARD, card)
    return card
