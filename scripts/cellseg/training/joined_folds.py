"""The networks of all folds as one run, which predicts with each of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cellseg.io import atomic, fold_networks, made_files, run_files, run_format
from cellseg.training import ensemble, provenance
from cellseg.training.start import CHAIN, OF_PSEUDO

MEMBERS = "members"
"""Key of the provenance: the validation images of each network, by its name in the weights."""
SUMS = ("steps", "tiles_seen", "seconds", "seconds_of_epochs", "parameters")
"""Of the provenance of the folds, which add up."""
VERSIONS, DEVICE = "versions", "device"


def join(
    settings: Mapping,
    weights: Sequence[str],
    provenances: Sequence[str],
    folder: Path,
) -> None:
    """Write the weights, settings and provenance of a run of all folds.

    Parameters
    ----------
    settings : of the run
    weights, provenances : of the run of each fold, in their order
    folder : gets weights.h5, with a group for each network, settings.json and provenance.json

    Raises
    ------
    UserError
        A file is missing or damaged.
    """
    names = fold_networks.names(settings)
    records = [made_files.read_json(path, "train_images", "val_images") for path in provenances]
    first = records[0]
    images = {key: sorted({image for one in records for image in one[key]})
              for key in ("train_images", "val_images")}  # fmt: skip
    ensemble.write(folder / run_files.WEIGHTS, dict(zip(names, map(Path, weights), strict=True)))
    atomic.write_json(folder / run_files.SETTINGS, run_format.stamped(settings))
    more = {key: sum(one[key] for one in records) for key in SUMS if key in first}
    more[MEMBERS] = {name: one["val_images"] for name, one in zip(names, records, strict=True)}
    atomic.write_json(
        folder / run_files.PROVENANCE,
        provenance.record(
            settings,
            first[VERSIONS],
            first[DEVICE],
            **images,
            **more,
            **{key: first[key] for key in (CHAIN, OF_PSEUDO) if key in first},
        ),
    )
