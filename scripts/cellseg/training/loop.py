"""The training loop that the model families share. It knows no deep-learning library."""

import math
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from cellseg.errors import UserError
from cellseg.io import own_folders
from cellseg.training import interruption
from cellseg.training.batches import Batch, TileStream
from cellseg.training.checkpoint import ResumeFolder
from cellseg.training.interruption import Interruption
from cellseg.training.learning_rate import learning_rate, plateau_factor
from cellseg.training.length import Length
from cellseg.training.progress_writer import ProgressWriter


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


class Diverged(UserError):
    """A loss is not finite; `losses` are the names of those that are not."""

    def __init__(
        self, losses: Mapping[str, float], epoch: int, step: int | None, rate: float | None
    ) -> None:
        self.epoch, self.step, self.rate, self.losses = epoch, step, rate, list(losses)
        where = f"in epoch {epoch}, step {step}"
        if step is None:
            where = f"on the validation tiles after epoch {epoch}"
        at_rate = "" if rate is None else f" (learning rate {rate:g})"
        named = ", ".join(f"{name} = {value}" for name, value in losses.items())
        super().__init__(
            f"the loss is not finite {where}{at_rate}: {named}. Lower training.learning_rate, set "
            "training.clipnorm, or turn training.mixed_precision off."
        )


@dataclass
class Epoch:
    """Sums over the training steps of an epoch so far; JSON can hold its fields."""

    steps: int = 0
    tiles: int = 0
    loss_sums: dict[str, float] = field(default_factory=dict)
    step_seconds: list[float] = field(default_factory=list)
    wait_seconds: float = 0.0
    rate: float = 0.0
    seconds: float = 0.0  # of earlier attempts

    def add(self, losses: Mapping[str, float], tiles: int) -> None:
        """Count one step, its losses weighted by the size of the batch."""
        _add(self.loss_sums, losses, tiles)
        self.tiles += tiles
        self.steps += 1

    def row(self) -> dict[str, float]:
        """Its part of the history's row."""
        return {
            "steps": self.steps,
            **{name: value / self.tiles for name, value in self.loss_sums.items()},
            "learning_rate": self.rate,
            "step_ms": 1000 * float(np.median(self.step_seconds)),
            "wait_ms": 1000 * self.wait_seconds / self.steps,
            "tiles_per_second": self.tiles / (sum(self.step_seconds) + self.wait_seconds),
        }


def fit(
    learner: Learner,
    train: TileStream,
    validation: TileStream,
    options: Mapping,
    resume: ResumeFolder,
) -> pd.DataFrame:
    """Train until the last step, going on where an earlier attempt stopped.

    After each epoch (:class:`cellseg.training.length.Length`) the network is validated. Passes over
    the training tiles follow each other whatever the length of epochs.

    Parameters
    ----------
    learner : the model with its optimiser
    train, validation : streams of batches
    options : the run's ``training`` settings
        epochs or steps, steps_per_epoch, learning_rate, schedule, checkpoint, early_stopping and
        precise_batch_norm_batches
    resume : holds the state after each epoch, and that of the last step when a signal asked to
        stop; the caller clears it when all results are written. Its `progress` is kept up to date

    Returns
    -------
    DataFrame with one row an epoch
        epoch (from 1), steps (of the epoch), loss, <head>_loss, val_loss, val_<head>_loss,
        learning_rate (of the last step), seconds (training and validation), step_ms (median time of
        a training step), wait_ms (mean time a step waited for its batch), tiles_per_second

    Raises
    ------
    UserError
        A loss is not finite (the message names epoch, step and what to change), the state to
        resume from is damaged, or a signal asked to stop (the state is then saved).
    """
    progress = resume.progress
    length = Length.of(options, len(train))
    with interruption.noticed() as interrupted:
        rows, epoch = _resumed(learner, resume, length)
        own_folders.make(resume.folder)
        progress.begin(length, rows, epoch.steps, epoch.seconds)
        while len(rows) < length.epochs and not _stopped_early(rows, options):
            started = time.perf_counter()
            number = len(rows) + 1
            try:
                _train_epoch(learner, train, options, length, rows, epoch, interrupted, progress)
                if not interrupted:
                    losses = _validate(learner, validation, number, interrupted)
            except Diverged as error:
                progress.diverged(error.epoch, error.step, error.rate, error.losses)
                raise
            seconds = epoch.seconds + time.perf_counter() - started
            if interrupted:
                epoch.seconds = seconds
                _save(learner, resume, rows, epoch)
                progress.stopped()
                raise UserError(
                    f"{interrupted.name} came in epoch {number} of {length.epochs}, after step "
                    f"{epoch.steps} of {length.steps_of(len(rows))}. The state is saved: run "
                    "again to resume there."
                )
            row = {"epoch": number, **epoch.row(), **losses, "seconds": seconds}
            rows.append(row)
            epoch = Epoch()
            learner.log_epoch(number, row)
            if row["val_loss"] <= min(earlier["val_loss"] for earlier in rows):
                learner.save_weights(resume.best)
            _save(learner, resume, rows, epoch)
            progress.epoch(row)
            _report(row, length.epochs)

        if options["checkpoint"] == "best":
            learner.load_weights(resume.best)
        if options["precise_batch_norm_batches"]:
            learner.recalibrate(train, options["precise_batch_norm_batches"])
    return pd.DataFrame(rows)


