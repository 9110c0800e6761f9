"""A network in Keras 3 that starts from another run."""

from collections.abc import Sequence

import keras

from cellseg.models import keras_files, starting
from cellseg.models.keras3 import weight_files
from cellseg.models.keras3.layers import leaves
from cellseg.training.start import Start


def freeze(model: keras.Model, start: Start) -> None:
    """Set the layers to freeze as not trained; before the optimiser is made."""
    learning = [layer.name for layer in leaves(model) if layer.trainable_weights]
    chosen = set(starting.frozen(start, _parts(model), learning))
    for layer in leaves(model):
        if layer.name in chosen:
            layer.trainable = False


def rates(model: keras.Model, start: Start) -> list[float] | None:
    """Factor of the learning rate of each trainable variable; None where all are 1."""
    if start.rate == 1:
        return None
    chosen = set(starting.taken(start, _parts(model)))
    slow = {
        id(variable)
        for (layer, _), variable in weight_files.named_weights(model).items()
        if layer in chosen
    }
    return [start.rate if id(one) in slow else 1.0 for one in model.trainable_variables]


def load(model: keras.Model, start: Start) -> None:
    """Set the weights that are taken.

    Raises
    ------
    UserError
        The file is none of weights, or does not fit; see :func:`.starting.matching`.
    """
    common, own = weight_files.common(model), weight_files.with_common_names(model)
    weights = keras_files.read_start(start)
    layers = [common[layer] for layer in starting.taken(start, _parts(model))]
    keys = starting.matching(
        start,
        layers,
        {key: tuple(variable.shape) for key, variable in own.items()},
        {key: value.shape for key, value in weights.items()},
    )
    weight_files.assign(model, own, {key: weights[key] for key in keys})


def _parts(model: keras.Model) -> dict[str, str]:
    named = dict.fromkeys(layer for layer, _ in weight_files.named_weights(model))
    backbone: Sequence[str] = getattr(model, "backbone_layers", ())
    return starting.parts(named, backbone, getattr(model, "head_layers", ()))
