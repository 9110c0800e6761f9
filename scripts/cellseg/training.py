"""The training loop that the model families share. It knows no deep-learning library."""

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from cellseg.errors import UserError
from cellseg.resume import ResumeFolder
from cellseg.schedules import learning_rate, plateau_factor
from cellseg.stream import Batch, TileStream


class Learner(Protocol):
    """What a model family gives the loop. Losses are dicts with ``loss`` and ``<head>_loss``."""

    def train_batch(self, batch: Batch, rate: float) -> Mapping[str, float]: ...

    def validate_batch(self, batch: Batch) -> Mapping[str, float]: ...

    def recalibrate(self, stream: TileStream, batches: int) -> None: ...

    def save_state(self, folder: Path) -> None: ...

    def load_state(self, folder: Path) -> None: ...

    def save_weights(self, path: Path) -> None: ...  # whole or not at all

    def load_weights(self, path: Path) -> None: ...

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None: ...


class _Mean:
    """Running mean of loss dicts, weighted by the size of the batches."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.weight = 0

    def add(self, losses: Mapping[str, float], weight: int) -> None:
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value) * weight
        self.weight += weight

    def result(self, prefix: str = "") -> dict[str, float]:
        return {prefix + name: value / self.weight for name, value in self.sums.items()}


def fit(
    learner: Learner,
    train: TileStream,
    validation: TileStream,
    options: Mapping,
    resume: ResumeFolder,
) -> pd.DataFrame:
    """Train until the last epoch, going on where an earlier attempt stopped.

    Parameters
    ----------
    learner : the model with its optimiser
    train, validation : streams of batches
    options : the run's ``training`` settings
        epochs, learning_rate, schedule, keep, early_stopping and batch_norm_batches
    resume : holds the state after each epoch; the caller clears it when all results are written

    Returns
    -------
    DataFrame with one row an epoch
        epoch (from 1), loss, <head>_loss, val_loss, val_<head>_loss, learning_rate (of the last
        step), seconds (training and validation), step_ms (median time of a training step),
        wait_ms (mean time a step waited for its batch), tiles_per_second

    Raises
    ------
    UserError
        A loss is not finite (the message names epoch, step and what to change), or the state to
        resume from is damaged.
    """
    state = resume.load()
    rows: list[dict] = []
    if state is not None:
        rows = state["history"]
        _load(learner, resume, state["finished_epoch"])
        print(f"Resuming after epoch {state['finished_epoch']} of {options['epochs']}.")
    best = resume.folder / "best.h5"
    resume.folder.mkdir(parents=True, exist_ok=True)

    while len(rows) < options["epochs"] and not _stopped_early(rows, options):
        epoch = len(rows) + 1
        started = time.perf_counter()
        row = {"epoch": epoch, **_train_epoch(learner, train, options, rows)}
        row.update(_validate(learner, validation, epoch))
        row["seconds"] = time.perf_counter() - started
        rows.append(row)
        learner.log_epoch(epoch, row)
        if row["val_loss"] <= min(earlier["val_loss"] for earlier in rows):
            learner.save_weights(best)
        with resume.writing(epoch) as state_folder:
            learner.save_state(state_folder)
            resume.save(epoch, {"history": rows})
        _report(row, options["epochs"])

    if options["keep"] == "best":
        learner.load_weights(best)
    if options["batch_norm_batches"]:
        learner.recalibrate(train, options["batch_norm_batches"])
    return pd.DataFrame(rows)


def _load(learner: Learner, resume: ResumeFolder, epoch: int) -> None:
    try:
        learner.load_state(resume.folder_of(epoch))
    except Exception as error:  # every library has exceptions of its own for a broken file
        raise UserError(
            f"the state to go on from, {resume.folder}, is damaged ({error}). Delete that folder; "
            "the training then starts anew."
        ) from error


def _stopped_early(rows: list[dict], options: Mapping) -> bool:
    patience = options["early_stopping"]
    if not patience or not rows:
        return False
    best = min(range(len(rows)), key=lambda number: rows[number]["val_loss"])
    return len(rows) - 1 - best >= patience


def _train_epoch(learner: Learner, stream: TileStream, options: Mapping, rows: list[dict]) -> dict:
    epoch = len(rows)
    steps = len(stream) * options["epochs"]
    base = options["learning_rate"] * plateau_factor(
        options["schedule"], [row["val_loss"] for row in rows]
    )
    mean, step_seconds, wait_seconds, rate = _Mean(), [], [], base
    batches = stream.epoch(epoch)
    for number in range(len(stream)):
        asked = time.perf_counter()
        batch = next(batches)
        begun = time.perf_counter()
        rate = learning_rate(options["schedule"], base, epoch * len(stream) + number, steps, epoch)
        losses = learner.train_batch(batch, rate)
        ended = time.perf_counter()
        _check_finite(losses, f"in epoch {epoch + 1}, step {number + 1}", rate)
        mean.add(losses, len(batch[0]))
        step_seconds.append(ended - begun)
        wait_seconds.append(begun - asked)
        _progress(epoch + 1, number + 1, len(stream), losses["loss"])
    return {
        **mean.result(),
        "learning_rate": rate,
        "step_ms": 1000 * float(np.median(step_seconds)),
        "wait_ms": 1000 * float(np.mean(wait_seconds)),
        "tiles_per_second": mean.weight / (sum(step_seconds) + sum(wait_seconds)),
    }


def _validate(learner: Learner, stream: TileStream, epoch: int) -> dict[str, float]:
    mean = _Mean()
    for batch in stream.epoch(0):
        mean.add(learner.validate_batch(batch), len(batch[0]))
    losses = mean.result("val_")
    _check_finite(losses, f"on the validation tiles after epoch {epoch}", None)
    return losses


def _check_finite(losses: Mapping[str, float], where: str, rate: float | None) -> None:
    wrong = {name: value for name, value in losses.items() if not math.isfinite(value)}
    if wrong:
        at_rate = "" if rate is None else f" (learning rate {rate:g})"
        named = ", ".join(f"{name} = {value}" for name, value in wrong.items())
        raise UserError(
            f"the loss is not finite {where}{at_rate}: {named}. Lower training.learning_rate, set "
            "training.clip_norm, or turn training.mixed_precision off."
        )


def _progress(epoch: int, step: int, steps: int, loss: float) -> None:
    """Rewrite one line on a terminal; write nothing into a log."""
    if sys.stdout.isatty():
        end = "\n" if step == steps else "\r"
        print(f"epoch {epoch}: step {step}/{steps}, loss {loss:.4f}   ", end=end, flush=True)


def _report(row: Mapping[str, float], epochs: int) -> None:
    print(
        f"epoch {row['epoch']}/{epochs}: loss {row['loss']:.4f}, validation loss "
        f"{row['val_loss']:.4f}, learning rate {row['learning_rate']:.1e}, "
        f"{row['step_ms']:.0f} ms a step (waited {row['wait_ms']:.0f} ms for data), "
        f"{row['seconds']:.0f} s",
        flush=True,
    )