def _resumed(learner: Learner, resume: ResumeFolder, length: Length) -> tuple[list[dict], Epoch]:
    """History and begun epoch of an earlier attempt, whose state the learner takes over."""
    state = resume.load()
    if state is None:
        return [], Epoch()
    try:
        rows, epoch = state["history"], Epoch(**state["epoch"])
        learner.load_state(state["files"])
    except Exception as error:  # every library has its own exceptions for a broken file
        raise UserError(
            f"the state to resume from, {resume.folder}, is damaged ({error}). Delete that folder; "
            "the training then starts again."
        ) from error
    within = f", step {epoch.steps} of the next" if epoch.steps else ""
    print(f"Resuming after epoch {len(rows)} of {length.epochs}{within}.", flush=True)
    return rows, epoch


def _save(learner: Learner, resume: ResumeFolder, rows: list[dict], epoch: Epoch) -> None:
    name = f"epoch-{len(rows)}-step-{epoch.steps}"
    if resume.saved == name:  # a signal came before the first step; what is there is not touched
        return
    with resume.writing(name, {"history": rows, "epoch": asdict(epoch)}) as folder:
        learner.save_state(folder)


def _stopped_early(rows: list[dict], options: Mapping) -> bool:
    patience = options["early_stopping"]
    if not patience or not rows:
        return False
    best = min(range(len(rows)), key=lambda number: rows[number]["val_loss"])
    return len(rows) - 1 - best >= patience


def _train_epoch(
    learner: Learner,
    stream: TileStream,
    options: Mapping,
    length: Length,
    rows: list[dict],
    epoch: Epoch,
    interrupted: Interruption,
    progress: ProgressWriter,
) -> None:
    """Make the steps of an epoch that are still to be made, until a signal asks to stop."""
    finished = len(rows)
    steps, before = length.steps_of(finished), length.first_step(finished)
    base = options["learning_rate"] * plateau_factor(
        options["schedule"], [row["val_loss"] for row in rows]
    )
    batches = _batches_from(stream, before + epoch.steps)
    while epoch.steps < steps and not interrupted:
        asked = time.perf_counter()
        batch = next(batches)
        begun = time.perf_counter()
        epoch.rate = learning_rate(
            options["schedule"], base, before + epoch.steps, length.steps, finished
        )
        losses = learner.train_batch(batch, epoch.rate)
        ended = time.perf_counter()
        _check_finite(losses, finished + 1, epoch.steps + 1, epoch.rate)
        epoch.add(losses, len(batch[0]))
        epoch.step_seconds.append(ended - begun)
        epoch.wait_seconds += begun - asked
        progress.step(epoch.steps)
        _show_step(finished + 1, epoch.steps, steps, losses["loss"])
    batches.close()


def _batches_from(stream: TileStream, step: int) -> Iterator[Batch]:
    """Batches from that of a step on, counted over all passes over the tiles, without end."""
    number, first = divmod(step, len(stream))
    while True:
        yield from stream.epoch(number, first=first)
        number, first = number + 1, 0


def _validate(
    learner: Learner, stream: TileStream, epoch: int, interrupted: Interruption
) -> dict[str, float]:
    """Losses on the validation tiles; of no meaning when a signal asked to stop."""
    sums: dict[str, float] = {}
    tiles = 0
    for batch in stream.epoch(0):
        _add(sums, learner.validate_batch(batch), len(batch[0]))
        tiles += len(batch[0])
        if interrupted:
            break
    losses = {f"val_{name}": value / tiles for name, value in sums.items()}
    _check_finite(losses, epoch, None, None)
    return losses


def _add(sums: dict[str, float], losses: Mapping[str, float], weight: int) -> None:
    for name, value in losses.items():
        sums[name] = sums.get(name, 0.0) + float(value) * weight


def _check_finite(
    losses: Mapping[str, float], epoch: int, step: int | None, rate: float | None
) -> None:
    wrong = {name: value for name, value in losses.items() if not math.isfinite(value)}
    if wrong:
        raise Diverged(wrong, epoch, step, rate)


def _show_step(epoch: int, step: int, steps: int, loss: float) -> None:
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
