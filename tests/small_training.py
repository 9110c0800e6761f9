"""A training of seconds, for tests; as a script it can be killed in the middle.

python small_training.py FAMILY FOLDER EPOCHS SEED
"""

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import mock

import numpy as np

from cellseg import models
from cellseg.training.augmentation import Augmentation
from cellseg.training.batches import TilePool, TileStream
from cellseg.training.checkpoint import ResumeFolder

HEADS = {"inner-distance": {}, "pixelwise": {}}
STARS = {"star-distances": {"grid": 2}, "object-probability": {}}
FLOWS = {"flows": {}, "fgbg": {}}
HEADS_OF = {"cellpose": FLOWS, "cellpose-sam": FLOWS, "stardist": STARS}
"""Of families whose networks do not predict :data:`HEADS`."""


PANOPTICNET = {
    "backbone": "featurenet",
    "backbone_levels": ["C3", "C4", "C5"],
    "location": True,
    "weights": None,
}
OWN_SETTINGS = {
    "cellpose": {"width": 4, "optimizer": "adam", "momentum": 0.9},
    "cellpose-sam": {
        "size": 32,
        "depth": 4,
        "width": 8,
        "attention_heads": 2,
        "optimizer": "adam",
        "momentum": 0.9,
    },
    "deepcell": PANOPTICNET,
    "panopticnet": {
        **PANOPTICNET,
        "backend": "tensorflow",
        "preprocessing": "as-published",
        "rescaling": "as-published",
        "negative_slope": 0,
    },
    "stardist": {"depth": 2, "width": 8},
    "unet": {"architecture": "unet", "width": 4, "backend": "tensorflow", "negative_slope": 0.01},
}
OF_ANY_HEADS = sorted(
    one
    for one in models.FAMILIES
    if one not in HEADS_OF and models.predicts({"family": one}) == "maps"
)
"""Families whose networks predict :data:`HEADS`. ``test_family_*`` are about the others."""
LEARNERS = {
    "cellpose": "learner",
    "cellpose-sam": "learner",
    "deepcell": "DeepcellLearner",
    "panopticnet": "learner",
    "stardist": "learner",
    "unet": "learner",
}
"""By family: what makes one."""


def values_per_pixel(model, size: tuple[int, int]) -> float:
    """Values in the outputs of all layers of a Keras model, for each pixel of its input."""
    outputs = [output for layer in model.layers for output in _listed(layer.output)]
    return sum(int(np.prod(output.shape[1:])) for output in outputs) / (size[0] * size[1])


def _listed(output) -> list:
    return [output] if hasattr(output, "shape") else list(getattr(output, "values", list)())


def load(family: str) -> ModuleType:
    """A model family, without TensorFlow's warnings about its own deprecations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return models.load(settings(1, family=family)["model"])


@contextmanager
def in_this_process(family: str) -> Iterator[ModuleType]:
    """A model family that leaves the threads as they are: a process may choose them but once."""
    module = load(family)
    with mock.patch.object(module, "set_threads", lambda threads: None):
        yield module


@contextmanager
def without_tracing() -> Iterator[None]:
    """TensorFlow computes step by step: tracing takes longer than a few steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(False)


def settings(epochs: int, seed: int = 0, family: str = "deepcell", **model) -> dict:
    """Settings of a run as `cellseg.study.runs.run_settings` makes them."""
    return {
        "heads": HEADS_OF.get(family, HEADS),
        "model": {
            "family": family,
            "ensemble": None,
            **OWN_SETTINGS[family],
            **model,
        },
        "seed": seed,
        "tiling": {"mode": "cut", "size": 32, "tile_overlap": 0},
        "training": {
            "epochs": epochs,
            "normalization": "whole-image",
            "batch_size": 2,
            "learning_rate": 1e-3,
            "schedule": {"name": "constant"},
            "clipnorm": 1e-3,
            "global_clipnorm": None,
            "l2": 0,
            "weight_decay": 0,
            "ema": None,
            "softmax_loss_scale": 0.01,
            "checkpoint": "last",
            "early_stopping": 0,
            "batch_norm_momentum": None,
            "precise_batch_norm_batches": 4,
            "mixed_precision": False,
            "xla": False,
        },
    }


def streams(seed: int, heads: Mapping = HEADS) -> tuple[TileStream, TileStream]:
    """Four tiles of 32 pixels with two cells each, for training and for validation."""
    random = np.random.default_rng(0)
    labels = np.zeros((4, 32, 32, 1), np.int32)
    labels[:, 3:14, 4:15], labels[:, 18:30, 12:28] = 1, 2
    images = (100 + 60 * (labels > 0) + random.normal(0, 5, labels.shape)).astype(np.uint8)
    pool = TilePool([SimpleNamespace(X=images, y=labels, image=np.array(["a"] * 4))])
    common = {"tiles": pool, "index": np.arange(4), "heads": heads, "batch_size": 2,
              "normalization": "whole-image", "seed": seed}  # fmt: skip
    return (
        TileStream(**common, augmentation=Augmentation()),
        TileStream(**common, shuffle=False),
    )


def state(folder: Path) -> ResumeFolder:
    """Where an interrupted training of this kind resumes."""
    return ResumeFolder(folder / "resume", "small")


def main() -> None:
    """Train with one thread and write weights.h5 and history.csv."""
    name, folder, epochs, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    run = settings(epochs, seed, name)
    family = models.load(run["model"])
    family.set_threads(1)
    history = family.train(run, *streams(seed, run["heads"]), folder, state(folder))
    history.to_csv(folder / "history.csv", index=False)


if __name__ == "__main__":
    main()
