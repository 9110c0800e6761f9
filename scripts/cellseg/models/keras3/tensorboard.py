"""History of a training for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path

from cellseg.io import disk_full


class EventFile:
    """A TensorBoard log. Needs the package tensorboard, not TensorFlow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer = None

    def write(self, epoch: int, row: Mapping[str, float]) -> None:
        """Add the values of an epoch, by name.

        Raises
        ------
        UserError
            The disk is full. TensorBoard reads what is there up to the last whole value.
        """
        with disk_full.explained(self._folder):
            if self._writer is None:
                from tensorboard.summary import Writer

                self._writer = Writer(str(self._folder))
            for name, value in row.items():
                self._writer.add_scalar(name, value, epoch)
            self._writer.flush()
