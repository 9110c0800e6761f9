"""Weights in HDF5, layer by layer under deepcell's names: files of either family fit the other."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import keras
import numpy as np

from cellseg.errors import UserError
from cellseg.io import atomic
from cellseg.models import backbone_files
from cellseg.models.keras3.layers import leaves
from cellseg.models.keras_files import Weights, common_names, read

DENSENET_STEM = {"conv1_conv": "conv1/conv", "conv1_bn": "conv1/bn"}
"""Layers that Keras 3 renamed, of the backbones here."""


def named_weights(model: keras.Model) -> dict[tuple[str, int], keras.Variable]:
    """Variables of a model by layer and number within the layer, in the order of the layers."""
    return {
        (layer.name, number): variable
        for layer in leaves(model)
        for number, variable in enumerate(layer.weights)
    }


def to_array(variable: keras.Variable) -> np.ndarray:
    """The value of a variable, on any backend and device."""
    if keras.backend.backend() == "tensorflow":
        return variable.value.numpy()  # NumPy warns of what Keras does with the variable
    return keras.ops.convert_to_numpy(variable.value)


def write(model: keras.Model, path: Path) -> None:
    """Write all weights of a model, in the layout and with the names of legacy Keras.

    The file appears whole or not at all.
    """
    layers: dict[str, list[keras.Variable]] = {}
    for (layer, _), variable in named_weights(model).items():
        layers.setdefault(layer, []).append(variable)
    if "pool2_conv" in layers:  # of DenseNets alone
        layers = {DENSENET_STEM.get(name, name): variables for name, variables in layers.items()}

    def fill(file: h5py.File) -> None:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs["backend"] = b"tensorflow"  # what legacy Keras asks for: no kernel is transposed
        file.attrs["keras_version"] = keras.__version__.encode()
        for name, variables in layers.items():
            group = file.create_group(name)
            names = [f"{name}/{variable.name}:0" for variable in variables]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for variable_name, variable in zip(names, variables, strict=True):
                group[variable_name] = to_array(variable)

    atomic.write_hdf5(path, fill)


def load(model: keras.Model, path: Path) -> None:
    """Set all weights of a model from a file.

    Raises
    ------
    UserError
        The file lacks a weight, has one more, or one of another shape.
    """
    weights, own = read(path), with_common_names(model)
    wrong = sorted(
        {layer for layer, _ in own.keys() ^ weights.keys()}
        | {key[0] for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape}
    )
    if wrong:
        raise UserError(
            f"{path} does not hold the weights of this model (layers {', '.join(wrong[:3])}). "
            "Delete it and rerun the workflow to train again."
        )
    assign(model, own, weights)


def load_backbone(model: keras.Model, path: Path, backbone: str = "") -> int:
    """Set the backbone's weights from a file without top layers; return how many layers matched.

    EfficientNet's input normalisation is left at the identity: the images are normalised already.

    Parameters
    ----------
    model : a PanopticNet, whose ``backbone_layers`` are the names of its backbone's layers
    backbone : name of the backbone, for errors

    Raises
    ------
    UserError
        The file is not for this backbone.
    """
    weights, own = read(path), with_common_names(model)
    own_names = common(model)
    wanted = [own_names[layer] for layer in own_names if layer in model.backbone_layers]
    found = list(dict.fromkeys(layer for layer, _ in weights))
    layers = set(backbone_files.shared_layers(path, backbone, wanted, found))
    shared = {key: value for key, value in weights.items() if key[0] in layers}
    for key, value in shared.items():
        if key not in own or own[key].shape != value.shape:
            raise UserError(
                f"{path} has other shapes than the backbone {backbone} (layer {key[0]}). Give the "
                "model of the config the `weights` of its backbone."
            )
    assign(model, own, shared)
    return len(layers)


def assign(
    model: keras.Model, own: Mapping[tuple[str, int], keras.Variable], weights: Weights
) -> None:
    for key, value in weights.items():
        own[key].assign(value)
    for layer in leaves(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # computes with copies of its weights


def with_common_names(model: keras.Model) -> dict[tuple[str, int], keras.Variable]:
    own_names = common(model)
    return {
        (own_names[layer], number): variable
        for (layer, number), variable in named_weights(model).items()
    }


def common(model: keras.Model) -> dict[str, str]:
    """By name of each layer with weights: its name without what differs between Keras versions."""
    names = list(dict.fromkeys(layer for layer, _ in named_weights(model)))
    return dict(zip(names, common_names(names), strict=True))
