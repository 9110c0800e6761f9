"""Trainings of seconds of the families that learn flows with the networks of Cellpose."""

from pathlib import Path

import h5py
import numpy as np

import small_training
from small_training import FLOWS


def settings(family: str, epochs: int = 1, seed: int = 0, training=None, **model) -> dict:
    """Settings of a run, without clipping, which the packages do not have."""
    made = small_training.settings(epochs, seed, family, **model)
    made["training"] |= {"clipnorm": None, "precise_batch_norm_batches": 0, **(training or {})}
    return made


def batch() -> tuple:
    """Images of 32 pixels, and the targets of both heads."""
    return next(small_training.streams(0, FLOWS)[1].epoch(0))


def train(family, folder: Path, run: dict, validation=None):
    """Train, or resume, in a folder; returns the history."""
    folder.mkdir(exist_ok=True)
    stream, validate = small_training.streams(run["seed"], FLOWS)
    state = small_training.state(folder)
    return family.train(run, stream, validation or validate, folder, state)


def weights(path: Path) -> dict[str, np.ndarray]:
    """The state dict in a file of weights."""
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}
