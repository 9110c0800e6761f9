"""The same function over many items at once, results in the order of the items."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from time import monotonic
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 16  # items a worker that are under way at once: enough to keep it busy, few in memory
ALONE = 1.0
"""Seconds of work that are done in this process first: starting others takes longer."""


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    processes: bool = True,
) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in order, whatever the number of workers.

    Items are taken and results made a few at a time, so neither needs to fit into memory. One
    worker means this process. `processes` is False for threads, which start at once and serve
    where most of the time is spent without Python's lock. The processes are joblib's: unlike those
    of :mod:`multiprocessing` they neither copy the threads of this process nor run its main script
    a second time, which for a script of Snakemake would start the whole rule again. They start once
    this process has worked for a second.

    Raises
    ------
    Exception
        Whatever `function` raised.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    if not processes:
        yield from _by_threads(function, items, workers)
        return
    remaining, end = iter(items), monotonic() + ALONE
    for item in remaining:
        yield function(item)
        if monotonic() > end:
            break
    first = list(islice(remaining, 1))
    if not first:
        return
    from joblib import Parallel, delayed

    remaining = chain(first, remaining)
    with Parallel(n_jobs=workers) as pool:
        while some := list(islice(remaining, AHEAD * workers)):
            yield from pool(delayed(function)(item) for item in some)


def _by_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    waiting: deque = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
