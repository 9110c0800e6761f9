"""Running averages of the weights of a network of torch over training steps (EMA)."""

from collections.abc import Container, Sequence

import torch
from torch import Tensor, nn

from cellseg.models.weight_averages import WARM_UP


class Averages:
    """The averaged weights of a network, which it can be given for a while.

    Parameters
    ----------
    model : on its device
    momentum : share of the average that a step keeps; None averages nothing
    frozen : names of weights that training leaves as they are
    """

    def __init__(self, model: nn.Module, momentum: float | None, frozen: Container[str]) -> None:
        self._model, self._momentum, self._frozen = model, momentum, frozen
        self._last: list[Tensor] | None = None
        self.values: list[Tensor] | None = None
        self.restart()

    def restart(self) -> None:
        """Begin with the weights that the network has now."""
        self._last = None
        self.values = None if self._momentum is None else self._floats(copied=True)

    def load(self, values: Sequence[Tensor] | None, device: torch.device) -> None:
        """Go on with :attr:`values` as they were saved."""
        if self.values is not None:
            self.values = [one.to(device) for one in values]

    def update(self, step: int) -> None:
        """Average what a step has made of the weights; steps are counted from 1."""
        if self.values is None:
            return
        before = step - 1
        momentum = min(before / (before + WARM_UP), self._momentum)
        for average, value in zip(self.values, self._floats(), strict=True):
            average.mul_(momentum).add_(value, alpha=1 - momentum)

    def use(self) -> None:
        """Give the network the averaged weights, and keep its last."""
        if self.values is None or self._last is not None:
            return
        self._last = self._floats(copied=True)
        self._assign(self.values)

    def put_back(self) -> None:
        """Give the network its last weights again, bit by bit."""
        if self._last is not None:
            self._assign(self._last)
            self._last = None

    def _floats(self, copied: bool = False) -> list[Tensor]:
        """What training changes, of which averages are made."""
        values = [
            one
            for name, one in self._model.state_dict().items()
            if one.is_floating_point() and name not in self._frozen
        ]
        return [one.clone() for one in values] if copied else values

    def _assign(self, values: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for own, value in zip(self._floats(), values, strict=True):
                own.copy_(value)
