"""Folders of results in any condition, for tests of progress."""

import json
import os
import time
from base64 import urlsafe_b64encode
from pathlib import Path

from cellseg.jobs import active
from cellseg.jobs.active import SlurmJobs
from cellseg.progress import collect
from cellseg.study.runs import Run

TRAINED = ("weights.h5", "history.csv", "settings.json", "provenance.json")
EPOCH = (
    "epoch {0}/16: loss 0.0{0}, validation loss 0.1{0}, learning rate 1.0e-03, 76 ms a step "
    "(waited 1 ms for data), 60 s\n"
)
NOW = time.time()


def folder_of(run: Run) -> str:
    """Of a run, relative to the checkout."""
    return f"results/{run.folder}"


class Results:
    """A folder of results to fill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, run: Run, *names: str, text: str = "x", age: float = 3600) -> None:
        """Files of a run, as old as that in seconds."""
        for name in names:
            path = self.folder / folder_of(run) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            os.utime(path, (NOW - age, NOW - age))

    def train(self, run: Run, seconds: float) -> None:
        """All that a training leaves."""
        self.put(run, *TRAINED)
        self.put(run, "logs/train.log", text="fine\n", age=3700)
        self.put(run, "benchmarks/train.tsv", text=f"s\th:m:s\n{seconds}\t0:00:01\n")

    def mark(self, output: str, number: str | None = None, locked: bool = True) -> None:
        """Mark an output as Snakemake does while its job runs."""
        name = urlsafe_b64encode(output.encode()).decode()
        # As Snakemake does where a name is too long for the file system.
        parts = [name[start : start + 254] for start in range(0, len(name), 254)]
        parts = [*("@" + part for part in parts[:-1]), parts[-1]]
        path = self.folder.joinpath(".snakemake", "incomplete", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"external_jobid": number}))
        locks = self.folder / ".snakemake" / "locks"
        locks.mkdir(exist_ok=True)
        if locked:
            (locks / "0.output.lock").write_text(output)

    def look(self, study, slurm: SlurmJobs | None = None) -> collect.Progress:
        """What progress sees."""
        marks = active.read_marks(self.folder / ".snakemake")
        return collect.collect(study, Path("results"), slurm, marks, NOW)
