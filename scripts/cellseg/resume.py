"""Where an interrupted training goes on: a stamped folder beside the results."""

import hashlib
import json
import shutil
from pathlib import Path

from cellseg.files import write_json


def stamp(settings: object) -> str:
    """Fingerprint of all settings of a run (SHA-256 of the sorted JSON)."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


class ResumeFolder:
    """State after the last finished epoch, thrown away when the settings differ.

    The folder is not an output of the workflow: Snakemake deletes outputs before a job starts.
    An epoch counts once ``state.json``, which is replaced in one step, names its files.
    """

    def __init__(self, folder: Path, settings: object) -> None:
        self.folder = Path(folder)
        self.stamp = stamp(settings)

    def load(self) -> dict | None:
        """State saved last, or None when there is none for these settings."""
        try:
            state = json.loads((self.folder / "state.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            state = {}
        if state.get("stamp") == self.stamp:
            return state
        self.clear()
        return None

    def folder_of(self, epoch: int) -> Path:
        """Folder for the files of the state after `epoch`."""
        return self.folder / f"epoch-{epoch}"

    def save(self, epoch: int, content: dict) -> None:
        """Make the state after `epoch` the one to resume from and drop the one before it."""
        write_json(
            self.folder / "state.json", {"stamp": self.stamp, "finished_epoch": epoch, **content}
        )
        for old in self.folder.glob("epoch-*"):
            if old != self.folder_of(epoch):
                shutil.rmtree(old, ignore_errors=True)

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
