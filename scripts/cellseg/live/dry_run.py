"""The jobs of a dry run as a file for programs, from the events that Snakemake gives loggers."""

import json
import logging
from pathlib import Path

VARIABLE = "LIVECELL_PLANNED_JOBS"
"""Environment variable that names the file to write, a JSON object a line."""

COUNTS, JOB, NONE = "counts", "job", "none"
"""Key of a line: jobs of each rule, one job (rule, wildcards, reason), or that nothing is to do."""


class Writer(logging.Handler):
    """Writes what a dry run plans.

    Parameters
    ----------
    path : of the file
    nothing : what Snakemake says when nothing is to do
    """

    def __init__(self, path: str, nothing: str) -> None:
        super().__init__(logging.INFO)
        self._path, self._nothing = Path(path), nothing
        self._path.write_text("", encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record if it is of a job, of all, or of none."""
        event = getattr(getattr(record, "event", None), "name", "")
        if event == "RUN_INFO":
            self._write(COUNTS, dict(record.stats))
        elif event == "JOB_INFO":
            wildcards = {name: str(value) for name, value in record.wildcards.items()}
            job = {"rule": record.rule_name, "wildcards": wildcards, "reason": record.reason}
            self._write(JOB, job)
        elif record.getMessage() == self._nothing:
            self._write(NONE, True)

    def _write(self, key: str, value: object) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({key: value}) + "\n")
