"""What the logs of jobs tell: the last error, and how far a training is."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from cellseg.io.tolerant import number

TAIL = 1 << 18  # bytes read of the end of a log

_EPOCH = re.compile(
    r"^epoch (\d+)/(\d+): loss (\S+), validation loss ([^\s,]+),.*?([\d.]+) s$", re.MULTILINE
)
_NETWORK = re.compile(r"^Network (\d+) of (\d+), for ", re.MULTILINE)  # of an ensemble
_RESUMED = re.compile(r"^Resuming after epoch (\d+) of (\d+)[.,]", re.MULTILINE)


@dataclass
class Training:
    """How far a training is; None where it has not said."""

    epoch: int
    epochs: int
    loss: float | None = None
    val_loss: float | None = None
    epoch_seconds: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """By the mean time of its own epochs; early stopping may end it sooner."""
        if self.epoch_seconds is None:
            return None
        return max(0, self.epochs - self.epoch) * self.epoch_seconds


def end(path: Path) -> str:
    """End of a log; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def last_error(log: str) -> str | None:
    """The last error in the text of a log, or None: ``Error: …``, or the end of a traceback."""
    lines = log.splitlines()
    for position in range(len(lines) - 1, -1, -1):
        line = lines[position]
        if line.startswith("Error:"):
            return line
        if line.startswith("Traceback (most recent call last):"):
            told = (after for after in lines[position + 1 :] if after[:1].strip())
            error = next(told, None)
            return None if error is None or error.startswith("KeyboardInterrupt") else error
    return None


def stopped_by_hand(log: str) -> bool:
    """Whether a log ends with what Python says when it is interrupted."""
    return log.rstrip().rpartition("\n")[2].startswith("KeyboardInterrupt")


def training_of(log: str, state: object, epochs: int) -> Training:
    """How far a training is, by its log or, where that knows less, its state to resume from.

    Parameters
    ----------
    log : text of ``logs/train.log``; it starts anew when the training is resumed
    state : content of ``resume/state.json``, or anything else where there is none
    epochs : of the configuration
    """
    networks = list(_NETWORK.finditer(log))
    if networks:  # one after the other: epochs are counted through all of them
        last = networks[-1]
        training = training_of(log[last.end() :], None, epochs)
        training.epoch += (int(last[1]) - 1) * training.epochs
        training.epochs *= int(last[2])
        return training
    training = Training(0, epochs)
    resumed = _RESUMED.findall(log)
    if resumed:
        training.epoch, training.epochs = (int(text) for text in resumed[-1])
    told = _EPOCH.findall(log)
    if told:
        epoch, of, loss, val_loss, _ = told[-1]
        training.epoch, training.epochs = int(epoch), int(of)
        training.loss, training.val_loss = number(loss), number(val_loss)
    history = state.get("history") if isinstance(state, dict) else None
    rows = [row for row in history if isinstance(row, dict)] if isinstance(history, list) else []
    if len(rows) > training.epochs:
        rows = []  # of other settings: such a state is thrown away
    if rows and len(rows) >= training.epoch:
        training.epoch = len(rows)
        training.loss = number(rows[-1].get("loss"))
        training.val_loss = number(rows[-1].get("val_loss"))
    seconds = [number(row[-1]) for row in told] or [number(row.get("seconds")) for row in rows]
    known = [value for value in seconds if value is not None]
    training.epoch_seconds = mean(known) if known else None
    return training
