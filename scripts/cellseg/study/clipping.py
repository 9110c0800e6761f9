"""`clipnorm` and `global_clipnorm` of a training, as Keras names them: one of them at most."""

from collections.abc import Mapping

from cellseg.errors import UserError

KEYS = ("clipnorm", "global_clipnorm")


def without_default(config: Mapping) -> dict:
    """A configuration without defaults, so that that of `clipnorm` leaves `global_clipnorm` alone.

    Parameters
    ----------
    config : as read from YAML and valid; not changed
    """
    training = config.get("training", {})
    return {**config, "training": one_only(training, training)}


def one_only(training: Mapping, given: Mapping) -> dict:
    """Settings of a training in which the one of both that was given takes the other's place.

    Parameters
    ----------
    training : settings with those `given` on top
    given : settings of the innermost place that names any
    """
    numbers = [key for key in KEYS if given.get(key) is not None]
    others = [key for key in KEYS if len(numbers) == 1 and key not in given]
    return {**training, **dict.fromkeys(others)}


def check(where: str, training: Mapping) -> None:
    """Refuse settings in which both are numbers.

    Raises
    ------
    UserError
        Names the place and the remedy.
    """
    if all(training.get(key) is not None for key in KEYS):
        raise UserError(
            f"{where}: clipnorm ({training['clipnorm']}, the gradient of each variable) and "
            f"global_clipnorm ({training['global_clipnorm']}, all gradients together) exclude each "
            "other. Set one of them to null."
        )
