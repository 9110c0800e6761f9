"""Passing signals on to the scripts that a Snakemake process has started."""

import contextlib
import os
import signal
import threading

import psutil

SHELLS = {"sh", "bash", "dash"}


def pass_on_sigterm() -> None:
    """From now on, send SIGTERM on to all processes under this one, shells excepted.

    Slurm signals the topmost process of a job step alone, and that is a Snakemake, which then
    waits for its script. A shell that stands between would die and take the script with it.
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
