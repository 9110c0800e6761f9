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
    """State that was saved last, deleted with a message when its stamp differs.

    The stamp stands for all that decides the training: settings, code, tiles, weights.

    The folder is not an output of the workflow: Snakemake deletes outputs before a job starts.
    A state counts once ``state.json``, which is replaced in one step, names its folder.

    Attributes
    ----------
    folder : of the state
    stamp : of the training
    saved : name of the state that was loaded or written last, or None
    """

    def __init__(self, folder: Path, stamp: str) -> None:
        self.folder = Path(folder)
        self.stamp = stamp
        self.saved: str | None = None

    def load(self) -> dict | None:
        """State saved last, or None when there is none with this stamp; ``files`` is its folder."""
        try:
            state = json.loads((self.folder / "state.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            state = {}
        if state.get("stamp") == self.stamp:
            self.saved = state["files"]
            return {**state, "files": self.folder / self.saved}
        if state:
            print(
                "Not resuming: settings, code or inputs differ from those of the state in "
                f"{self.folder}. Training starts from the beginning.",
                flush=True,
            )
        self.clear()
        return None

    @contextmanager
    def writing(self, name: str, content: dict) -> Iterator[Path]:
        """Yield a new folder `name` for the files of a state; after the block it is the state.

        Where the block fails, the folder goes. The state before goes once the new one counts.

        Raises
        ------
        UserError
            The disk is full. The state before is still there to go on from.
        """
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with full_disk.explained(folder):
                folder.mkdir(parents=True)
                yield folder
                write_json(
                    self.folder / "state.json", {"stamp": self.stamp, "files": name, **content}
                )
        except Exception:  # no interrupt: that may come when the state counts already
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.saved = name
        for old in self.folder.iterdir():
            if old.is_dir() and old.name != name:
                shutil.rmtree(old, ignore_errors=True)

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.saved = None
