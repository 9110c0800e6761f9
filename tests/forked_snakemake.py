"""Snakemake's dry runs in forks of one process, which has imported Snakemake once.

To import Snakemake takes half the time of a dry run, and the tests make some 200. The fork is the
process that ``python -m snakemake`` would be: with its arguments, environment and folder, and
without a module of the checkout.
"""

import atexit
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path


@cache
def _server() -> subprocess.Popen:
    server = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(server.communicate)  # which ends it
    return server


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess:
    """Call Snakemake in `folder`; stdout and stderr come together as `stdout`."""
    server = _server()
    with tempfile.NamedTemporaryFile() as printed:
        asked = [list(arguments), str(folder), dict(environment), printed.name]
        print(json.dumps(asked), file=server.stdin, flush=True)
        status = json.loads(server.stdout.readline())
        # As a text file is decoded by a pipe of subprocess.
        text = Path(printed.name).read_text()
    return subprocess.CompletedProcess(["snakemake", *arguments], status, text)


# --- the process that forks ---


def _become(arguments: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    """Make of this process one that was started with them."""
    from snakemake.workflow import Workflow

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    nothing, printed = os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_TRUNC)
    for given, number in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(given, number)
    sys.argv = ["snakemake", *arguments]
    added = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:1] = [folder, *added]
    Workflow._rundir = folder  # that of the import


def _serve() -> None:
    import jsonschema  # noqa: F401  # the rules check the configuration with it
    from snakemake import cli, workflow  # noqa: F401

    cli.get_argument_parser()  # imports the plugins
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _become(*asked)
            runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
            sys.exit()
        _, status = os.waitpid(child, 0)
        print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)


if __name__ == "__main__":
    _serve()
