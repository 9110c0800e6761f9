"""How long a training is: steps in all, and epochs, after each of which it is validated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cellseg.io.wording import number_of

NAMES = ("epochs", "steps")
"""Settings of a training of which exactly one is a number."""


@dataclass(frozen=True)
class Length:
    """Of the training of one network.

    Attributes
    ----------
    steps : in all
    steps_per_epoch : between two validations; the last epoch may be shorter
    """

    steps: int
    steps_per_epoch: int

    @classmethod
    def of(cls, options: Mapping, batches: int) -> Self:
        """From the settings of a training, and the batches of one pass over its tiles."""
        per_epoch = options.get("steps_per_epoch") or batches
        steps = options.get("steps") or options["epochs"] * per_epoch
        return cls(steps, min(per_epoch, steps))

    @property
    def epochs(self) -> int:
        """Epochs, the last of which may be shorter."""
        return -(-self.steps // self.steps_per_epoch)

    def first_step(self, epoch: int) -> int:
        """Number of the first step of an epoch, both from 0."""
        return epoch * self.steps_per_epoch

    def steps_of(self, epoch: int) -> int:
        """Steps of an epoch, counted from 0."""
        return min(self.steps_per_epoch, self.steps - self.first_step(epoch))

    def steps_until(self, epochs: int) -> int:
        """Steps of the first so many epochs together."""
        return min(self.steps, epochs * self.steps_per_epoch)


def tiles_seen(steps: int, tiles: int, batch_size: int) -> int:
    """Tiles that a network is shown in so many steps; the last batch of a pass may be smaller."""
    passes, rest = divmod(steps, -(-tiles // batch_size))
    return passes * tiles + rest * batch_size


def epochs_of(options: Mapping) -> int:
    """Epochs of a training by its settings alone; 0 where they depend on the number of tiles."""
    if not options.get("steps"):
        return options["epochs"]
    per_epoch = options.get("steps_per_epoch")
    return Length.of(options, per_epoch).epochs if per_epoch else 0


def in_words(options: Mapping) -> str:
    """The length of a training by its settings, such as ``50 epochs`` or ``4,000 steps``."""
    if options.get("steps"):
        return number_of(options["steps"], "step")
    per_epoch = options.get("steps_per_epoch")
    each = f" of {number_of(per_epoch, 'step')}" if per_epoch else ""
    return f"{number_of(options['epochs'], 'epoch')}{each}"
