"""What every rule script does around its work: keep a log, speak plainly about errors."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cellseg import full_disk
from cellseg.errors import UserError

ON_PYTHON_3_13 = ".*arbitrary keyword arguments is deprecated"
"""Of TensorFlow 2.21's AutoGraph, a hundred times in a training."""


class _Tee:
    """Writes to the terminal, and to the log file what a finished line shows in the end."""

    def __init__(self, terminal, log):
        self.terminal, self.log = terminal, log
        self.line = ""

    def write(self, text: str) -> int:
        self.terminal.write(text)
        *finished, self.line = (self.line + text).split("\n")
        with suppress(OSError):  # a full disk: no work fails for want of its log
            for line in finished:
                # A progress bar rewrites its line: what came before the last return is gone.
                self.log.write(line.rstrip("\r").rpartition("\r")[2] + "\n")
        return len(text)

    def flush(self) -> None:
        self.terminal.flush()
        with suppress(OSError):
            self.log.flush()

    def close(self) -> None:
        """Close nothing: libraries that took this for their stream close it when Python ends."""

    def __getattr__(self, name: str):
        return getattr(self.terminal, name)


@contextmanager
def running(log: str | os.PathLike) -> Iterator[None]:
    """Copy what is printed to `log`; end with status 1 and a plain message on a UserError.

    A full disk is told as plainly where it is met outside of what the package writes.
    """
    try:
        with full_disk.explained(log):
            Path(log).parent.mkdir(parents=True, exist_ok=True)
            file = open(log, "w", buffering=1)  # noqa: SIM115  (closing it may fail, see below)
    except UserError as error:
        sys.exit(f"\nError: {error}\n")
    stdout, stderr = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Tee(stdout, file), _Tee(stderr, file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.filterwarnings("ignore", ON_PYTHON_3_13, DeprecationWarning)
            yield
    except UserError as error:
        print(f"\nError: {error}\n", file=sys.stderr)
        sys.exit(1)
    except BaseException as error:
        why = full_disk.reason(error)
        if why:
            named = getattr(error, "filename", None) or "a file beside the results"
            print(f"\nError: {full_disk.message(named, why)}\n", file=sys.stderr)
            sys.exit(1)
        import traceback

        with suppress(OSError):
            traceback.print_exc(file=file)
        raise
    finally:
        sys.stdout, sys.stderr = stdout, stderr
        with suppress(OSError):
            file.close()
