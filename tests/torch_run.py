"""All files of a run whose network computes with torch, made in seconds, with initial weights."""

from pathlib import Path

import numpy as np
import tifffile
import torch

import small_training
import tiny_run
from cellseg import models
from cellseg.inference import map_run
from cellseg.inference import run as predict_run
from cellseg.io import atomic, run_format
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


def settings(family: str) -> dict:
    """Settings of a small network of a family."""
    if family == "cellpose":
        made = small_training.settings(1, family=family)
        return {**made, "training": {**made["training"], "clipnorm": None}}
    model = {"family": family, "preset": "small", "detections": 30, "score_threshold": 0,
             "ensemble": None, "optimizer": "adam", "momentum": 0.9, "weights": None,
             "norm": None}  # fmt: skip
    return {**DETECTOR, "model": model}


def make(family: str, folder: Path, options: dict = tiny_run.OPTIONS) -> dict[str, Path]:
    """Write what the rules of a run write, and an image ``one`` with a table.

    Parameters
    ----------
    options : of the prediction

    Returns
    -------
    dict of name to path: weights, settings, provenance, segmentation, metrics, coco, images
    """
    run = settings(family)
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


def _thresholds(run: dict, module, folder: Path, image: np.ndarray, options: dict) -> dict:
    """With which even a network that has learnt nothing finds cells."""
    if "instances" in run["heads"]:
        return PAINTING
    with torch.no_grad():
        maps = map_run.image_predictor(run, module, folder, options)(image)
    return {**FLOWS, "cell_threshold": float(np.quantile(maps["fgbg"][..., 1], 0.3))}
