"""Models of PanopticNet that cannot be trained, refused in the plan."""

from collections.abc import Mapping

from cellseg.errors import UserError
from cellseg.models.panopticnet.declarations import BACKBONES, declared


def check_model(where: str, model: Mapping, size: int, address: str | None) -> None:
    """Refuse a model whose backbone is not declared, or does not fit its tiles or its weights.

    Parameters
    ----------
    where : key of the model in the configuration, for the error
    model : its settings
    size : side of the tiles that it is trained on, pixels
    address : of its pretrained weights, or None

    Raises
    ------
    UserError
        Names the key, the backbone and what to do.
    """
    name = model["backbone"]
    backbone = declared(name, f"{where}.backbone")
    if model["family"] == "deepcell" and not backbone.in_deepcell:
        raise UserError(
            f"{where}.backbone: the deepcell package has no backbone '{name}'. Use family "
            "panopticnet, or another backbone."
        )
    if size < backbone.smallest or size % backbone.stride:
        raise UserError(
            f"{where}.backbone: '{name}' takes images from {backbone.smallest} pixels, in steps of "
            f"{backbone.stride}, and the tiles are of {size}. Set `size` of the model's tiling to "
            "a larger value, or use another backbone."
        )
    if address is not None:
        _check_weights(where, name, address)


def _check_weights(where: str, name: str, address: str) -> None:
    """Refuse a file that is known to be of another backbone; others are checked when loaded."""
    file = address.partition("?")[0].rpartition("/")[2]
    owners = [other for other, entry in BACKBONES.items() if file in (entry.weights or ())]
    if owners and name not in owners:
        own = ", ".join(BACKBONES[name].weights) or "none are published"
        raise UserError(
            f"{where}.weights: {file} holds the weights of {owners[0]}, and the backbone is "
            f"{name} (its weights: {own}). Name another entry of `pretrained`, or set "
            "`weights: null`."
        )
