"""All files of a run, made in seconds, for tests of what is done with one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

import small_training
from cellseg.inference import map_run, map_store
from cellseg.inference import run as predict_run
from cellseg.io import atomic, run_format
from cellseg.segmentation import run as segmentation
from cellseg.training import provenance
from cellseg.training.family import Family

OPTIONS = {"window": None, "window_overlap": 0.25, "batch_size": 4,
           "test_time_augmentation":
               {"flips": False, "rotations": False, "scales": [1]}}  # fmt: skip

WATERSHED = {"method": "watershed", "maxima_threshold": 0.1, "interior_threshold": 0.3,
             "interior_smooth": 1, "maxima_smooth": 0, "distance_threshold": 0.01, "radius": 2,
             "peaks": "h_maxima", "min_size": 4,
             "fill_holes_threshold": 15}  # fmt: skip

CHANNELS = {"stored": ["inner-distance/0", "pixelwise/1"], "precise": ["inner-distance/0"]}

SEED = 6
"""Of initial weights with which a network that has learnt nothing finds some cells."""


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Grey values with bright squares, like those that the network is trained on."""
    rows, columns = np.indices((height, width)) // 4
    random = np.random.default_rng(seed)
    cells = (rows % 4 > 0) & (columns % 4 > 0)
    return (100 + 60 * cells + random.normal(0, 5, cells.shape)).astype(np.uint8)


def make(family: Family, name: str, folder: Path, seed: int = SEED) -> dict[str, Path]:
    """Write what the rules of a run write, with initial weights, and two images with a table.

    Parameters
    ----------
    seed : of the initial weights

    Returns
    -------
    dict of name to path: weights, settings, provenance, segmentation, metrics, coco, images
    """
    import keras  # only now: the family has chosen what it computes with

    settings = small_training.settings(1, family=name)
    keras.utils.set_random_seed(seed)
    learner = getattr(family, small_training.LEARNERS[name])
    learner(settings, 32, folder).save_weights(folder / "weights.h5")
    condition = {"dataset": "mine", "model": "net", "heads": "inner-distance+pixelwise",
                 "subset": "full", "seed": 0}  # fmt: skip
    run = {name: folder / f"{name}.json" for name in ("settings", "provenance", "segmentation")}
    atomic.write_json(run["settings"], run_format.stamped(settings))
    more = {"train_images": ["one"], "val_images": ["two"], "parameters": 12345}
    record = provenance.record(settings, family.versions(), family.device(), **more)
    atomic.write_json(run["provenance"], record)
    about = {
        "condition": condition,
        "tuning": None,
        "prediction": OPTIONS,
        "segmentation": _thresholds(settings, family, folder),
    }
    atomic.write_json(run["segmentation"], run_format.stamped(about))
    for name in ("one", "two"):
        shape = {"one": (50, 70), "two": (20, 130)}[name]
        tifffile.imwrite(folder / f"{name}.tif", picture(*shape))
    paths = [str(folder / f"{name}.tif") for name in ("one", "two")]
    images = {"image": ["one", "two"], "path": paths, "cell_type": "A172", "n_cells": [7, 8]}
    return {"weights": folder / "weights.h5", **run, **write_tables(folder, images)}


def write_tables(folder: Path, images: dict) -> dict[str, Path]:
    """Write the table of images, and scores of a run; returns paths of metrics, coco and images."""
    scores = ("msa", "sa50", "f1_50", "precision_50", "recall_50", "f1_75", "pixel_iou")
    metrics = {"data_split": "test", "cell_type": "A172", "image": ["three"],
               "small_objects": "kept", **{name: 0.5 for name in scores},
               "n_true": 5, "n_pred": 6}  # fmt: skip
    coco = {"cell_type": ["all"], "small_objects": "kept", "ap": 0.25, "ap50": 0.5, "afnr": 0.5}
    pd.DataFrame(images).to_parquet(folder / "images.parquet")
    pd.DataFrame(metrics).to_csv(folder / "metrics.csv", index=False)
    pd.DataFrame(coco).to_csv(folder / "coco.csv", index=False)
    return {
        "metrics": folder / "metrics.csv",
        "coco": folder / "coco.csv",
        "images": folder / "images.parquet",
    }


def _thresholds(settings: dict, family: Family, folder: Path) -> dict:
    """Thresholds with which even a network that has learnt nothing finds cells."""
    predict = map_run.image_predictor(settings, family, folder, OPTIONS)
    maps = predict(picture(50, 70))
    peaks, interior = maps["inner-distance"][..., 0], maps["pixelwise"][..., 1]
    return {
        **WATERSHED,
        "maxima_threshold": max(float(np.ptp(peaks)) / 200, 1e-6),
        "interior_threshold": float(np.median(interior)),
    }


def labels(run: dict[str, Path], family: Family, output: Path) -> Path:
    """labels.npz of the run on its own images, as the rules predict and segment make it."""
    maps = output / "predictions.zip"
    record = json.loads(run["segmentation"].read_text())
    predict_run.predict(run["settings"], [run["images"]], None, 1, record["prediction"],
                        CHANNELS, lambda model: family, run["weights"].parent, maps, 1)  # fmt: skip
    assert map_store.open(maps).prediction == record["prediction"]
    path = output / "labels.npz"
    segmentation.segment_run(maps, path, output / "cells.parquet", record["segmentation"], 1)
    return path
