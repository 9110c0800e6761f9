"""Signals between a Snakemake process and the scripts that it has started."""

import contextlib
import os
import signal
import threading
import time

import psutil

SHELLS = {"sh", "bash", "dash"}


def pass_on_sigterm() -> None:
    """From now on, send SIGTERM on to all processes under this one, shells excepted.

    Slurm signals the topmost process of a job step alone, and that is a Snakemake, which then
    waits for its script. A shell between the two would die and take the script with it.
    Handlers that are or will be set for the signal stay as they are. Main thread only.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()


def _watch(reader: int) -> None:
    while numbers := os.read(reader, 64):
        if signal.SIGTERM in numbers:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if process.name() not in SHELLS:
                        process.terminate()


def stop_without(program: str, every: float = 1.0) -> None:
    """Send SIGTERM to this process once the program that it works for is gone.

    Nothing else ends a job whose Snakemake was killed: it would continue while the next call starts
    the same job again.

    Parameters
    ----------
    program : part of the command line of the process above this one that is watched; shells
        between the two are passed over. Without such a process nothing is watched
    every : seconds between two looks
    """
    with contextlib.suppress(psutil.Error):
        above = next((one for one in psutil.Process().parents() if _runs(one, program)), None)
        if above is not None:
            threading.Thread(target=_stop_after, args=(above, every), daemon=True).start()


def _runs(process: psutil.Process, program: str) -> bool:
    return process.name() not in SHELLS and program in " ".join(process.cmdline())


def _stop_after(process: psutil.Process, every: float) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(every)
    os.kill(os.getpid(), signal.SIGTERM)
