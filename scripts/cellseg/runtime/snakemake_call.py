"""Calls of Snakemake from a program that decides by what they made."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cellseg.errors import UserError


class Snakemake:
    """Snakemake in one checkout, with the arguments that the user gave.

    Parameters
    ----------
    folder : the checkout
    arguments : for each call, such as ``--profile`` or ``--cores`` with their values
    dry_run : whether they ask for one
    """

    def __init__(self, folder: Path, arguments: Sequence[str], dry_run: bool = False) -> None:
        self.folder, self.arguments, self.dry_run = folder, list(arguments), dry_run

    def make(self, files: Sequence[str]) -> bool:
        """Ask for files; jobs that do not depend on a failed one continue.

        Returns
        -------
        bool : whether all are made and up to date or, in a dry run, could be

        Raises
        ------
        UserError
            SIGINT or SIGTERM came meanwhile. Snakemake was waited for.
        """
        # Files first: options such as --configfile take all that follows them.
        command = [sys.executable, "-m", "snakemake", *files, "--keep-going", *self.arguments]
        with _noted() as came:
            process = subprocess.Popen(command, cwd=self.folder)
            came.process = process
            status = process.wait()
        if came.name:
            raise UserError(f"{came.name}: stopped. Rerun the same command to continue.")
        return status == 0


class _Signal:
    """The first signal that came, and the process to pass it to."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.process: subprocess.Popen | None = None

    def notice(self, number: int, _frame: object) -> None:
        self.name = self.name or signal.Signals(number).name
        # A terminal sends SIGINT to Snakemake as well; SIGTERM comes to this process alone.
        if number == signal.SIGTERM and self.process is not None:
            self.process.send_signal(number)


@contextmanager
def _noted() -> Iterator[_Signal]:
    """Note signals within the block instead of ending: Snakemake has its jobs to stop first."""
    came = _Signal()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, came.notice) for number in numbers}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
