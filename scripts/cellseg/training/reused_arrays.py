"""Arrays whose memory is used again: clearing new memory may take a quarter of a stream's time."""

import sys
import threading

import numpy as np


class ReusedArrays:
    """Hands out arrays of one shape, with the memory of those that nobody holds any more.

    Who keeps a batch, or a view of it, keeps its memory, as of any other array.

    Parameters
    ----------
    shape : of the arrays, float32
    most : arrays whose memory is kept; further ones are as ``numpy.empty`` makes them
    """

    def __init__(self, shape: tuple[int, ...], most: int) -> None:
        self._shape, self._most = shape, most
        self._arrays: list[np.ndarray] = []
        self._lock = threading.Lock()

    def take(self, count: int) -> np.ndarray:
        """An array of shape (count, ...), of any values; `count` is at most the first length."""
        with self._lock:
            for number in range(len(self._arrays)):
                if _references(self._arrays, number) == _UNUSED:
                    return self._arrays[number][:count]
            array = np.empty(self._shape, np.float32)
            if len(self._arrays) < self._most:
                self._arrays.append(array)
            return array[:count]


def _references(arrays: list[np.ndarray], number: int) -> int:
    """How many references there are to an array of a list; its views each have one."""
    return sys.getrefcount(arrays[number])


_UNUSED = _references([np.empty(0)], 0)
"""References to an array that only its list holds."""
