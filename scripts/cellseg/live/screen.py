"""Lines on a terminal with one line below them that is rewritten; elsewhere, plain lines."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO

from cellseg.io.terminal import WIDTH
from cellseg.runtime.job_output import ERASE


class Screen:
    """Where lines are written.

    Parameters
    ----------
    stream : such as ``sys.stderr``

    Attributes
    ----------
    interactive : whether the stream is a terminal, where a line can be rewritten
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.interactive = stream.isatty()
        self._status = False

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines for good; letters that the encoding lacks become escapes."""
        self.clear()
        self._write("".join(f"{line}\n" for line in lines))

    def status(self, line: str) -> None:
        """Rewrite the line below all others; of a terminal only."""
        width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns - 1)
        shown = line if len(line) <= width else f"{line[: width - 1]}…"
        self._write(f"\r{shown}{ERASE}")
        self._status = True

    def clear(self) -> None:
        """Remove the line that is rewritten."""
        if self._status:
            self._write(f"\r{ERASE}")
            self._status = False

    def _write(self, text: str) -> None:
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        # Without a reader, as with `| head`, the work continues.
        with suppress(OSError, ValueError):
            self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self.stream.flush()
