"""A trained run as one file that can be given away: network, thresholds, card and example."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import yaml

from cellseg import models
from cellseg.export import bioimage_io, model_card, portable
from cellseg.export import example as export_example
from cellseg.export.model_card import Network
from cellseg.inference import fused_run, record
from cellseg.io import atomic, exports, fold_networks, made_files, run_files, run_format
from cellseg.segmentation import record as segmentation_record
from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import simulate_frame
from cellseg.study import fusion_names
from cellseg.tables import read
from cellseg.training import ensemble
from cellseg.training.provenance import SETTINGS as RUN_SETTINGS
from cellseg.training.start import CHAIN

if TYPE_CHECKING:
    from cellseg.export.saved_model import WholeImages
    from cellseg.training.family import Family

PORTABLE = {
    (False, False): portable.ONE,
    (False, True): portable.OF_FOLDS,
    (True, False): portable.FUSED,
    (True, True): portable.FUSED_OF_FOLDS,
}
"""How the example predicts, by whether the run is fused of others and of networks of folds."""
OF_PROVENANCE = ("train_images", "val_images", "versions")
"""What is read of the provenance of a run."""


def export(
    run: Mapping[str, str],
    images: Sequence[str],
    kind: str,
    load_family: Callable[[Mapping], "Family"],
    output: str,
    threads: int,
    pixel_size: float | None = None,
    members: Sequence[Mapping[str, str]] = (),
) -> None:
    """Write the zip of a run.

    Parameters
    ----------
    run : paths of its ``weights``, ``settings``, ``provenance``, ``segmentation``, ``metrics`` and
        ``coco``; one that is fused of others has no ``weights``
    images : tables of the images that it may have been trained and validated with
    kind : of its data set, a key of :data:`cellseg.data.kinds.SOURCES`
    load_family : from the model's settings to the module of its family
    pixel_size : micrometres of a side of a pixel of its images, or None
    output : zip to write; of a network in TensorFlow, rdf.yaml at its top makes it a package of the
        BioImage Model Zoo
    members : paths of ``weights``, ``settings`` and ``provenance`` of each run that it is fused of,
        in the order of its settings

    Raises
    ------
    UserError
        The network cannot be exported, see :func:`cellseg.export.saved_model.build` and
        :func:`cellseg.export.portable.write_network`, or the run does not say how it was predicted.
    """
    settings = run_format.read(run["settings"], *fused_run.OF_RUN)
    provenance = made_files.read_json(run["provenance"], *OF_PROVENANCE)
    thresholds = segmentation_record.read(run["segmentation"])
    options = record.of(thresholds, run["segmentation"])
    networks = [_network(one) for one in members or [run]]
    # Of a fused run, any: all its members are detectors, of the same packages.
    first = networks[0]
    code = models.predictor_code(first.settings["model"])
    family = load_family(first.settings["model"])
    family.set_threads(threads)
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        origin = {**thresholds["condition"], "kind": kind, "pixel_size": pixel_size}
        atomic.write_json(made / run_files.ORIGIN, origin)
        if members:
            settings = _write_members(networks, members, settings["model"], load_family, made)
            atomic.write_json(made / run_files.SETTINGS, run_format.stamped(settings))
        else:
            shutil.copyfile(run["settings"], made / run_files.SETTINGS)
        shutil.copyfile(run["provenance"], made / run_files.PROVENANCE)
        shutil.copyfile(run["segmentation"], made / run_files.SEGMENTATION)
        shutil.copyfile(run["metrics"], made / exports.SCORES)
        if code:
            if not members:
                portable.write_network(family, first.settings, first.weights, made)
            of_folds = any(fold_networks.names(one.settings) for one in networks)
            together = PORTABLE[bool(members), of_folds]
            portable.write_code(*code, thresholds, made, together)
            use, install, otherwise = portable.use(together), portable.install(code[1]), ""
        else:
            network = _write_saved_model(family, first, options, made)
            example = export_example.example(settings["heads"], thresholds["segmentation"])
            (made / "example.py").write_text(example, encoding="utf-8")
            use = model_card.use_of_maps(
                network.window, first.settings["training"]["normalization"],
                export_example.note(thresholds["segmentation"]),
            )  # fmt: skip
            install, otherwise = export_example.INSTALL, model_card.otherwise(options)
        card = model_card.text(
            condition=thresholds["condition"],
            kind=kind,
            settings=settings,
            networks=networks,
            segmentation=thresholds,
            otherwise=otherwise,
            data=model_card.trained_on(
                provenance, pd.concat([made_files.read_parquet(path) for path in images])
            ),
            metrics=read.read(run["metrics"], ["small_objects", "msa"]),
            coco=read.read(run["coco"], ["small_objects", "ap"]),
            use=use,
            install=install,
        )
        (made / "README.md").write_text(card, encoding="utf-8")
        if not code:
            description = bioimage_io.describe(
                made,
                condition=thresholds["condition"],
                kind=kind,
                family=settings["model"]["family"],
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


def _network(paths: Mapping[str, str]) -> Network:
    """The network of a run, which is the one to export or one that this is fused of."""
    settings = run_format.read(paths["settings"], *RUN_SETTINGS)
    ensemble.refuse(settings, paths["weights"], "is exported")
    if "backend" in settings["model"]:  # which makes no difference to the weights
        settings["model"]["backend"] = "tensorflow"
    provenance = made_files.read_json(paths["provenance"], *OF_PROVENANCE)
    return Network(settings, provenance, Path(paths["weights"]))


def _write_members(
    networks: Sequence[Network],
    members: Sequence[Mapping[str, str]],
    model: Mapping,
    load_family: Callable[[Mapping], "Family"],
    folder: Path,
) -> dict:
    """The runs that the exported one is fused of; returns its settings within the export."""
    places = [f"{exports.MEMBERS}/{number}" for number in range(1, len(networks) + 1)]
    for network, paths, place in zip(networks, members, places, strict=True):
        own = folder / place
        own.mkdir(parents=True)
        shutil.copyfile(paths["settings"], own / run_files.SETTINGS)
        shutil.copyfile(paths["provenance"], own / run_files.PROVENANCE)
        portable.write_network(
            load_family(network.settings["model"]), network.settings, network.weights, own
        )
    weights = [one["weight"] for one in model[fused_run.MEMBERS]]
    return fusion_names.settings(places, weights, model["iou"])


def _write_saved_model(
    family: "Family", run: Network, options: Mapping, folder: Path
) -> "WholeImages":
    """model.zip and tensors to test it with, and the weights for another run to start from."""
    from cellseg.export import saved_model  # TensorFlow, which the family has started

    with ExitStack() as stack:
        names = fold_networks.names(run.settings)
        folders = [stack.enter_context(ensemble.part(run.weights, name)) for name in names]
        whole = folders or [run.weights.parent]
        network = saved_model.build(family, run.settings, whole, options)
        saved_model.save(network, folder / "model")
    shutil.make_archive(str(folder / "model"), "zip", folder / "model")
    shutil.rmtree(folder / "model")
    _write_test_tensors(network, folder)
    shutil.copyfile(run.weights, folder / run_files.WEIGHTS)
    return network


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
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                packed = zipfile.ZIP_STORED if path.suffix == ".zip" else zipfile.ZIP_DEFLATED
                archive.write(path, path.relative_to(folder), packed)
