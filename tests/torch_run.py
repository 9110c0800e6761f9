"""All files of a run whose network computes with torch, made in seconds, with initial weights."""

import os
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import tifffile
import torch
from snakemake.iocontainers import Namedlist

import small_training
import tiny_run
from cellseg import models
from cellseg.inference import instance_run, map_run
from cellseg.inference import run as predict_run
from cellseg.io import atomic, made_files, run_format
from cellseg.segmentation import by_cell_type
from cellseg.segmentation import run as segmentation
from cellseg.study import segmentation_methods
from cellseg.training import provenance

TRAINING = {"learning_rate": 1e-3, "weight_decay": 0, "l2": 0, "clipnorm": None,
            "global_clipnorm": None, "ema": None, "batch_norm_momentum": None, "epochs": 1,
            "batch_size": 2, "mixed_precision": False, "normalization": "whole-image"}  # fmt: skip
DETECTOR = {
    "heads": {"instances": {}},
    "seed": 0,
    "subset": {},
    "tiling": {"mode": "crop", "size": 64, "tile_overlap": 0},
    "training": TRAINING,
}
PAINTING = {"method": "painting", "score_threshold": 0.0, "mask_threshold": 0.4, "min_size": 0}
FLOWS = {"method": "flow-tracking", "flow_threshold": 0, "min_size": 4}
WINDOWS = {**tiny_run.OPTIONS, "window": 64}
"""A prediction in windows, of which an image of :data:`SHAPE` takes several."""
SHAPE = (90, 120)
SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


def settings(family: str) -> dict:
    """Settings of a small network of a family."""
    if family in small_training.OWN_SETTINGS:
        size = {"size": WINDOWS["window"]} if family == "cellpose-sam" else {}
        made = small_training.settings(1, family=family, **size)
        return {**made, "training": {**made["training"], "clipnorm": None}}
    model = {"family": family, "preset": "small", "detections": 30, "score_threshold": 0,
             "ensemble": None, "optimizer": "adam", "momentum": 0.9, "weights": None,
             "norm": None}  # fmt: skip
    return {**DETECTOR, "model": model}


def make(
    family: str, folder: Path, options: dict = tiny_run.OPTIONS, seed: int = 0
) -> dict[str, Path]:
    """Write what the rules of a run write, and an image ``one`` with a table.

    Parameters
    ----------
    options : of the prediction
    seed : of the initial weights

    Returns
    -------
    dict of name to path: weights, settings, provenance, segmentation, metrics, coco, images
    """
    run = {**settings(family), "seed": seed}
    module = models.load(run["model"])
    module.learner(run, 64, folder).save_weights(folder / "weights.h5")
    files = {name: folder / f"{name}.json" for name in ("settings", "provenance", "segmentation")}
    atomic.write_json(files["settings"], run_format.stamped(run))
    more = {"train_images": ["one"], "val_images": ["two"], "parameters": 1}
    record = provenance.record(run, module.versions(), module.device(), **more)
    atomic.write_json(files["provenance"], record)
    image = tiny_run.picture(*SHAPE)
    tifffile.imwrite(folder / "one.tif", image)
    condition = {"dataset": "mine", "model": "net", "heads": "+".join(run["heads"]),
                 "subset": "full", "seed": 0}  # fmt: skip
    about = {"condition": condition, "tuning": None, "prediction": options,
             "segmentation": _thresholds(run, module, folder, image, options)}  # fmt: skip
    atomic.write_json(files["segmentation"], run_format.stamped(about))
    images = {"image": ["one"], "path": str(folder / "one.tif"), "cell_type": "A172",
              "n_cells": 7}  # fmt: skip
    tables = tiny_run.write_tables(folder, images)
    return {"weights": folder / "weights.h5", **files, **tables}


def labels(run: dict[str, Path], output: Path) -> np.ndarray:
    """Label image of ``one``, as the rules that predict and segment make it."""
    about = run_format.read(run["segmentation"])
    heads = run_format.read(run["settings"])["heads"]
    method = segmentation_methods.METHODS[about["segmentation"]["method"]]
    stored = {"stored": method.stored(heads), "precise": method.precise(heads)}
    found = output / "predictions.zip"
    predict_run.predict(run["settings"], [run["images"]], None, 1, about["prediction"], stored,
                        models.load, run["weights"].parent, found, 1)  # fmt: skip
    segmentation.segment_run(
        found, output / "labels.npz", output / "cells.parquet", about["segmentation"], 1
    )
    with np.load(output / "labels.npz") as made:
        return made["one"]


