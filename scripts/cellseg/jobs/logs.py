"""The last error in the logs of jobs."""

import os
from pathlib import Path

TAIL = 1 << 18  # bytes read of the end of a log


def end(path: Path) -> str:
    """End of a log; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def last_error(log: str) -> str | None:
    """The last error in the text of a log, or None: ``Error: …``, or the end of a traceback."""
    lines = log.splitlines()
    for position in range(len(lines) - 1, -1, -1):
        line = lines[position]
        if line.startswith("Error:"):
            return line
        if line.startswith("Traceback (most recent call last):"):
            unindented = (after for after in lines[position + 1 :] if after[:1].strip())
            error = next(unindented, None)
            return None if error is None or error.startswith("KeyboardInterrupt") else error
    return None


def stopped_by_hand(log: str) -> bool:
    """Whether a log ends with what Python says when it is interrupted."""
    return log.rstrip().rpartition("\n")[2].startswith("KeyboardInterrupt")
