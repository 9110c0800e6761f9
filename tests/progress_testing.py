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

    def begin(self, run: Run, epoch: int, age: float = 3600, **said: object) -> None:
        """A training that ended or stopped after some epochs of a minute each.

        Its log has words that no training prints. `said` replaces what ``progress.json`` says.
        """
        self.put(run, "logs/train.log", text="Lorem ipsum.\n", age=age)
        self.say(run, age, epoch=epoch, loss=epoch / 100, val_loss=(10 + epoch) / 100,
                 seconds=60.0 * epoch, **said)  # fmt: skip

    def say(self, run: Run, age: float = 3600, **said: object) -> None:
        """What ``progress.json`` says of a run."""
        content = {
            "format": 1, "state": "training", "epoch": 0, "epochs": 16, "step": 0,
            "steps_per_epoch": 50, "loss": None, "val_loss": None, "seconds": 0.0,
            "time": "2026-01-01T00:00:00.000+00:00", "settings": "", **said,
        }  # fmt: skip
        self.put(run, "progress.json", text=json.dumps(content), age=age)

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
