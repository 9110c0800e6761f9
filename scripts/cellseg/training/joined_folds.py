"""The networks of all folds as one run, which predicts with each of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import atomic, made_files, run_files, run_format
from cellseg.training import ensemble, provenance
from cellseg.training.start import CHAIN, OF_PSEUDO

MEMBERS = "members"
"""Key of the provenance: the validation images of each network, by its name in the weights."""
SUMS = ("steps", "tiles_seen", "seconds", "seconds_of_epochs", "parameters")
"""Of the provenance of the folds, which add up."""
VERSIONS, DEVICE = "versions", "device"


def members(settings: Mapping) -> list[str]:
    """Names of the networks of a run of all folds, in their order; none of other runs.

    Parameters
    ----------
    settings : of the run, from :func:`cellseg.study.runs.run_settings`
    """
    folds = settings.get("subset", {}).get("folds")
    if folds is None or "fold" in folds:
        return []
    return [f"fold-{number}" for number in range(1, folds["count"] + 1)]


def refuse(settings: Mapping, path: str | Path) -> None:
    """Refuse a run of all folds where one network is needed.

    Raises
    ------
    UserError
        The run holds several networks.
    """
    if names := members(settings):
        raise UserError(
            f"{path} holds {len(names)} networks, one of each fold, and one network is exported. "
            "Name the run of one fold, or hand on the folder of the run, which `snakemake apply` "
            "takes."
        )


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
    names = members(settings)
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
