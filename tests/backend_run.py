"""A training of seconds on one backend of Keras, for the test that compares backends.

KERAS_BACKEND=jax python backend_run.py FAMILY START.h5 OUTPUT.npz FOLDER
"""

import os
import sys
from pathlib import Path

import numpy as np

import small_training
from cellseg import models


def run(name: str, start: Path, output: Path, folder: Path) -> None:
    """Train an epoch from the weights in `start`, and save what the network then computes."""
    settings = small_training.settings(
        1, family=name, location=False, backend=os.environ["KERAS_BACKEND"]
    )
    settings["training"] |= {"l2": 0.01, "weight_decay": 0.1, "ema": 0.9}
    family = models.load(settings["model"])
    learner = getattr(family, small_training.LEARNERS[name])(settings, 32, folder)
    if not start.exists():
        learner.save_weights(start)
    learner.load_weights(start)
    train, validation = small_training.streams(0)
    batches = list(train.epoch(0))
    losses = [learner.train_batch(batch, 1e-4)["loss"] for batch in batches]
    losses += [learner.validate_batch(batch)["loss"] for batch in validation.epoch(0)]
    learner.save_state(folder)
    learner.load_state(folder)
    losses += [learner.train_batch(batch, 1e-4)["loss"] for batch in train.epoch(1)]
    learner.recalibrate(train, 2)
    learner.save_weights(folder / "weights.h5")
    maps = family.Predictor(settings, folder)(batches[0][0][:, :30])
    np.savez(
        output, losses=losses, images=batches[0][0], targets=batches[0][1]["pixelwise"], **maps
    )


if __name__ == "__main__":
    run(sys.argv[1], *map(Path, sys.argv[2:]))
