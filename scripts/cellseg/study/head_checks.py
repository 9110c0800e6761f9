"""Heads that a model cannot predict as a study trains it."""

from collections.abc import Iterable, Mapping

from cellseg import models
from cellseg.errors import UserError
from cellseg.study.runs import training_of
from cellseg.targets import head_names
from cellseg.targets.channels import OF_DEEPCELL


def finds_instances(model: Mapping) -> bool:
    """Whether a model is an instance detector."""
    return model["family"] in models.FAMILIES and models.predicts(model) == "instances"


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
    if finds_instances(study["models"][model]) or heads == [head_names.INSTANCES]:
        _check_instances(where, study, model, heads)
        return
    if study["models"][model]["family"] in OF_PACKAGES:
        _check_package(where, study, model, heads)
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


def check_model(where: str, model: Mapping) -> None:
    """Refuse settings that a detector has no use for.

    Parameters
    ----------
    where : what messages call the model
    model : entry of ``models``

    Raises
    ------
    UserError
        Names the key to remove.
    """
    if not finds_instances(model):
        return
    if model["heads"]:
        raise UserError(
            f"{where}.heads: family {model['family']} finds cells without maps, and settings of "
            f"{', '.join(model['heads'])} would change nothing. Remove `heads`."
        )
    if "softmax_loss_scale" in model["training"]:
        raise UserError(
            f"{where}.training.softmax_loss_scale: family {model['family']} has no such loss. "
            "Remove the key."
        )


def check_subset(where: str, study: Mapping, model: str, subset: str) -> None:
    """Refuse synthetic images for a detector: they have label images but no outlines.

    Parameters
    ----------
    where : key that names the subset, for the error
    study : complete configuration, whose names are checked
    model, subset : entries of ``models`` and ``subsets``

    Raises
    ------
    UserError
        Names the key to change.
    """
    if not finds_instances(study["models"][model]):
        return
    if study["subsets"][subset].get("synthetic_per_image"):
        raise UserError(
            f"{where}: subsets.{subset} has synthetic images (synthetic_per_image), which have no "
            f"outlines, and models.{model} is of family {study['models'][model]['family']}, which "
            "is trained with them. Name a subset without synthetic images."
        )


def _check_instances(where: str, study: Mapping, model: str, heads: list[str]) -> None:
    """Refuse a detector that is asked for maps, another network asked for instances, and settings
    that a detector cannot be trained with."""
    family = study["models"][model]["family"]
    if not finds_instances(study["models"][model]):
        raise UserError(
            f"{where}: models.{model} is of family {family}, which predicts maps, not "
            f"{head_names.INSTANCES}. Name the maps, such as inner-distance+pixelwise, or use a "
            "model of family maskrcnn, retinamask, centermask or cascade."
        )
    if heads != [head_names.INSTANCES]:
        raise UserError(
            f"{where}: models.{model} is of family {family}, which finds cells without maps. Its "
            f"heads are `{head_names.INSTANCES}`, alone, in a condition of their own."
        )
    training = training_of(study, model)
    tiling = training["tiling"]
    if study["tilings"][tiling]["mode"] != "crop":
        raise UserError(
            f"models.{model}.training.tiling: family {family} is trained on crops of whole images, "
            f"with the cells' outlines, and tilings.{tiling} has mode "
            f"{study['tilings'][tiling]['mode']}. Use a tiling of `mode: crop`."
        )
    if training["xla"]:
        raise UserError(
            f"models.{model}.training.xla: family {family} computes with torch, which has no XLA. "
            "Set it to false."
        )


OF_PACKAGES = {
    **{
        family: (("flows", "fgbg"), f"family {family} computes with torch, which has no XLA")
        for family in ("cellpose", "cellpose-sam")
    },
    "stardist": (
        ("star-distances", "object-probability"),
        "XLA cannot compile the losses of family stardist",
    ),
}
"""By family whose network and losses are those of a package: its heads, and why it has no XLA."""


def _check_package(where: str, study: Mapping, model: str, heads: list[str]) -> None:
    """Refuse what the network and the losses of a package cannot do."""
    family = study["models"][model]["family"]
    predicted, without_xla = OF_PACKAGES[family]
    if heads != list(predicted):
        raise UserError(
            f"{where}: models.{model} is of family {family}, whose network predicts "
            f"{'+'.join(predicted)} and nothing else. Ask for these heads, or use family unet."
        )
    training = training_of(study, model)
    if training["xla"]:
        raise UserError(f"models.{model}: {without_xla}. Set models.{model}.training.xla to false.")
