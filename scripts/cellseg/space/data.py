"""The files that data sets, tiles and pretrained weights consist of, and their bytes."""

from collections.abc import Iterable, Mapping
from itertools import product

from cellseg.data import kinds
from cellseg.data.kinds.source import Images
from cellseg.data.splits import TRAINING_SPLITS
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


def expected(
    study: Mapping, runs: Iterable[Run], images: Mapping[str, Mapping[str, Images] | None]
) -> dict[str, float]:
    """Bytes of each file, by its path below the folder of all data sets.

    A path that ends in ``/`` is a folder. It is complete once ``source.json`` is next to it.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    runs : what is to be trained
    images : of each split of each data set; None for one of which nothing is known yet
    """
    sizes: dict[str, float] = {}
    for name, splits in images.items():
        if splits is None:
            continue
        made = kinds.of(study["datasets"][name]).space(study["datasets"][name], splits)
        sizes |= {} if made is None else {f"{name}/source/": made}
        sizes[f"{name}/report/data.png"] = DATA_REPORT
        for split, some in splits.items():
            table, labels = f"annotations/{split}.cells.parquet", f"labels/{split}"
            names = (f"{name}/{one}" for one in (table, f"{labels}.npz", f"{labels}.cells.npz"))
            sizes |= _cells(*names, some)
        used = {(run.subset, tiling_of(study, run.model)) for run in runs if run.dataset == name}
        for (subset, tiling), split in product(sorted(used), TRAINING_SPLITS):
            cut = study["tilings"][tiling]
            sizes[f"{name}/tiles/{tiling}/{split}.npz"] = _tiles(cut, splits[split])
            for times, extended in extensions(study["subsets"][subset]):
                folder, some = f"{name}/extended-{times}/{extended}", splits[extended].part(times)
                size = EXTENSION_PIXEL * some.pixels + EXTENSION_CELL * some.cells
                sizes[f"{folder}/images/"] = size
                table = f"annotations/{extended}.cells.parquet"
                names = (f"{folder}/{one}" for one in (table, "labels.npz", "cells.npz"))
                sizes |= _cells(*names, some)
                sizes[f"{folder}/tiles/{tiling}.npz"] = _tiles(cut, some)
    models = [study["models"][run.model] for run in runs]
    backbones = {model["weights"]: model["backbone"] for model in models if model.get("weights")}
    weights = {f"pretrained/{name}.h5": declared(one) for name, one in backbones.items()}
    return sizes | {path: 4.0 * backbone.parameters for path, backbone in weights.items()}


def _cells(table: str, labels: str, outlines: str, images: Images) -> dict[str, float]:
    """Files of the true cells of images, by their paths."""
    return {
        table: ANNOTATION * images.cells,
        labels: LABEL_PIXEL * images.pixels,
        outlines: OUTLINE * images.cells,
    }


def _tiles(tiling: Mapping, images: Images) -> float:
    """Bytes of the tiles of a split, or of its whole images where crops are drawn from them."""
    if tiling["mode"] == "crop":
        return images.pixels * TILE_PIXEL
    return n_tiles(tiling, images) * tiling["size"] ** 2 * TILE_PIXEL
