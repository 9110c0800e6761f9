"""Writing ``progress.json`` while a network is trained, see :mod:`cellseg.io.progress_file`."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import atomic, tolerant
from cellseg.io.progress_file import DIVERGED, FINISHED, FORMAT, NAME, TRAINING
from cellseg.io.stamps import stamp
from cellseg.training.length import Length

EVERY = 10.0  # seconds between two files within an epoch


class ProgressWriter:
    """Keeps the file of a run up to date. A file that cannot be written stops no training.

    Parameters
    ----------
    run : folder of the run, or None to write nothing
    settings : from :func:`cellseg.study.runs.run_settings`; the file names their stamp

    Attributes
    ----------
    network : number and cell type of the network in training, of an ensemble; else None
    """

    def __init__(self, run: Path | None, settings: Mapping) -> None:
        self.run = run
        self.network: dict | None = None
        self._settings = "" if run is None else stamp(settings)
        self._content = {
            "epoch": 0, "epochs": 0, "step": 0, "steps_per_epoch": 0, "steps": 0,
            "loss": None, "val_loss": None,
        }  # fmt: skip
        self._seconds = 0.0
        self._begun: float | None = None
        self._written = 0.0
        self._complained = False

    def begin(
        self, length: Length, rows: Sequence[Mapping], step: int = 0, seconds: float = 0.0
    ) -> None:
        """Start, or resume, the training of a network.

        Parameters
        ----------
        length : of the training
        rows : history of the epochs that are finished
        step, seconds : of the epoch that an earlier attempt began
        """
        self._content |= {
            "epoch": len(rows), "epochs": length.epochs, "step": step,
            "steps_per_epoch": length.steps_per_epoch, "steps": length.steps,
            "loss": rows[-1].get("loss") if rows else None,
            "val_loss": rows[-1].get("val_loss") if rows else None,
        }  # fmt: skip
        self._seconds = seconds + sum(float(row.get("seconds", 0.0)) for row in rows)
        self._begun = time.monotonic()
        self._write(TRAINING)

    def step(self, step: int) -> None:
        """Count a step; the file is written every few seconds only."""
        self._content["step"] = step
        if time.monotonic() - self._written >= EVERY:
            self._write(TRAINING)

    def epoch(self, row: Mapping) -> None:
        """Count an epoch, given its row of the history."""
        self._content |= {
            "epoch": int(row["epoch"]), "step": 0, "loss": row["loss"], "val_loss": row["val_loss"],
        }  # fmt: skip
        self._write(TRAINING)

    def stopped(self) -> None:
        """Write the last step, before the training stops on a signal."""
        self._write(TRAINING)

    def diverged(
        self, epoch: int, step: int | None, rate: float | None, losses: Sequence[str]
    ) -> None:
        """Say where losses were not finite.

        Parameters
        ----------
        epoch, step : numbers from 1; no step where it was on validation tiles
        rate : learning rate of the step
        losses : their names
        """
        where = {"epoch": epoch, "step": step, "learning_rate": tolerant.number(rate)}
        self._write(DIVERGED, {**where, "losses": list(losses)})

    def finished(self) -> None:
        """Say that all networks are trained and their files written."""
        self._write(FINISHED)

    def _write(self, state: str, diverged: dict | None = None) -> None:
        if self.run is None:
            return
        now = time.monotonic()
        self._written = now
        seconds = self._seconds + (0.0 if self._begun is None else now - self._begun)
        content = {
            "format": FORMAT,
            "state": state,
            **self._content,
            "loss": tolerant.number(self._content["loss"]),
            "val_loss": tolerant.number(self._content["val_loss"]),
            "seconds": round(seconds, 1),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "settings": self._settings,
            **({} if self.network is None else {"network": self.network}),
            **({} if diverged is None else {"diverged": diverged}),
        }
        try:
            atomic.write_json(self.run / NAME, content, synced=False)
        except (OSError, UserError) as error:
            if not self._complained:
                self._complained = True
                print(
                    f"Progress is not shown: {self.run / NAME} cannot be written ({error}). The "
                    "training continues.",
                    flush=True,
                )
