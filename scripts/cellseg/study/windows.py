"""Whether networks take the tiles and windows that settings give them."""

from collections.abc import Mapping

from cellseg.errors import UserError
from cellseg.study.runs import with_own_training

OF_ONE_SIZE = "cellpose-sam"
"""Family whose network has a weight for each place in a window."""


def check(where: str, model: Mapping, study: Mapping) -> None:
    """Refuse windows that the network of a model cannot be applied to.

    Parameters
    ----------
    where : what messages call the model
    model : entry of ``models``
    study : complete configuration

    Raises
    ------
    UserError
        Names the key to change.
    """
    window = study["prediction"]["window"]
    tiling = study["tilings"][with_own_training(study, model["training"])["tiling"]]
    if window == "image" and model["family"] == "deepcell":
        raise UserError(
            f"prediction.window: image needs a network that takes any size, and {where} is of "
            "family deepcell, which takes squares of 2^n pixels. Leave `window` at null, or use "
            "family panopticnet or unet."
        )
    if window == "image" and tiling["mode"] == "resize":
        raise UserError(
            f"prediction.window: image predicts images at their own resolution, and {where} is "
            "trained on resized ones. Leave `window` at null, or use a tiling of mode cut or crop."
        )
    if model.get("location") and window and tiling["mode"] != "resize" and window != tiling["size"]:
        raise UserError(
            f"prediction.window: {window} differs from the tiles of {tiling['size']} pixels that "
            f"{where} is trained on, and with `location` a network depends on their size. Leave "
            f"`window` at null, or set {where}.location to false."
        )
    if model["family"] == OF_ONE_SIZE and window not in (None, model["size"]):
        raise UserError(
            f"prediction.window: {where} is of family {OF_ONE_SIZE}, whose network takes windows "
            f"of {model['size']} pixels alone, and prediction.window is {window}. Leave `window` "
            "at null."
        )


def check_tiles(where: str, model: Mapping, tiling: Mapping) -> None:
    """Refuse tiles of another size than a network of :data:`OF_ONE_SIZE` sees, and a width that
    its attention heads do not share.

    Parameters
    ----------
    where, model : as for :func:`check`
    tiling : entry of ``tilings``, of its training

    Raises
    ------
    UserError
        Names the key to change.
    """
    size, width, heads = model["size"], model["width"], model["attention_heads"]
    if tiling["size"] != size:
        raise UserError(
            f"{where}.size: the network of family {OF_ONE_SIZE} has a weight for each place in "
            f"{size} pixels, and its tiles have {tiling['size']}. Use a tiling of `size: {size}`, "
            f"or set {where}.size to {tiling['size']}, which files of the package do not fit."
        )
    if width % heads:
        raise UserError(
            f"{where}.width: {width} is no multiple of attention_heads, {heads}. Change one of "
            "the two."
        )