def make_fused(families: Sequence[str], folder: Path, iou: float = 0.5) -> dict[str, Path]:
    """Runs of detectors and one that is fused of them, by the scripts of the rules.

    The first counts twice. All predict in windows, and the thresholds of the run are those of
    a search ``grid`` by cell type.

    Returns
    -------
    dict of name to path: settings, provenance, segmentation, metrics, coco, images, labels;
    ``members``, the paths of the run of each family
    """
    own = folder / "results/mine/runs/both/instances/full/seed-0"
    (own / "tuning-grid").mkdir(parents=True)
    members = [_member(family, folder, WINDOWS) for family in families]
    run = {name: own / f"{name}.json" for name in ("settings", "provenance")}
    weights = [2.0, *[1.0] * (len(members) - 1)]
    maps = own / "instances.zip"
    _script("fuse", {"maps": [one["maps"] for one in members],
                     "runs": [one["provenance"] for one in members]},
            {"maps": maps, **run}, {"fusion": {"iou": iou, "weights": weights}})  # fmt: skip
    by_type = {"A172": {**PAINTING, "mask_threshold": 0.45}}
    chosen = {"segmentation": PAINTING, by_cell_type.KEY: by_type}
    atomic.write_json(own / "tuning-grid/chosen.json", run_format.stamped(chosen))
    condition = {"dataset": "mine", "model": "both", "heads": "instances", "subset": "full",
                 "seed": 0}  # fmt: skip
    params = {"condition": condition, "tuning": None, "segmentation": PAINTING}
    made = {"labels": own / "labels.npz", "cells": own / "cells.parquet",
            "settings": own / "segmentation.json"}  # fmt: skip
    _script("segment", {"maps": maps}, made, params)
    tuned = {key: path.parent / "tuning-grid" / path.name for key, path in made.items()}
    given = {"maps": maps, "tuned": own / "tuning-grid/chosen.json", "images": members[0]["images"]}
    _script("segment", given, tuned, {**params, "tuning": "grid", "segmentation": None})
    tables = tiny_run.write_tables(own, made_files.read_parquet(members[0]["images"]))
    return {**run, "segmentation": made["settings"], "labels": made["labels"], **tables,
            "members": members}  # fmt: skip


def detector(run: Mapping, folder: Path, options: Mapping):
    """What finds the detections of an image by one run."""
    return instance_run.image_detector(run, models.load(run["model"]), folder, options)


def _member(family: str, folder: Path, options: dict) -> dict[str, Path]:
    own = folder / f"results/mine/runs/{family}/instances/full/seed-0"
    own.mkdir(parents=True)
    run = make(family, own, options)
    names = {"stored": ["instances/0"], "precise": []}
    run["maps"] = own / "instances.zip"
    predict_run.predict(run["settings"], [run["images"]], None, 1, options, names, models.load,
                        own, run["maps"], 1)  # fmt: skip
    return run


def _script(name: str, given: Mapping, made: Mapping, params: Mapping) -> None:
    """Run a script of the workflow as its rule does, with paths relative to the working folder."""
    files = [
        {key: [os.path.relpath(one) for one in path] if isinstance(path, list)
         else os.path.relpath(path) for key, path in paths.items()}
        for paths in (given, made)
    ]  # fmt: skip
    snakemake = SimpleNamespace(
        input=Namedlist(fromdict=files[0]), output=Namedlist(fromdict=files[1]),
        params=Namedlist(fromdict=params), wildcards={}, rule=name, threads=1,
        log=[f"{next(iter(made.values()))}.log"],
    )  # fmt: skip
    runpy.run_path(str(SCRIPTS / f"{name}.py"), {"snakemake": snakemake})


def _thresholds(run: dict, module, folder: Path, image: np.ndarray, options: dict) -> dict:
    """With which even a network that has learnt nothing finds cells."""
    if "instances" in run["heads"]:
        return PAINTING
    with torch.no_grad():
        maps = map_run.image_predictor(run, module, folder, options)(image)
    return {**FLOWS, "cell_threshold": float(np.quantile(maps["fgbg"][..., 1], 0.3))}
