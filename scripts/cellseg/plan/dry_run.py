"""Asking Snakemake for the jobs of a study, without running them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cellseg.errors import UserError
from cellseg.live import dry_run
from cellseg.plan import jobs


def jobs_of(arguments: Sequence[str]) -> jobs.Jobs:
    """Jobs that Snakemake would run with these arguments, in the working folder.

    Raises
    ------
    UserError
        Snakemake cannot plan them. Holds its words.
    """
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "jobs"
        variables = {**os.environ, dry_run.VARIABLE: str(written)}
        looked = subprocess.run(snakemake, capture_output=True, text=True, env=variables)
        listed = written.read_text(encoding="utf-8") if written.exists() else ""
    if looked.returncode:
        # A dry run logs to stdout, what fails before it to stderr.
        said = (looked.stderr + looked.stdout).strip()
        raise UserError(f"Snakemake cannot plan the study:\n{said}")
    return jobs.read(listed)
