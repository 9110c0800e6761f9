"""Signals that ask a long job to save what it has and stop, instead of dying at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Slurm sends SIGTERM at a time limit, a preemption and `scancel`, and kills some 30 seconds later;
# a terminal sends SIGINT to all that runs in it, and SIGHUP when it is closed.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)


class Interruption:
    """Whether the process was asked to stop, and by what.

    Attributes
    ----------
    name : name of the first such signal, or None
    """

    def __init__(self) -> None:
        self.name: str | None = None

    def __bool__(self) -> bool:
        return self.name is not None

    def _notice(self, number: int, _frame: object) -> None:
        if self.name is None:
            self.name = signal.Signals(number).name
            # The terminal may be closed, and the signal may have come in the middle of a print.
            with suppress(OSError, RuntimeError):
                print(f"{self.name}: saving the state and stopping.", flush=True)


@contextmanager
def noticed() -> Iterator[Interruption]:
    """Note such signals instead of ending, within the block; its code asks and stops itself.

    A signal that the process was started to ignore stays ignored: ``nohup`` ignores SIGHUP, and a
    shell script SIGINT in what it starts with ``&``. Only the main thread of a process may handle
    signals; in another one nothing is noted.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    handled = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, interruption._notice) for number in handled}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
