"""Settings of a training that are alternatives: the one that is given takes the other's place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cellseg.errors import UserError
from cellseg.training import length


@dataclass(frozen=True)
class Alternatives:
    """Names of settings of which at most one is a number.

    Attributes
    ----------
    names : the settings
    meanings : of each, for errors
    required : whether one must be a number
    """

    names: Sequence[str]
    meanings: Sequence[str]
    required: bool

    def one_only(self, training: Mapping, given: Mapping) -> dict:
        """See :func:`one_only`."""
        numbers = [name for name in self.names if given.get(name) is not None]
        others = [name for name in self.names if len(numbers) == 1 and name not in given]
        return {**training, **dict.fromkeys(others)}

    def check(self, where: str, training: Mapping) -> None:
        """See :func:`check`."""
        numbers = [name for name in self.names if training.get(name) is not None]
        if len(numbers) > 1:
            said = " and ".join(
                f"{name} ({training[name]}, {meaning})"
                for name, meaning in zip(self.names, self.meanings, strict=True)
            )
            raise UserError(f"{where}: {said} exclude each other. Set one of them to null.")

    def check_given(self, where: str, training: Mapping) -> None:
        """Refuse complete settings that lack one that is required."""
        if self.required and all(training.get(name) is None for name in self.names):
            said = " or ".join(self.names)
            raise UserError(f"{where}: {said} is missing, or both are null. Give one of them.")


ALL = (
    Alternatives(
        ("clipnorm", "global_clipnorm"),
        ("the gradient of each variable", "all gradients together"),
        required=False,
    ),
    Alternatives(length.NAMES, ("passes over the tiles", "batches in all"), required=True),
)


def without_default(config: Mapping) -> dict:
    """A configuration without defaults, in which that of a setting leaves its alternative alone.

    Parameters
    ----------
    config : as read from YAML and valid; not changed
    """
    training = config.get("training", {})
    return {**config, "training": one_only(training, training)}


def one_only(training: Mapping, given: Mapping) -> dict:
    """Settings of a training in which a setting that was given takes its alternative's place.

    Parameters
    ----------
    training : settings with those `given` on top
    given : settings of the innermost place that names any
    """
    for alternatives in ALL:
        training = alternatives.one_only(training, given)
    return dict(training)


def check(where: str, training: Mapping) -> None:
    """Refuse settings in which two alternatives are numbers.

    Raises
    ------
    UserError
        Names the place and the remedy.
    """
    for alternatives in ALL:
        alternatives.check(where, training)


def check_complete(where: str, training: Mapping) -> None:
    """Refuse the complete settings of a training that lack a required one.

    Raises
    ------
    UserError
        Names the place and the remedy.
    """
    for alternatives in ALL:
        alternatives.check_given(where, training)
