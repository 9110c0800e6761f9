"""Where an interrupted training goes on: a stamped folder beside the results."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellseg import full_disk
from cellseg.files import write_json


def stamp(content: object) -> str:
    """SHA-256 of anything that JSON can hold, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def fingerprint(path: str | Path) -> str:
    """What a file holds, in short: the checksums within a zip or npz, else its SHA-256.

    Tiles may take ten gigabytes; their zip keeps a checksum of every array.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return stamp([[entry.filename, entry.CRC] for entry in archive.infolist()])
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ResumeFolder:
    """State after the last finished epoch, thrown away when its stamp differs.

    The stamp stands for all that decides the training: settings, code, tiles, weights.

    The folder is not an output of the workflow: Snakemake deletes outputs before a job starts.
    An epoch counts once ``state.json``, which is replaced in one step, names its files.
    """

    def __init__(self, folder: Path, stamp: str) -> None:
        self.folder = Path(folder)
        self.stamp = stamp

    def load(self) -> dict | None:
        """State saved last, or None when there is none with this stamp."""
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

    @contextmanager
    def writing(self, epoch: int) -> Iterator[Path]:
        """Yield a new folder for the files of the state after `epoch`; gone when the block fails.

        Raises
        ------
        UserError
            The disk is full. The state of the epoch before is still there to go on from.
        """
        folder = self.folder_of(epoch)
        try:
            with full_disk.explained(folder):
                folder.mkdir(parents=True, exist_ok=True)
                yield folder
        except Exception:  # no interrupt: that may come when the state counts already
            shutil.rmtree(folder, ignore_errors=True)
            raise

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
