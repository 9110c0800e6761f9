"""What every command of `scripts/` does around its work: plain errors, also without a reader."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from cellseg.errors import UserError, printable


class Lasting:
    """A stream whose reader may go, as with ``| head``: what is written then goes nowhere.

    Parameters
    ----------
    stream : such as ``sys.stdout``
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As of any stream."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._forget()
            return len(text)

    def flush(self) -> None:
        """As of any stream."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._forget()

    def _forget(self) -> None:
        """Let the rest, and what processes started from here write, go nowhere."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


@contextmanager
def running() -> Iterator[None]:
    """Print a UserError plainly and end with status 1; without a reader the work continues."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Lasting(stream) for stream in streams)
    try:
        yield
    except UserError as error:
        print(f"Error: {printable(error)}", file=sys.stderr)
        sys.exit(1)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = streams
