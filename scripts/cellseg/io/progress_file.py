"""``progress.json`` of a run: how far its training is, for programs to read.

Training writes it, see :mod:`cellseg.training.progress_writer`. Like ``resume/`` it is no output
of the workflow: Snakemake would delete it with the outputs of a job that failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cellseg.io import run_files, tolerant
from cellseg.io.stamps import stamp

NAME = run_files.PROGRESS
FORMAT = 1
TRAINING, FINISHED, DIVERGED = "training", "finished", "diverged"
LARGEST = 10**9  # of a count; a file with more is not ours


@dataclass
class Training:
    """How far a training is; None for what is not known yet.

    Epochs of an ensemble are counted through all of its networks, one after the other. `step` is
    within the epoch that has begun.
    """

    epoch: int
    epochs: int
    loss: float | None = None
    val_loss: float | None = None
    epoch_seconds: float | None = None
    step: int = 0
    steps_per_epoch: int | None = None

    @property
    def share(self) -> float:
        """Share of the training that is done, from 0 to 1."""
        if not self.epochs:
            return 0.0
        begun = self.step / self.steps_per_epoch if self.steps_per_epoch else 0.0
        return min(1.0, (self.epoch + begun) / self.epochs)

    @property
    def seconds_left(self) -> float | None:
        """By the mean time of an epoch; early stopping may end it sooner."""
        if self.epoch_seconds is None:
            return None
        return self.epochs * (1 - self.share) * self.epoch_seconds


def read(run: Path) -> dict | None:
    """Content of a run's file; None where there is none of this format."""
    content = tolerant.json_file(run / NAME)
    if not isinstance(content, dict) or _count(content.get("format")) != FORMAT:
        return None
    return content


def remove(run: Path) -> None:
    """Remove what an earlier training wrote."""
    (run / NAME).unlink(missing_ok=True)


def training_of(content: Mapping | None, epochs: int, running: bool) -> Training:
    """How far a training is, by the content of its file.

    Parameters
    ----------
    content : from :func:`read`
    epochs : of the configuration; 0 where that does not know the run
    running : whether the training runs; a file that says otherwise is of an earlier one

    Returns
    -------
    Training : epoch 0 of `epochs` where the file says nothing of this training
    """
    none = Training(0, epochs)
    known = (TRAINING,) if running else (TRAINING, DIVERGED)
    if content is None or content.get("state") not in known:
        return none
    names = ("epoch", "epochs", "step", "steps_per_epoch")
    epoch, of, step, steps = (_count(content.get(name)) for name in names)
    if None in (epoch, of, step, steps) or not of or epoch > of or step > steps:
        return none
    if not running and of != epochs:  # of other settings: the next attempt does not resume it
        return none
    training = Training(
        epoch, of, tolerant.number(content.get("loss")), tolerant.number(content.get("val_loss")),
        step=step, steps_per_epoch=steps,
    )  # fmt: skip
    seconds = tolerant.number(content.get("seconds"))
    if epoch and seconds is not None and seconds >= 0:
        # The first steps of an attempt are slow, so that nothing is said before an epoch.
        training.epoch_seconds = seconds / (epoch + (step / steps if steps else 0))
    network = content.get("network")
    if isinstance(network, dict):
        number, networks = _count(network.get("number")), _count(network.get("of"))
        if not number or not networks or number > networks:
            return none
        training.epoch += (number - 1) * of
        training.epochs *= networks
    return training


def has_diverged(content: Mapping | None, settings: Mapping) -> bool:
    """Whether a training with these settings ended with a loss that is not finite.

    Parameters
    ----------
    content : from :func:`read`
    settings : from :func:`cellseg.study.runs.run_settings`
    """
    return (
        content is not None
        and content.get("state") == DIVERGED
        and content.get("settings") == stamp(settings)
    )


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
    return value if is_count else None
