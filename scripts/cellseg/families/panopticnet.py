"""Family ``panopticnet``: the network of Mesmer in Keras 3, on TensorFlow, JAX or PyTorch.

The same network as the family ``deepcell`` (tests compare weights, outputs, losses and steps).
Beyond it: images of any size, pretrained backbones fed as they expect, TensorFlow, JAX or PyTorch.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from cellseg import keras_backend  # isort: skip  (decides what Keras computes with)
import keras
import numpy as np
import pandas as pd

from cellseg.event_file import EventFile
from cellseg.heads import HEADS
from cellseg.panopticnet import losses, network, steps, weight_files
from cellseg.panopticnet.backbones import STRIDE
from cellseg.panopticnet.semantic_heads import batch_norms
from cellseg.recalibration import recalibrate
from cellseg.resume import ResumeFolder
from cellseg.stream import Batch, TileStream
from cellseg.training import fit

WEIGHTS = "weights.h5"
SHAPES_KEPT = 4
"""Networks that a predictor keeps, one for each size of image."""

BACKEND = keras_backend.BACKEND
set_threads = keras_backend.set_threads
device = keras_backend.device
versions = keras_backend.versions


def train(
    settings: Mapping,
    train: TileStream,
    validation: TileStream,
    folder: Path,
    resume: ResumeFolder,
    weights: Path | None = None,
) -> pd.DataFrame:
    """Train one network and save its weights; see :func:`cellseg.training.fit`.

    Parameters
    ----------
    settings : from :func:`cellseg.study.run_settings`
    folder : gets weights.h5 and tensorboard/
    weights : Keras file of a backbone trained on ImageNet, without its top, or None
    """
    keras.utils.set_random_seed(settings["seed"])
    _compute_in(settings["training"]["mixed_precision"])
    # XLA has no deterministic gradient of max pooling.
    if keras_backend.BACKEND == "tensorflow" and not settings["training"]["xla"]:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    learner = PanopticnetLearner(settings, size=train.tiles.size, folder=folder)
    if weights is not None:
        weight_files.load_backbone(learner.model, weights)
    history = fit(learner, train, validation, settings["training"], resume)
    learner.save_weights(folder / WEIGHTS)
    return history


class PanopticnetLearner:
    """A network with its optimiser and losses; see :class:`cellseg.training.Learner`."""

    def __init__(self, settings: Mapping, size: int, folder: Path) -> None:
        options = settings["training"]
        self.heads = list(settings["heads"])
        self.model = network.build(settings, (size, size))
        if options["batch_norm_momentum"] is not None:
            for layer in batch_norms(self.model):
                layer.momentum = options["batch_norm_momentum"]
        self.optimizer = _optimizer(options)
        self.optimizer.build(self.model.trainable_variables)
        self.steps = steps.make(
            self.model,
            self.optimizer,
            {
                head: losses.of_head(HEADS[head].channels, options["softmax_loss_scale"])
                for head in self.heads
            },
            xla=options["xla"],
        )
        self.events = EventFile(folder / "tensorboard")

    def train_batch(self, batch: Batch, rate: float) -> dict[str, float]:
        return self._named(self.steps.train(*batch, rate))

    def validate_batch(self, batch: Batch) -> dict[str, float]:
        return self._named(self.steps.validate(*batch))

    def recalibrate(self, stream: TileStream, batches: int) -> None:
        self.steps.write_back()
        layers = batch_norms(self.model)
        recalibrate(layers, self.steps.follow, weight_files.to_array, stream, batches)

    def save_state(self, folder: Path) -> None:
        self.steps.write_back()
        values = (weight_files.to_array(variable) for variable in self._variables())
        np.savez(folder / "state.npz", *values)

    def load_state(self, folder: Path) -> None:
        self.steps.write_back()
        variables = self._variables()
        with np.load(folder / "state.npz") as file:
            if len(file.files) != len(variables):
                raise ValueError(f"{len(file.files)} arrays for {len(variables)} variables")
            for variable, name in zip(variables, file.files, strict=True):
                variable.assign(file[name])

    def save_weights(self, path: Path) -> None:
        self.steps.write_back()
        weight_files.write(self.model, path)

    def load_weights(self, path: Path) -> None:
        self.steps.write_back()
        weight_files.load(self.model, path)

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        self.events.write(epoch, row)

    def _variables(self) -> list[keras.Variable]:
        """All that training changes: weights, running averages, random states, moments."""
        return [*self.model.variables, *self.optimizer.variables]

    def _named(self, values: np.ndarray) -> dict[str, float]:
        by_head = zip(self.heads, values.tolist(), strict=True)
        return {"loss": float(values.sum()), **{f"{head}_loss": value for head, value in by_head}}


class Predictor:
    """A trained network, applied to images of any size."""

    def __init__(self, settings: Mapping, folder: Path) -> None:
        _compute_in(False)
        self.settings, self.path = settings, folder / WEIGHTS
        self._predictors: dict[tuple[int, int], object] = {}

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Maps of images ``(N, H, W, 1)`` float32, by head name.

        Heights and widths that are no multiple of the coarsest level's stride are filled up with
        the mirrored image, and the maps cut back.
        """
        height, width = images.shape[1:3]
        missing = [(0, -length % STRIDE) for length in (height, width)]
        padded = np.pad(images, [(0, 0), *missing, (0, 0)], mode="symmetric")
        maps = self._predictor(padded.shape[1:3])(padded)
        return {head: maps[head][:, :height, :width] for head in self.settings["heads"]}

    def _predictor(self, shape: tuple[int, int]):
        if shape not in self._predictors:
            if len(self._predictors) == SHAPES_KEPT:  # each holds the weights, and is compiled
                self._predictors.pop(next(iter(self._predictors)))
            model = network.build(self.settings, shape)
            weight_files.load(model, self.path)
            self._predictors[shape] = steps.predictor(model)
        return self._predictors[shape]


def exportable(settings: Mapping, folder: Path, size: int) -> tuple[Callable, list]:
    """A trained network on squares of `size` pixels, for a SavedModel; on TensorFlow only.

    Returns
    -------
    function of a tensor (N, size, size, 1), float32, to a dict of head name to tensor, and the
    TensorFlow variables that it reads
    """
    _compute_in(False)
    model = network.build(settings, (size, size))
    weight_files.load(model, folder / WEIGHTS)
    variables = [variable.value for variable in model.variables]
    return lambda images: model(images, training=False), variables


def parameters(settings: Mapping) -> int:
    """Number of weights of the network, trained or not."""
    return network.build(settings, (settings["tiling"]["size"],) * 2).count_params()


def _compute_in(mixed_precision: str | bool) -> None:
    policy = f"mixed_{mixed_precision}" if mixed_precision else "float32"
    keras.config.set_dtype_policy(policy)


def _optimizer(options: Mapping) -> keras.optimizers.Optimizer:
    clip = {"global": "global_clipnorm", "variable": "clipnorm"}[options["clip_norm_by"]]
    clipping = {} if options["clip_norm"] is None else {clip: options["clip_norm"]}
    adam = keras.optimizers.Adam(learning_rate=options["learning_rate"], **clipping)
    # Half floats end at 6e-5: small gradients would vanish.
    scaled = options["mixed_precision"] == "float16"
    return keras.optimizers.LossScaleOptimizer(adam) if scaled else adam
