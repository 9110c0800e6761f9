"""A trained run as one file that can be given away: network, thresholds, card and example."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import yaml

from cellseg import models
from cellseg.errors import UserError
from cellseg.export import bioimage_io, model_card
from cellseg.export import example as export_example
from cellseg.inference import record
from cellseg.io import atomic, exports, made_files, run_files, run_format
from cellseg.segmentation import record as segmentation_record
from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import simulate_frame
from cellseg.tables import read
from cellseg.training import ensemble, joined_folds
from cellseg.training.provenance import SETTINGS as RUN_SETTINGS
from cellseg.training.start import CHAIN

if TYPE_CHECKING:
    from cellseg.export.saved_model import WholeImages
    from cellseg.training.family import Family


def export(
    run: Mapping[str, str],
    images: Sequence[str],
    kind: str,
    load_family: Callable[[Mapping], "Family"],
    output: str,
    threads: int,
    pixel_size: float | None = None,
) -> None:
    """Write the zip of a run.

    Parameters
    ----------
    run : paths of its ``weights``, ``settings``, ``provenance``, ``segmentation``, ``metrics`` and
        ``coco``
    images : tables of the images that it may have been trained and validated with
    kind : of its data set, a key of :data:`cellseg.data.kinds.SOURCES`
    load_family : from the model's settings to the module of its family
    pixel_size : micrometres of a side of a pixel of its images, or None
    output : zip to write; rdf.yaml at its top makes it a package of the BioImage Model Zoo

    Raises
    ------
    UserError
        The network cannot be exported, see :func:`cellseg.export.saved_model.build`, or the run
        does not say how it was predicted.
    """
    settings, provenance = (
        read_json(run[name], *keys)
        for name, read_json, keys in (
            ("settings", run_format.read, RUN_SETTINGS),
            ("provenance", made_files.read_json, ("train_images", "val_images", "versions")),
        )
    )
    thresholds = segmentation_record.read(run["segmentation"])
    options = record.of(thresholds, run["segmentation"])
    ensemble.refuse(settings, run["weights"], "is exported")
    joined_folds.refuse(settings, run["weights"])
    if "backend" in settings["model"]:  # which makes no difference to the weights
        settings["model"]["backend"] = "tensorflow"
    model = settings["model"]
    if model["family"] in models.FAMILIES and not models.is_exported(model):
        raise UserError(
            f"{run['weights']} is of a network of family {model['family']}, which is not exported: "
            "an export holds a network of maps in TensorFlow. Hand on the folder of the run, which "
            "`snakemake apply` takes."
        )
    family = load_family(model)
    family.set_threads(threads)
    from cellseg.export import saved_model

    folder = Path(run["weights"]).parent
    network = saved_model.build(family, settings, folder, options)
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        saved_model.save(network, made / "model")
        shutil.make_archive(str(made / "model"), "zip", made / "model")
        shutil.rmtree(made / "model")
        _write_test_tensors(network, made)
        shutil.copyfile(run["weights"], made / run_files.WEIGHTS)
        origin = {**thresholds["condition"], "kind": kind, "pixel_size": pixel_size}
        atomic.write_json(made / run_files.ORIGIN, origin)
        shutil.copyfile(run["settings"], made / run_files.SETTINGS)
        shutil.copyfile(run["provenance"], made / run_files.PROVENANCE)
        shutil.copyfile(run["segmentation"], made / run_files.SEGMENTATION)
        shutil.copyfile(run["metrics"], made / exports.SCORES)
        example = export_example.example(settings["heads"], thresholds["segmentation"])
        (made / "example.py").write_text(example, encoding="utf-8")
        card = model_card.text(
            condition=thresholds["condition"],
            kind=kind,
            settings=settings,
            provenance=provenance,
            segmentation=thresholds,
            prediction=options,
            data=model_card.trained_on(
                provenance, pd.concat([made_files.read_parquet(path) for path in images])
            ),
            metrics=read.read(run["metrics"], ["small_objects", "msa"]),
            coco=read.read(run["coco"], ["small_objects", "ap"]),
            window=network.window,
            install=export_example.INSTALL,
            example_note=export_example.note(thresholds["segmentation"]),
        )
        (made / "README.md").write_text(card, encoding="utf-8")
        description = bioimage_io.describe(
            made,
            condition=thresholds["condition"],
            kind=kind,
            family=model["family"],
            segmentation=segmentation_record.method(thresholds).words,
            window=network.window,
            heads=list(settings["heads"]),
            tensorflow_version=family.versions()["tensorflow"],
            timestamp=provenance["finished"],
            chain=provenance.get(CHAIN, []),
        )
        (made / "rdf.yaml").write_text(
            yaml.safe_dump(description, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )
        _pack(made, output)


def _write_test_tensors(network: "WholeImages", folder: Path) -> None:
    """A simulated window and its maps, by which another program checks that it computes the same.

    Simulated, so that nobody's images leave the house with the network.
    """
    side = network.window
    frame = simulate_frame(CELL_TYPES["A172"], 24.0, side, side, np.random.default_rng(0))
    window = frame.image.astype(np.float32)[None, ..., None]
    np.save(folder / "test_input.npy", window)
    np.save(folder / "test_output.npy", network.serving_default(window)["maps"].numpy())


def _pack(folder: Path, output: str) -> None:
    with atomic.replacing(output) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.iterdir()):
                packed = zipfile.ZIP_STORED if path.suffix == ".zip" else zipfile.ZIP_DEFLATED
                archive.write(path, path.name, packed)
