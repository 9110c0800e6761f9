"""Running averages of the weights over training steps (EMA), kept by an optimiser of either Keras.

An average is a part of the optimiser's state, so it is saved and resumed with the rest.
"""

from collections.abc import Callable, Sequence

import numpy as np

WARM_UP = 10
"""The momentum of a step is at most ``step / (step + 10)``: the average is over about the last
tenth of the steps, until that is as long as the momentum asked for says. With a fixed momentum of
0.999, as Keras has it, a third of the average would be initial weights after 1,000 steps."""


def averaging(kind: type, minimum: Callable, cast: Callable, place: Callable) -> type:
    """A class of optimisers that averages as Keras' `use_ema` does, with the warm-up.

    Parameters
    ----------
    kind : class of optimisers of either Keras
    minimum, cast : the least of two tensors; a tensor as one of another dtype
    place : number of a variable, from an optimiser and the variable
    """

    class Averaging(kind):
        def _update_model_variables_moving_average(self, variables: Sequence) -> None:
            if not self.use_ema:
                return
            steps = cast(self.iterations, "float32")  # those before this one
            momentum = minimum(steps / (steps + WARM_UP), self.ema_momentum)
            for variable in variables:
                average = self._model_variables_moving_average[place(self, variable)]
                average.assign(average * momentum + variable * (1 - momentum))

    Averaging.__name__ = kind.__name__
    return Averaging


class Averages:
    """The averaged weights of a network, which take the place of the last ones and give it back.

    Parameters
    ----------
    optimizer : built; of a class by :func:`averaging` with `use_ema`, else there are no averages
    variables : trainable variables of the network
    to_array : gives the value of a variable
    write_back : puts what the steps changed into the variables
    """

    def __init__(
        self,
        optimizer: object,
        variables: Sequence,
        to_array: Callable[[object], np.ndarray],
        write_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._averages = optimizer._model_variables_moving_average if optimizer.use_ema else None
        self._variables, self._to_array, self._write_back = variables, to_array, write_back
        self._last: list[np.ndarray] | None = None
        self._in_use = False

    def use(self) -> None:
        """Give the network the averaged weights, and keep its own."""
        if self._averages is None or self._in_use:
            return
        self._write_back()
        self._last = [self._to_array(variable) for variable in self._variables]
        for variable, average in zip(self._variables, self._averages, strict=True):
            variable.assign(self._to_array(average))
        self._in_use = True

    def put_back(self) -> None:
        """Give the network its own weights again, bit by bit."""
        if self._in_use and self._last is not None:
            self._write_back()
            for variable, value in zip(self._variables, self._last, strict=True):
                variable.assign(value)
        self._in_use, self._last = False, None

    def replaced(self) -> None:
        """Leave the network the weights that were just loaded, until it is trained on."""
        self._in_use, self._last = True, None
