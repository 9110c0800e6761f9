"""The space that data sets, tiles and pretrained weights take on the disk."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cellseg.data import kinds
from cellseg.data.kinds.source import Images
from cellseg.data.splits import TRAINING_SPLITS
from cellseg.io import unzip
from cellseg.models.panopticnet.declarations import declared
from cellseg.space.expected_tiles import n_tiles
from cellseg.space.runs import LABEL_PIXEL
from cellseg.study.runs import Run, extensions, tiling_of

# Bytes, measured on the thirteen real images of tests.
ANNOTATION = 215  # a cell's row of the annotation tables
OUTLINE = 120  # true cells as run lengths
DATA_REPORT = 110_000

EXTENSION_PIXEL, EXTENSION_CELL = 0.62, 580  # TIFF and JSON of synthetic images

TILE_PIXEL = 5  # grey value and label, not compressed


def expected_and_there(
    study: Mapping,
    runs: Iterable[Run],
    images: Mapping[str, Mapping[str, Images] | None],
    folder: Path,
) -> Iterator[tuple[float, float | None]]:
    """Expected size of each thing in the data folder, and what it takes where it is there.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    runs : what is to be trained
    images : of each split of each data set; None for one of which nothing is known yet
    folder : of all data sets
    """
    for name, splits in images.items():
        if splits is None:
            continue
        entry, own = study["datasets"][name], folder / name
        made = kinds.of(entry).space(entry, splits)
        if made is not None:
            yield made, _measured(own / "source", (own / "source.json").is_file())
        yield DATA_REPORT, _size(own / "report/data.png")
        for split, some in splits.items():
            yield ANNOTATION * some.cells, _size(own / f"annotations/{split}.cells.parquet")
            yield LABEL_PIXEL * some.pixels, _size(own / f"labels/{split}.npz")
            yield OUTLINE * some.cells, _size(own / f"labels/{split}.cells.npz")
        models = {run.model for run in runs if run.dataset == name}
        for tiling in sorted({tiling_of(study, model) for model in models}):
            settings = study["tilings"][tiling]
            for split in TRAINING_SPLITS:
                yield _tiles(settings, splits[split]), _size(own / f"tiles/{tiling}/{split}.npz")
        yield from _extensions(study, [run for run in runs if run.dataset == name], splits, own)
    models = [study["models"][run.model] for run in runs]
    backbones = {model["weights"]: model["backbone"] for model in models if model.get("weights")}
    for name, backbone in backbones.items():
        yield 4.0 * declared(backbone).parameters, _size(folder / f"pretrained/{name}.h5")


def _extensions(
    study: Mapping, runs: Iterable[Run], splits: Mapping[str, Images], folder: Path
) -> Iterator[tuple[float, float | None]]:
    """The same of the synthetic images that runs on a data set use."""
    used = {
        (*extension, tiling_of(study, run.model))
        for run in runs
        for extension in extensions(study["subsets"][run.subset])
    }
    for times, split in sorted({(times, split) for times, split, _ in used}):
        own, some = folder / f"extended-{times}/{split}", splits[split].part(times)
        size = EXTENSION_PIXEL * some.pixels + EXTENSION_CELL * some.cells
        yield size, _measured(own / "images", (own / "source.json").is_file())
        yield ANNOTATION * some.cells, _size(own / f"annotations/{split}.cells.parquet")
        yield LABEL_PIXEL * some.pixels, _size(own / "labels.npz")
        yield OUTLINE * some.cells, _size(own / "cells.npz")
    for times, split, tiling in sorted(used):
        settings, some = study["tilings"][tiling], splits[split].part(times)
        made = folder / f"extended-{times}/{split}/tiles/{tiling}.npz"
        yield _tiles(settings, some), _size(made)


def _tiles(tiling: Mapping, images: Images) -> float:
    """Bytes of the tiles of a split, or of its whole images where crops are drawn from them."""
    if tiling["mode"] == "crop":
        return images.pixels * TILE_PIXEL
    return n_tiles(tiling, images) * tiling["size"] ** 2 * TILE_PIXEL


def _measured(folder: Path, complete: bool) -> float | None:
    """Bytes below a folder; of unpacked images, which are thousands, from the list next to them."""
    if not complete:
        return None
    size = 0
    for path, folders, names in os.walk(folder):
        marker = Path(path) / unzip.MARKER
        if unzip.MARKER in names:
            try:
                size += sum(json.loads(marker.read_text(encoding="utf-8"))["files"].values())
            except (OSError, ValueError, KeyError):
                continue
            folders.clear()
        else:
            size += sum(_size(Path(path) / name) or 0 for name in names)
    return size


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
