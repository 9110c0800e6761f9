"""Predicted maps that a study keeps, for images that would else be predicted once more."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cellseg.errors import UserError
from cellseg.inference import stores
from cellseg.io.wording import number_of


def copy(
    kept: Path,
    weights: str | Path,
    images: Sequence[str],
    options: Mapping,
    channels: Sequence[str],
    output: str | Path,
) -> bool:
    """Copy maps of a run's images, if they are kept and of the network that the run has now.

    Parameters
    ----------
    kept : maps of all images of the run; the file may be missing, or removed meanwhile
    weights : of the run
    images : names of those to copy
    options, channels : of the prediction that is asked for
    output : maps to write, see :mod:`cellseg.inference.stores`

    Returns
    -------
    bool : whether the maps are written; if not they have to be predicted
    """
    try:
        if kept.stat().st_mtime_ns < Path(weights).stat().st_mtime_ns:
            return False
        store = stores.open(kept)
        if store.prediction != options or store.channels != list(channels):
            return False
        # In the order of a prediction, so that the files are the same.
        stores.copy(store, output, sorted(set(images)))
    except (OSError, UserError):
        return False
    print(f"Took {number_of(len(set(images)), 'image')} from {kept}.")
    return True
