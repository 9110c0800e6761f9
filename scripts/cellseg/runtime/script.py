"""What every rule script does around its work: keep a log, speak plainly about errors."""

import fcntl
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from cellseg.errors import UserError, printable
from cellseg.io import disk_full
from cellseg.runtime import job_output, signals
from cellseg.runtime.command import Lasting

ON_PYTHON_3_13 = ".*arbitrary keyword arguments is deprecated"
"""Of TensorFlow 2.21's AutoGraph, a hundred times in a training."""


@contextmanager
def running(
    log: str | os.PathLike, rule: str = "", wildcards: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Copy what is printed to `log`; end with status 1 and a plain message on a UserError.

    Each line on the terminal starts with the rule and its wildcards, since other jobs print there
    too. Where :data:`cellseg.runtime.job_output.VARIABLE` asks for it nothing goes to the terminal:
    the workflow shows what was found. A full disk gets the same plain error outside of
    what the package writes. If the Snakemake that started the job is killed, the job is asked to
    stop (SIGTERM).

    Parameters
    ----------
    log : file that is replaced
    rule, wildcards : of the job
    """
    label = job_output.label(rule, dict((wildcards or {}).items()))
    try:
        with disk_full.explained(log):
            Path(log).parent.mkdir(parents=True, exist_ok=True)
            # Not in a with block: closing it may fail, see below.
            file = open(log, "a", buffering=1, encoding="utf-8")  # noqa: SIM115
            _wait_for_earlier(file, label)
            file.truncate(0)
    except UserError as error:
        sys.exit(f"\nError: {printable(error)}\n")
    signals.stop_without("snakemake")
    stdout, stderr = sys.stdout, sys.stderr
    shown = [Lasting(stream) for stream in (stdout, stderr)]
    if os.environ.get(job_output.VARIABLE) == job_output.TO_LOG:
        shown = [open(os.devnull, "w", encoding="utf-8")] * 2  # noqa: SIM115
    sys.stdout, sys.stderr = (job_output.Tee(stream, file, label) for stream in shown)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.filterwarnings("ignore", ON_PYTHON_3_13, DeprecationWarning)
            yield
    except UserError as error:
        print(f"\nError: {error}\n", file=sys.stderr)
        sys.exit(1)
    except BaseException as error:
        why = disk_full.reason(error)
        if why:
            named = getattr(error, "filename", None) or "a file next to the results"
            print(f"\nError: {disk_full.message(named, why)}\n", file=sys.stderr)
            sys.exit(1)
        import traceback

        if isinstance(error, Exception):
            traceback.print_exc(file=sys.stderr)
            sys.exit(1)
        with suppress(OSError):
            traceback.print_exc(file=file)
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = stdout, stderr
        with suppress(OSError):
            file.close()


def _wait_for_earlier(log: TextIO, label: str) -> None:
    """Wait until no other process runs this job: one may be left of a Snakemake that was killed."""
    with suppress(OSError):  # some network file systems know no locks
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{label}: waiting for a process of an earlier call to end.", flush=True)
            fcntl.flock(log, fcntl.LOCK_EX)
