"""Heads that a model cannot predict as a study trains it."""

from collections.abc import Iterable, Mapping

from cellseg.errors import UserError
from cellseg.study.runs import training_of
from cellseg.targets.channels import OF_DEEPCELL


def check(where: str, study: Mapping, model: str, heads: Iterable[str]) -> None:
    """Refuse heads that only some families and ways of training are made for.

    Parameters
    ----------
    where : key that names the heads, for the error
    study : complete configuration, whose names are checked
    model : entry of ``models``

    Raises
    ------
    UserError
        Names the key to change.
    """
    heads = list(heads)
    if study["models"][model]["family"] == "stardist":
        _check_stardist(where, study, model, heads)
    others = [head for head in heads if head not in OF_DEEPCELL]
    if not others:
        return
    names = ", ".join(others)
    if study["models"][model]["family"] == "deepcell":
        raise UserError(
            f"{where}: models.{model} is of family deepcell, whose network cannot predict {names}. "
            f"It predicts {', '.join(OF_DEEPCELL)}. Use family panopticnet or unet."
        )
    training = training_of(study, model)
    if training["warp"] == "targets":
        raise UserError(
            f"{where}: {names} cannot be warped once computed (training.warp: targets, of "
            f"models.{model}). Set `warp` to labels."
        )
    tiling = training["tiling"]
    if study["tilings"][tiling]["mode"] == "resize":
        raise UserError(
            f"{where}: {names} of squeezed images are not those of the images, and models.{model} "
            f"is trained on tilings.{tiling} of mode resize. Use a tiling of mode cut."
        )


OF_STARDIST = ("star-distances", "object-probability")


def _check_stardist(where: str, study: Mapping, model: str, heads: list[str]) -> None:
    """Refuse what the network and the losses of the package stardist cannot do."""
    if heads != list(OF_STARDIST):
        raise UserError(
            f"{where}: models.{model} is of family stardist, whose network predicts "
            f"{'+'.join(OF_STARDIST)} and nothing else. Ask for these heads, or use family unet."
        )
    if training_of(study, model)["xla"]:
        raise UserError(
            f"models.{model}: XLA cannot compile the losses of family stardist. Set "
            f"models.{model}.training.xla to false."
        )
