"""The same function over many items on several processes, results in the order of the items."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 16  # items a process that are under way at once: enough to keep it busy, few in memory


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int
) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in order, whatever the number of processes.

    Items are taken and results made a few at a time, so neither needs to fit into memory. One
    process means this one. The workers are joblib's: unlike those of :mod:`multiprocessing` they
    neither copy the threads of this process nor run its main script a second time, which for a
    script of Snakemake would start the whole rule again.

    Raises
    ------
    Exception
        Whatever `function` raised.
    """
    if processes <= 1:
        yield from map(function, items)
        return
    from joblib import Parallel, delayed

    remaining = iter(items)
    with Parallel(n_jobs=processes) as pool:
        while some := list(islice(remaining, AHEAD * processes)):
            yield from pool(delayed(function)(item) for item in some)
