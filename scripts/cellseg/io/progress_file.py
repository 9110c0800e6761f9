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
    within the epoch that has begun; `steps` are all those of the network in training, whose last
    epoch may be shorter.
    """

    epoch: int
    epochs: int
    loss: float | None = None
    val_loss: float | None = None
    epoch_seconds: float | None = None
    step: int = 0
    steps_per_epoch: int | None = None
    steps: int | None = None
    network: int = 1
    networks: int = 1

    @property
    def share(self) -> float:
        """Share of the training that is done, from 0 to 1."""
        if not self.epochs:
            return 0.0
        if not self.steps_per_epoch:
            return min(1.0, self.epoch / self.epochs)
        steps = self._steps
        epochs = self.epoch - (self.network - 1) * self.epochs // self.networks
        done = min(steps, epochs * self.steps_per_epoch + self.step)
        return (self.network - 1 + done / steps) / self.networks

    @property
    def seconds_left(self) -> float | None:
        """By the mean time of an epoch; early stopping may end it sooner."""
        if self.epoch_seconds is None:
            return None
        steps = self._steps if self.steps_per_epoch else None
        epochs = steps / self.steps_per_epoch * self.networks if steps else self.epochs
        return epochs * (1 - self.share) * self.epoch_seconds

    @property
    def _steps(self) -> int:
        """Of a network; files of former versions name those of an epoch alone."""
        return self.steps or self.steps_per_epoch * self.epochs // self.networks


def read(run: Path) -> dict | None:
    """Content of a run's file; None where there is none of this format."""
    content = tolerant.json_file(run / NAME)
    if not isinstance(content, dict) or _count(content.get("format")) != FORMAT:
        return None
    return content


def remove(run: Path) -> None:
    """Remove what an earlier training wrote."""
    (run / NAME).unlink(missing_ok=True)


def training_of(
    content: Mapping | None, epochs: int, running: bool, steps: int | None = None
) -> Training:
    """How far a training is, by the content of its file.

    Parameters
    ----------
    content : from :func:`read`
    epochs : of the configuration; 0 where that does not know the run, or gives steps alone
    running : whether the training runs; a file that says otherwise is of an earlier one
    steps : of the configuration, where that gives steps

    Returns
    -------
    Training : epoch 0 of `epochs` where the file says nothing of this training
    """
    none = Training(0, epochs)
    known = (TRAINING,) if running else (TRAINING, DIVERGED)
    if content is None or content.get("state") not in known:
        return none
    names = ("epoch", "epochs", "step", "steps_per_epoch")
    epoch, of, step, of_epoch = (_count(content.get(name)) for name in names)
    in_all = _count(content.get("steps"))
    if None in (epoch, of, step, of_epoch) or not of or epoch > of or step > of_epoch:
        return none
    is_of_these = in_all == steps if steps else of == epochs
    if not running and not is_of_these:  # of other settings: the next attempt does not resume it
        return none
    training = Training(
        epoch, of, tolerant.number(content.get("loss")), tolerant.number(content.get("val_loss")),
        step=step, steps_per_epoch=of_epoch, steps=in_all,
    )  # fmt: skip
    seconds = tolerant.number(content.get("seconds"))
    if epoch and seconds is not None and seconds >= 0:
        # The first steps of an attempt are slow, so that nothing is said before an epoch.
        training.epoch_seconds = seconds / _epochs_done(training)
    network = content.get("network")
    if isinstance(network, dict):
        number, networks = _count(network.get("number")), _count(network.get("of"))
        if not number or not networks or number > networks:
            return none
        training.network, training.networks = number, networks
        training.epoch += (number - 1) * of
        training.epochs *= networks
    return training


def _epochs_done(training: Training) -> float:
    """Epochs of whole length, of one network."""
    if not training.steps_per_epoch:
        return training.epoch
    done = training.epoch + training.step / training.steps_per_epoch
    return min(done, training.steps / training.steps_per_epoch) if training.steps else done


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
