"""Family ``deepcell``: PanopticNet as the deepcell package builds it, on legacy Keras.

The published reference (Greenwald et al., Nature Biotechnology 2022; deepcell 0.12.10). This is
the only module that calls deepcell. Normalisation happens in the data stream, so the network is
built without deepcell's own normalisation layer.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import cellseg.models.deepcell.compat  # noqa: F401  isort: skip  (makes the imports below possible)
import h5py
import numpy as np
import pandas as pd
import tensorflow as tf
import tf_keras
from deepcell import losses
from deepcell.model_zoo.panopticnet import PanopticNet
from tf_keras.src.saving.legacy.hdf5_format import save_weights_to_hdf5_group

from cellseg.errors import UserError
from cellseg.io import disk_full, hdf5_checks, run_files
from cellseg.io.atomic import write_hdf5
from cellseg.models import backbone_files, keras_files, starting, weight_averages
from cellseg.models.deepcell import optimizer
from cellseg.targets.heads import HEADS
from cellseg.training.batches import Batch, TileStream
from cellseg.training.checkpoint import ResumeFolder
from cellseg.training.loop import fit
from cellseg.training.precise_batch_norm import recalibrate
from cellseg.training.start import Start

BACKEND = "tensorflow"


def build(settings: Mapping, size: int) -> tf_keras.Model:
    """PanopticNet for square tiles of `size` pixels (a power of two).

    Parameters
    ----------
    settings : ``settings["model"]`` names backbone, backbone_levels, lite and location;
        the outputs follow the order of ``settings["heads"]``
    """
    model = settings["model"]
    return PanopticNet(
        model["backbone"],
        input_shape=(size, size, 1),
        backbone_levels=model["backbone_levels"],
        pyramid_levels=[level.replace("C", "P") for level in model["backbone_levels"]],
        num_semantic_classes=[HEADS[head].channels for head in settings["heads"]],
        lite=model.get("lite", False),
        norm_method=None,
        location=model["location"],
        use_imagenet=False,
    )


def train(
    settings: Mapping,
    train: TileStream,
    validation: TileStream,
    folder: Path,
    resume: ResumeFolder,
    weights: Path | None = None,
    start: Start | None = None,
) -> pd.DataFrame:
    """Train one network and save its weights; see :func:`cellseg.training.loop.fit`.

    Parameters
    ----------
    settings : from :func:`cellseg.study.runs.run_settings`
    folder : gets weights.h5 and tensorboard/
    weights : Keras file of a backbone trained on ImageNet, without its top, or None
    start : what to start from, on top of those, or None
    """
    tf_keras.backend.clear_session()  # layer names in the weight file count from one
    tf_keras.utils.set_random_seed(settings["seed"])
    if not settings["training"]["xla"]:  # which has no deterministic gradient of max pooling
        tf.config.experimental.enable_op_determinism()
    mixed = settings["training"]["mixed_precision"]
    tf_keras.mixed_precision.set_global_policy(f"mixed_{mixed}" if mixed else "float32")

    learner = DeepcellLearner(settings, size=train.tiles.size, folder=folder, start=start)
    if weights is not None:
        load_backbone(learner.model, weights, settings["model"]["backbone"])
    if start is not None:
        load_start(learner.model, start)
    history = fit(learner, train, validation, settings["training"], resume)
    learner.save_weights(folder / run_files.WEIGHTS)
    return history


class DeepcellLearner:
    """A PanopticNet with its optimiser and losses; see :class:`cellseg.training.loop.Learner`."""

    def __init__(
        self, settings: Mapping, size: int, folder: Path, start: Start | None = None
    ) -> None:
        options = settings["training"]
        self.heads = list(settings["heads"])
        self.model = build(settings, size)
        if options["batch_norm_momentum"] is not None:
            for layer in batch_norms(self.model):
                layer.momentum = options["batch_norm_momentum"]
        if start is not None:
            learning = [layer.name for layer in self.model.layers if layer.trainable_weights]
            for layer in starting.frozen(start, _parts(self.model), learning):
                self.model.get_layer(layer).trainable = False
        rates = None if start is None else _rates(self.model, start)
        self.model.compile(
            optimizer=optimizer.make(options, self.model.trainable_variables, rates),
            loss=[_loss(head, options["softmax_loss_scale"]) for head in self.heads],
            jit_compile=options["xla"],
        )
        self.optimizer = self.model.optimizer
        self.optimizer.build(self.model.trainable_variables)
        self.averages = weight_averages.Averages(
            getattr(self.optimizer, "inner_optimizer", self.optimizer),
            self.model.trainable_variables,
            lambda variable: variable.numpy(),
        )
        self.checkpoint = tf.train.Checkpoint(model=self.model, optimizer=self.optimizer)
        self.events = folder / run_files.TENSORBOARD
        self.summary = None

    def train_batch(self, batch: Batch, rate: float) -> dict[str, float]:
        self.averages.put_back()
        tf_keras.backend.set_value(self.optimizer.learning_rate, rate)
        return self._named(self.model.train_on_batch(*self._arrays(batch), return_dict=True))

    def validate_batch(self, batch: Batch) -> dict[str, float]:
        self.averages.use()
        return self._named(self.model.test_on_batch(*self._arrays(batch), return_dict=True))

    def recalibrate(self, stream: TileStream, batches: int) -> None:
        self.averages.use()
        forward = tf.function(lambda images: self.model(images, training=True))
        layers = [layer for layer in batch_norms(self.model) if layer.trainable]
        recalibrate(layers, forward, lambda variable: variable.numpy(), stream, batches)

    def save_state(self, folder: Path) -> None:
        self.averages.put_back()
        self.checkpoint.write(str(folder / "state"))

    def load_state(self, folder: Path) -> None:
        self.averages.put_back()
        self.checkpoint.read(str(folder / "state")).assert_consumed()

    def save_weights(self, path: Path) -> None:
        self.averages.use()
        # What the model's own save_weights does, but for the file being made in memory.
        write_hdf5(path, lambda file: save_weights_to_hdf5_group(file, self.model))

    def load_weights(self, path: Path) -> None:
        self.model.load_weights(str(path))
        self.averages.replaced()

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        with disk_full.explained(self.events):
            if self.summary is None:
                self.summary = tf.summary.create_file_writer(str(self.events))
            with self.summary.as_default():
                for name, value in row.items():
                    tf.summary.scalar(name, value, step=epoch)
            self.summary.flush()

    def _arrays(self, batch: Batch) -> tuple[np.ndarray, list[np.ndarray]]:
        images, maps = batch
        return images, [maps[head] for head in self.heads]

    def _named(self, losses: Mapping[str, float]) -> dict[str, float]:
        if len(self.heads) == 1:
            return {"loss": losses["loss"], f"{self.heads[0]}_loss": losses["loss"]}
        outputs = zip(self.heads, self.model.output_names, strict=True)
        named = {f"{head}_loss": losses[f"{output}_loss"] for head, output in outputs}
        return {"loss": losses["loss"], **named}


class Predictor:
    """A trained network, applied to square tiles whose side is a power of two."""

    def __init__(self, settings: Mapping, folder: Path) -> None:
        tf_keras.mixed_precision.set_global_policy("float32")
        self.settings, self.path = settings, folder / run_files.WEIGHTS
        self._models: dict[int, tf_keras.Model] = {}

    def __call__(self, tiles: np.ndarray) -> dict[str, np.ndarray]:
        """Maps of tiles ``(N, S, S, 1)`` float32, by head name."""
        outputs = self._model(tiles.shape[1]).predict_on_batch(tiles)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        return dict(zip(self.settings["heads"], outputs, strict=True))

    def _model(self, size: int) -> tf_keras.Model:
        if size not in self._models:
            self._models[size] = _trained(self.settings, self.path, size)
        return self._models[size]


def exportable(settings: Mapping, folder: Path, size: int) -> tuple[Callable, list]:
    """A trained network on squares of `size` pixels, for a SavedModel.

    Returns
    -------
    function of a tensor (N, size, size, 1), float32, to a dict of head name to tensor, and the
    TensorFlow variables that it reads
    """
    tf_keras.mixed_precision.set_global_policy("float32")
    model = _trained(settings, folder / run_files.WEIGHTS, size)

    def maps(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = tf.nest.flatten(model(images, training=False))
        return dict(zip(settings["heads"], outputs, strict=True))

    return maps, model.variables


def _trained(settings: Mapping, path: Path, size: int) -> tf_keras.Model:
    """The network with the weights of a file, for squares of `size` pixels."""
    model = build(settings, size)
    hdf5_checks.refuse(path)
    try:
        model.load_weights(str(path))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} does not hold the weights of this model ({error}). Delete it "
            "and rerun the workflow to train again."
        ) from error
    return model


def load_backbone(model: tf_keras.Model, path: Path, backbone: str = "") -> int:
    """Copy ImageNet weights into the backbone, by layer name; return how many layers matched.

    EfficientNet's input normalisation is left at the identity: the images are normalised already.

    Parameters
    ----------
    model : a PanopticNet
    backbone : its name, for errors

    Raises
    ------
    UserError
        The file is not for this backbone. Keras would skip the layers without a word.
    """
    hdf5_checks.refuse(path)
    try:
        with h5py.File(path, "r") as file:
            group = file.get("model_weights", file)
            found = [name for name in group.attrs["layer_names"] if len(group[name])]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is not a Keras weight file ({error}). Copy or make it again."
        ) from error
    found = [name.decode() if isinstance(name, bytes) else name for name in found]
    shared = backbone_files.shared_layers(path, backbone, _backbone_layers(model), found)
    kept = [
        (layer, layer.get_weights())
        for layer in model.layers
        if isinstance(layer, tf_keras.layers.Normalization)
    ]
    try:
        model.load_weights(str(path), by_name=True)
    except ValueError as error:
        raise UserError(
            f"{path} has other shapes than the backbone {backbone} ({error})."
        ) from error
    for layer, weights in kept:
        layer.set_weights(weights)
        layer.finalize_state()  # computes with copies of its weights
    return len(shared)


def load_start(model: tf_keras.Model, start: Start) -> None:
    """Set the weights that are taken from another run.

    Raises
    ------
    UserError
        The file is none of weights, or does not fit; see :func:`.starting.matching`.
    """
    names = list(_parts(model))
    common = dict(zip(names, keras_files.common_names(names), strict=True))
    own = {
        (common[name], number): variable
        for name in names
        for number, variable in enumerate(model.get_layer(name).weights)
    }
    weights = keras_files.read_start(start)
    keys = starting.matching(
        start,
        [common[name] for name in starting.taken(start, _parts(model))],
        {key: tuple(variable.shape) for key, variable in own.items()},
        {key: value.shape for key, value in weights.items()},
    )
    for key in keys:
        own[key].assign(weights[key])
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.Normalization):
            layer.finalize_state()  # computes with copies of its weights


def _rates(model: tf_keras.Model, start: Start) -> list[float] | None:
    """Factor of the learning rate of each trainable variable; None where all are 1."""
    if start.rate == 1:
        return None
    taken = starting.taken(start, _parts(model))
    slow = {id(one) for layer in taken for one in model.get_layer(layer).weights}
    return [start.rate if id(one) in slow else 1.0 for one in model.trainable_variables]


def _parts(model: tf_keras.Model) -> dict[str, str]:
    """The part of each layer with weights; deepcell calls all of a head ``semantic``."""
    named = [layer.name for layer in model.layers if layer.weights]
    heads = [name for name in named if "semantic" in name]
    return starting.parts(named, _backbone_layers(model), heads)


def _backbone_layers(model: tf_keras.Model) -> list[str]:
    """Names of the backbone's layers with weights, as far as the pyramid uses them."""
    levels = (layer for layer in model.layers if re.fullmatch(r"C\d_reduced", layer.name))
    coarsest = max(levels, key=lambda layer: layer.name)
    inner = tf_keras.Model(model.inputs, coarsest.input).layers
    return [layer.name for layer in inner if layer.weights and layer.name != "conv_channels"]


def set_threads(threads: int) -> None:
    """Use `threads` CPU threads in all; must come before the first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def parameters(settings: Mapping) -> int:
    """Number of weights of the network, trained or not."""
    return build(settings, settings["tiling"]["size"]).count_params()


def device() -> str:
    """Name of the GPU in use, or ``cpu``."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "cpu"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu")


def versions() -> dict[str, str]:
    """Versions of the packages that decide what is computed."""
    import deepcell

    return {
        "deepcell": deepcell.__version__,
        "tensorflow": tf.__version__,
        "tf_keras": tf_keras.__version__,
    }


def _loss(head: str, softmax_scale: float):
    """Mean squared error for distances; deepcell's weighted cross-entropy for classes.

    The plan refuses other heads (:mod:`cellseg.study.head_checks`).
    """
    classes = HEADS[head].channels
    if classes == 1:
        return "mse"

    def softmax_loss(truth, prediction):
        return softmax_scale * losses.weighted_categorical_crossentropy(
            truth, prediction, n_classes=classes
        )

    return softmax_loss


def batch_norms(model: tf_keras.Model) -> list[tf_keras.layers.BatchNormalization]:
    return [
        layer for layer in model.layers if isinstance(layer, tf_keras.layers.BatchNormalization)
    ]
