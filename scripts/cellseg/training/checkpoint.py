"""The state from which an interrupted training resumes: a stamped folder next to the results."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellseg.io import disk_full, own_folders
from cellseg.io.atomic import write_json
from cellseg.io.stamps import stamp
from cellseg.training.progress_writer import ProgressWriter

STATE = "state.json"


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

    The stamp identifies all that decides the training: settings, code, tiles, weights.

    The folder is not an output of the workflow: Snakemake deletes outputs before a job starts.
    A state counts once ``state.json``, which is replaced in one step, names its folder.

    Attributes
    ----------
    folder : of the state
    stamp : of the training
    progress : is kept up to date while the network is trained
    saved : name of the state that was loaded or written last, or None
    """

    def __init__(self, folder: Path, stamp: str, progress: ProgressWriter | None = None) -> None:
        self.folder = Path(folder)
        self.stamp = stamp
        self.progress = progress or ProgressWriter(None, {})
        self.saved: str | None = None

    def load(self) -> dict | None:
        """State saved last, or None when there is none with this stamp; ``files`` is its folder."""
        state = self._read()
        if state is not None and state["stamp"] == self.stamp:
            self.saved = state["files"]
            return {**state, "files": self.folder / self.saved}
        if state is not None:
            print(
                "Not resuming: settings, code or inputs differ from those of the state in "
                f"{self.folder}. Training starts from the beginning.",
                flush=True,
            )
        self.clear()
        return None

    def _read(self) -> dict | None:
        """What ``state.json`` says; None if there is none, or, said once, if it is damaged."""
        path = self.folder / STATE
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            files = state["files"]
            if not isinstance(state["stamp"], str) or Path(files).name != files:
                raise ValueError("it names no folder next to it")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            print(
                f"Not resuming: {path} is damaged ({type(error).__name__}). Training starts from "
                "the beginning.",
                flush=True,
            )
            return None
        return state

    @contextmanager
    def writing(self, name: str, content: dict) -> Iterator[Path]:
        """Yield a new folder `name` for the files of a state; after the block it is the state.

        Where the block fails, the folder goes. The state before goes once the new one counts.

        Raises
        ------
        UserError
            The disk is full. The state before is kept, and training can resume from it.
        """
        folder = self.folder / name
        own_folders.remove(folder)
        try:
            with disk_full.explained(folder):
                own_folders.make(self.folder)
                own_folders.make(folder)
                yield folder
                write_json(self.folder / STATE, {"stamp": self.stamp, "files": name, **content})
        except Exception:  # no interrupt: that may come when the state counts already
            own_folders.remove(folder)
            raise
        self.saved = name
        self._remove_states(but=name)

    @property
    def best(self) -> Path:
        """Weight file with the lowest validation loss so far."""
        return self.folder / "best.h5"

    def clear(self) -> None:
        """Remove the state, and the folder unless it is a link or was there before."""
        self._remove_states()
        for path in (self.folder / STATE, self.best):
            path.unlink(missing_ok=True)
        own_folders.remove(self.folder)
        self.saved = None

    def _remove_states(self, but: str | None = None) -> None:
        if self.folder.is_dir():
            for old in self.folder.iterdir():
                if old.name != but:
                    own_folders.remove(old)
