"""Family ``stardist``: the network and the losses of the package stardist, in our stream and loop.

The package's own training loop and augmentation are not used: tiles, splits, seeds, augmentation,
optimiser and schedule are those of the other families, so that only network, losses and
representation differ. Its two maps are those of the heads ``star-distances`` and
``object-probability``, and cells are found by ``segmentation.method: star-nms``.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from cellseg.models.keras3 import backend  # isort: skip  (decides what Keras computes with)
import keras
from keras import ops

from cellseg.models.keras3.family import Keras3Family
from cellseg.models.keras3.learner import KerasLearner
from cellseg.models.keras3.predictor import KerasPredictor
from cellseg.models.stardist import package, sizes
from cellseg.training.batches import Batch
from cellseg.training.start import Start

PROBABILITY, DISTANCES = "object-probability", "star-distances"


def build(settings: Mapping, shape: tuple[int, int]) -> keras.Model:
    """StarDist's network for images of `shape`, a map of whose grid fills the image.

    Parameters
    ----------
    settings : from :func:`cellseg.study.runs.run_settings`
        ``model`` names depth and width; ``heads`` the grid of star-distances
    shape : height and width in pixels, multiples of :func:`.sizes.stride`

    Returns
    -------
    Model from (N, H, W, 1) to a dict of head name to (N, H, W, channels), float32
        Values of the grid are repeated: each `grid`-th row and column, from the first, are those
        that the package predicts. Attributes ``backbone_layers`` and ``head_layers`` are the names
        of the layers of the path down, and of those that give the two maps.
    """
    predicted = package.network(settings["model"], settings["heads"]).keras_model
    grid = package.grid_of(settings["heads"])
    image = keras.Input((*shape, 1), name="image")
    x = _again(predicted, image)
    maps = {
        head: keras.layers.UpSampling2D(grid, dtype="float32", name=head)(one)
        for head, one in zip((PROBABILITY, DISTANCES), x, strict=True)
    }
    network = keras.Model(image, {head: maps[head] for head in settings["heads"]})
    named = [layer.name for layer in network.layers]
    network.backbone_layers = tuple(name for name in named if name.startswith(package.PATH_DOWN))
    network.head_layers = package.LAST
    return network


def _again(model: keras.Model, image: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The outputs of a network for another input, layer by layer: none is hidden in a layer."""
    copy = keras.models.clone_model(model, input_tensors=[image])
    for layer, original in zip(copy.layers, model.layers, strict=True):
        layer.set_weights(original.get_weights())
    return copy.outputs


class StarDistLearner(KerasLearner):
    """A network in training by the package's losses."""

    def losses(self, settings: Mapping) -> dict[str, Callable]:
        """Of each head, of its map in the whole image; the truth is of the grid alone."""
        of_package, weights = package.losses(settings["model"], settings["heads"])
        grid = package.grid_of(settings["heads"])

        def of_grid(loss: Callable, weight: float) -> Callable:
            return lambda truth, prediction: (
                weight * ops.mean(loss(truth, prediction[:, ::grid, ::grid]))
            )

        zipped = zip((PROBABILITY, DISTANCES), of_package, weights, strict=True)
        by_head = {head: of_grid(loss, weight) for head, loss, weight in zipped}
        return {head: by_head[head] for head in self.heads}

    def train_batch(self, batch: Batch, rate: float) -> dict[str, float]:
        return super().train_batch(_of_grid(batch), rate)

    def validate_batch(self, batch: Batch) -> dict[str, float]:
        return super().validate_batch(_of_grid(batch))


def _of_grid(batch: Batch) -> Batch:
    """The probability as the package computes it: of the labels on the grid."""
    images, maps = batch
    return images, {**maps, PROBABILITY: maps[DISTANCES][..., -1:]}


class StarDistFamily(Keras3Family):
    """What :mod:`cellseg.models` asks of a family."""

    def learner(
        self, settings: Mapping, size: int, folder: Path, start: Start | None = None
    ) -> StarDistLearner:
        """A network for tiles of `size` pixels, with its optimiser and losses."""
        return StarDistLearner(self.build, settings, size, folder, start)

    def Predictor(self, settings: Mapping, folder: Path) -> KerasPredictor:
        """A trained network, applied to images of any size."""
        return KerasPredictor(self.build, self._smallest(settings), settings, folder)

    def _smallest(self, settings: Mapping) -> int:
        return sizes.stride(settings["model"], package.grid_of(settings["heads"]))

    @staticmethod
    def versions() -> dict[str, str]:
        """Versions of Keras, TensorFlow and the package."""
        return {**backend.versions(), "stardist": version("stardist")}


FAMILY = StarDistFamily(build, stride=lambda model: sizes.stride(model, sizes.LARGEST_GRID))
