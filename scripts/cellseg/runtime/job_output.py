"""What a job prints: each line on the terminal says whose it is, since others run at the time."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TextIO

from cellseg.errors import printable

VARIABLE = "LIVECELL_JOBS_PRINT"
"""Environment variable that says where jobs print: see :data:`TO_LOG`."""

TO_LOG = "log"
"""Only into their logs: the workflow shows what each job found, see :mod:`cellseg.live`."""

ERASE = "\x1b[K"
"""Clears the rest of a line on a terminal: a longer line of another job may lie beneath."""


def label(rule: str, wildcards: Mapping[str, str]) -> str:
    """Name of a job in short: the rule and its condition, such as ``tile livecell/cut-256/train``.

    Parameters
    ----------
    rule : name of the rule; empty for no label
    wildcards : of the job, in the order of its path
    """
    values = [f"seed-{value}" if name == "seed" else value for name, value in wildcards.items()]
    return f"{rule} {'/'.join(value.strip('/') for value in values if value)}".strip()


class Tee:
    """Writes labelled lines to the terminal, and to the log what a finished line shows in the end.

    Parameters
    ----------
    terminal, log : streams
    label : in front of each line on the terminal; the log belongs to one job and needs none
    """

    def __init__(self, terminal: TextIO, log: TextIO, label: str) -> None:
        self.terminal, self.log = terminal, log
        self.label = f"{label}: " if label else ""
        self.line = ""  # of the log, not ended yet
        self.waiting = ""  # for the terminal: lines go there whole, or jobs would write into others
        self.begun = False  # whether the terminal has the beginning of the waiting line

    def write(self, text: str) -> int:
        # Printed names of files may hold escape sequences.
        safe = text if text.isascii() and text.isprintable() else printable(text, kept="\n\r\t")
        *finished, self.waiting = re.split(r"(?<=[\r\n])", self.waiting + safe)
        if finished:
            self._show("".join(self._labelled(line) for line in finished))
        *finished, self.line = (self.line + safe).split("\n")
        with suppress(OSError):  # a full disk: no work fails for want of its log
            for line in finished:
                # A progress bar rewrites its line: what came before the last return is gone.
                self.log.write(line.rstrip("\r").rpartition("\r")[2] + "\n")
        return len(text)

    def flush(self) -> None:
        if self.waiting:
            self._show(self._labelled(self.waiting))
            self.waiting, self.begun = "", True
        self.terminal.flush()
        with suppress(OSError):
            self.log.flush()

    def close(self) -> None:
        """Close nothing: libraries that took this for their stream close it when Python ends."""

    def __getattr__(self, name: str):
        return getattr(self.terminal, name)

    def _show(self, text: str) -> None:
        """Write to the terminal; letters that its encoding lacks become escapes."""
        encoding = getattr(self.terminal, "encoding", None) or "utf-8"
        self.terminal.write(text.encode(encoding, "backslashreplace").decode(encoding))

    def _labelled(self, line: str) -> str:
        shown = line.rstrip("\r\n")
        begin = self.label if shown.strip() and not self.begun else ""
        self.begun = False
        end = line[len(shown) :]
        return begin + shown + (ERASE if end and shown and self.terminal.isatty() else "") + end
