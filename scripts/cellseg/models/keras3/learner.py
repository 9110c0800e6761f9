"""A network in training: its optimiser, losses and state."""

from collections.abc import Callable, Mapping
from pathlib import Path

from cellseg.models.keras3 import backend  # isort: skip  (decides what Keras computes with)
import keras
import numpy as np
import pandas as pd

from cellseg.io import run_files
from cellseg.models import weight_averages
from cellseg.models.keras3 import losses, optimizer, steps, weight_files
from cellseg.models.keras3.layers import batch_norms
from cellseg.models.keras3.tensorboard import EventFile
from cellseg.targets.heads import HEADS
from cellseg.training.batches import Batch, TileStream
from cellseg.training.checkpoint import ResumeFolder
from cellseg.training.loop import fit
from cellseg.training.precise_batch_norm import recalibrate

Build = Callable[[Mapping, tuple[int, int]], keras.Model]
"""From the settings of a run and the height and width of images to a network, whose input is
(N, H, W, 1) and whose output a dict of head name to (N, H, W, channels), float32."""


def train(
    make: "Callable[[Mapping, int, Path], KerasLearner]",
    settings: Mapping,
    train: TileStream,
    validation: TileStream,
    folder: Path,
    resume: ResumeFolder,
    weights: Path | None = None,
) -> pd.DataFrame:
    """Train one network and save its weights; see :func:`cellseg.training.loop.fit`.

    Parameters
    ----------
    make : learner of a family, from settings, side of the tiles and folder
    settings : from :func:`cellseg.study.runs.run_settings`
    folder : gets weights.h5 and tensorboard/
    weights : Keras file of a backbone trained on ImageNet, without its top, or None
    """
    keras.utils.set_random_seed(settings["seed"])
    compute_in(settings["training"]["mixed_precision"])
    # XLA has no deterministic gradient of max pooling.
    if backend.BACKEND == "tensorflow" and not settings["training"]["xla"]:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    learner = make(settings, train.tiles.size, folder)
    if weights is not None:
        weight_files.load_backbone(learner.model, weights, settings["model"]["backbone"])
    history = fit(learner, train, validation, settings["training"], resume)
    learner.save_weights(folder / run_files.WEIGHTS)
    return history


class KerasLearner:
    """A network with its optimiser and losses; see :class:`cellseg.training.loop.Learner`."""

    def __init__(self, build: Build, settings: Mapping, size: int, folder: Path) -> None:
        options = settings["training"]
        self.heads = list(settings["heads"])
        self.model = build(settings, (size, size))
        if options["batch_norm_momentum"] is not None:
            for layer in batch_norms(self.model):
                layer.momentum = options["batch_norm_momentum"]
        self.optimizer = optimizer.make(options, self.model.trainable_variables)
        self.steps = steps.make(
            self.model,
            self.optimizer,
            self.losses(settings),
            xla=options["xla"],
        )
        self.averages = weight_averages.Averages(
            steps.innermost(self.optimizer),
            self.model.trainable_variables,
            weight_files.to_array,
            self.steps.write_back,
        )
        self.events = EventFile(folder / run_files.TENSORBOARD)

    def losses(self, settings: Mapping) -> dict[str, Callable]:
        """Of each head, a function of truth and prediction, weighted."""
        scale = settings["training"]["softmax_loss_scale"]
        return {head: losses.of_head(HEADS[head], scale) for head in self.heads}

    def train_batch(self, batch: Batch, rate: float) -> dict[str, float]:
        self.averages.put_back()
        return self._named(self.steps.train(*batch, rate))

    def validate_batch(self, batch: Batch) -> dict[str, float]:
        self.averages.use()
        return self._named(self.steps.validate(*batch))

    def recalibrate(self, stream: TileStream, batches: int) -> None:
        self.averages.use()
        self.steps.write_back()
        layers = batch_norms(self.model)
        recalibrate(layers, self.steps.follow, weight_files.to_array, stream, batches)

    def save_state(self, folder: Path) -> None:
        self.averages.put_back()
        self.steps.write_back()
        values = (weight_files.to_array(variable) for variable in self._variables())
        np.savez(folder / "state.npz", *values)

    def load_state(self, folder: Path) -> None:
        self.averages.put_back()
        self.steps.write_back()
        variables = self._variables()
        with np.load(folder / "state.npz") as file:
            if len(file.files) != len(variables):
                raise ValueError(f"{len(file.files)} arrays for {len(variables)} variables")
            for variable, name in zip(variables, file.files, strict=True):
                variable.assign(file[name])

    def save_weights(self, path: Path) -> None:
        self.averages.use()
        self.steps.write_back()
        weight_files.write(self.model, path)

    def load_weights(self, path: Path) -> None:
        self.steps.write_back()
        weight_files.load(self.model, path)
        self.averages.replaced()

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        self.events.write(epoch, row)

    def _variables(self) -> list[keras.Variable]:
        """All that training changes: weights, running averages, random states, moments."""
        return [*self.model.variables, *self.optimizer.variables]

    def _named(self, values: np.ndarray) -> dict[str, float]:
        by_head = zip(self.heads, values.tolist(), strict=True)
        return {"loss": float(values.sum()), **{f"{head}_loss": value for head, value in by_head}}


def compute_in(mixed_precision: str | bool) -> None:
    """Build networks in half floats of that name from here on, or in whole ones."""
    policy = f"mixed_{mixed_precision}" if mixed_precision else "float32"
    keras.config.set_dtype_policy(policy)
