"""An export whose network computes with torch: weights, the code that predicts, and an example."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cellseg.export import modules
from cellseg.images import reading
from cellseg.inference import fused_run, of_folds
from cellseg.io import exports, fold_networks, run_files
from cellseg.segmentation import of_image
from cellseg.segmentation import record as segmentation_record
from cellseg.training import ensemble

if TYPE_CHECKING:
    from cellseg.training.family import Family

SHARED = ("safetensors", "numba", "opencv-python-headless", "scikit-image", "imagecodecs")
"""Packages that all such exports need, of PyPI; imagecodecs for compressed TIFFs."""

TEMPLATE = '''\
"""Cells of one image: python example.py IMAGE  ({install})"""
import json, sys
from pathlib import Path

import numpy as np
from skimage import io

from {package} import predictor
from cellseg.images import reading
{imports}from cellseg.segmentation import of_image

folder = Path(__file__).resolve().parent
run = json.loads((folder / "{settings}").read_text(encoding="utf-8"))
record = json.loads((folder / "{record}").read_text(encoding="utf-8"))
find = of_image.finder(run, record["segmentation"], record["prediction"], predictor, folder{by})
image = reading.read(sys.argv[1])  # any size; 8 or 16 bits, grey or colour
cells, scores = find(image)  # a label image, 0 is background, and a score for each cell
kind = "uint16" if len(scores) < 2**16 else "uint32"
io.imsave("cells.tif", cells.astype(kind), check_contrast=False)
rows = [f"{{cell}},{{score:.6f}}" for cell, score in enumerate(scores, 1)]
Path("scores.csv").write_text("\\n".join(["cell,score", *rows, ""]), encoding="utf-8")
print(len(scores), "cells in cells.tif, their scores in scores.csv")
'''


class Networks(NamedTuple):
    """How an example predicts with the networks of an export.

    Attributes
    ----------
    modules : that it imports for them
    by : what predicts with them, for :func:`cellseg.segmentation.of_image.finder`
    weights : where they are, for the card
    predicts : what the example does with windows, for the card
    """

    modules: tuple[str, ...]
    by: str
    weights: str = f"`{exports.MEMBERS}/`"
    predicts: str = "predicts with each network, merges, fuses"


ONE = Networks((), "", f"`{run_files.SAFETENSORS}`", "predicts, merges")
OF_FOLDS = Networks(
    (of_folds.__name__,), "of_folds.of_export", predicts="predicts with each network, merges, joins"
)
FUSED = Networks((fused_run.__name__,), "fused_run.by_members(lambda model: predictor)")
FUSED_OF_FOLDS = Networks(
    (fused_run.__name__, of_folds.__name__),
    "fused_run.by_members(lambda model: predictor, of_folds.of_export)",
)


def use(networks: Networks) -> str:
    """Paragraph of the card that says what the example does."""
    return (
        "`example.py` computes with the modules of livecell-bench in `cellseg/`, which come along, "
        f"and the weights in {networks.weights}. It reads an image of any size, in 8 or 16 bits, "
        "grey or colour, and writes the label image `cells.tif` and `scores.csv`. It normalises, "
        f"cuts windows, {networks.predicts} and segments as livecell-bench does, with the settings "
        f"of `{run_files.SEGMENTATION}`: its cells are those that `snakemake apply` finds with "
        "this file."
    )


def install(packages: Sequence[str]) -> str:
    """The command that installs what the example needs."""
    return f"pip install {' '.join([*packages, *SHARED])}"


def write_network(family: "Family", settings: Mapping, weights: Path, folder: Path) -> None:
    """Write the weights of a network, or of those of all folds, and load each once.

    Parameters
    ----------
    family : of the run
    settings : of the run
    weights : weights.h5 of the run
    folder : of an export, or of a member in it

    Raises
    ------
    UserError
        The weights are not those of the network.
    """
    from cellseg.models.pytorch import state_files

    def write_one(file: Path, place: Path) -> None:
        state_files.write_safetensors(file, place / run_files.SAFETENSORS)
        family.Predictor(settings, place)

    folds = fold_networks.names(settings)
    for name in folds:
        place = folder / exports.MEMBERS / name
        place.mkdir(parents=True)
        with ensemble.part(weights, name) as part:
            write_one(part / run_files.WEIGHTS, place)
    if not folds:
        write_one(weights, folder)


def write_code(
    predictor: str, packages: Sequence[str], record: Mapping, folder: Path, networks: Networks
) -> None:
    """Write code and example into the folder of an export.

    Parameters
    ----------
    predictor, packages : of :func:`cellseg.models.predictor_code`
    record : of the segmentation of the run, see :mod:`cellseg.segmentation.record`
    networks : how the example predicts
    """
    method = segmentation_record.method(record).module
    names = [predictor, method, of_image.__name__, reading.__name__]
    modules.copy([*names, *networks.modules], folder)
    text = TEMPLATE.format(
        install=install(packages),
        package=predictor.rpartition(".")[0],
        settings=run_files.SETTINGS,
        record=run_files.SEGMENTATION,
        imports="".join(_imported(name) for name in networks.modules),
        by=f",\n                       by={networks.by}" if networks.by else "",
    )
    (folder / "example.py").write_text(text, encoding="utf-8")


def _imported(module: str) -> str:
    package, _, name = module.rpartition(".")
    return f"from {package} import {name}\n"
