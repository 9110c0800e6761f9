"""One network for each cell type in one run: an image is predicted by the network of its type.

The idea, and that it helps where cell types differ in shape, is of the poster *Deep Learning for
Cell Segmentation* (Kim, Song, Zheng; Stanford). The networks of a run may be of any family; they
are trained one after the other, with the same settings and seed, and resume like any training.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import pandas as pd

from cellseg.errors import UserError
from cellseg.io import atomic, own_folders, run_files, tolerant
from cellseg.training import checkpoint
from cellseg.training.batches import TileStream
from cellseg.training.checkpoint import ResumeFolder
from cellseg.training.length import Length
from cellseg.training.progress_writer import ProgressWriter

if TYPE_CHECKING:
    from cellseg.training.family import Family

CELL_TYPE = "cell_type"
"""Column of the history."""

Streams = tuple[TileStream, TileStream]
Check = Callable[["Family", Mapping, TileStream, Path, int], None]
"""Looks at a trained network: family, settings, validation tiles, folder of the weights, steps."""


def by_cell_type(
    images: pd.DataFrame, chosen: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, list[str]]]:
    """Training and validation images of each cell type.

    Parameters
    ----------
    images : with columns image and cell_type
    chosen : image names, ``{"train": [...], "val": [...]}``

    Returns
    -------
    dict of cell type, sorted, to its part of `chosen`

    Raises
    ------
    UserError
        A cell type has no image in one of the two.
    """
    type_of = dict(zip(images["image"], images["cell_type"], strict=True))
    types = sorted({type_of[image] for names in chosen.values() for image in names})
    parts = {
        cell_type: {
            split: [image for image in names if type_of[image] == cell_type]
            for split, names in chosen.items()
        }
        for cell_type in types
    }
    for cell_type, part in parts.items():
        for split, names in part.items():
            if not names:
                raise UserError(
                    f"ensemble: cell type {cell_type} has no image in the {split} split of the "
                    "subset. Leave it out under `cell_types` of the subset, raise its fraction, or "
                    "set `validation: by-well`."
                )
    return parts


def train(
    family: "Family",
    settings: Mapping,
    streams: Mapping[str, Streams],
    folder: Path,
    stamp: str,
    weights: Path | None,
    progress: ProgressWriter | None = None,
    check: Check | None = None,
    begun: Mapping[str, object] | None = None,
) -> pd.DataFrame:
    """Train the network of each cell type and put them into one file.

    Parameters
    ----------
    family : module of :mod:`cellseg.models`
    settings : from :func:`cellseg.study.runs.run_settings`
    streams : training and validation stream of each cell type
    folder : gets weights.h5, tensorboard/ with a folder a cell type and, until the caller removes
        it, resume/ with the networks that are trained and the state of the one in training
    stamp : of :func:`cellseg.training.checkpoint.stamp`; networks of another one are trained again
    weights : pretrained backbone, or None
    progress : says which network is trained, and how far
    check : called with each trained network
    begun : ``start`` of each network, for the family; see :mod:`cellseg.training.start`

    Returns
    -------
    DataFrame
        The histories one below the other, with a first column ``cell_type``.
    """
    members = {cell_type: folder / run_files.RESUME / cell_type for cell_type in streams}
    progress = progress or ProgressWriter(None, {})
    histories = []
    for number, (cell_type, member) in enumerate(members.items(), start=1):
        own_stamp = checkpoint.stamp([stamp, cell_type])
        history = _finished(member, own_stamp)
        done = "" if history is None else ": trained already"
        print(f"Network {number} of {len(members)}, for {cell_type}{done}.", flush=True)
        progress.network = {"number": number, "of": len(members), "cell_type": cell_type}
        if history is None:
            state = ResumeFolder(member / "state", own_stamp, progress)
            history = _train_member(
                family, settings, streams[cell_type], member, state, weights, check, begun or {}
            )
        else:
            rows = history.to_dict("records")
            progress.begin(Length.of(settings["training"], len(streams[cell_type][0])), rows)
        history.insert(0, CELL_TYPE, cell_type)
        histories.append(history)
    write(
        folder / run_files.WEIGHTS,
        {name: member / run_files.WEIGHTS for name, member in members.items()},
    )
    shutil.rmtree(folder / run_files.TENSORBOARD, ignore_errors=True)
    for cell_type, member in members.items():
        shutil.copytree(member / run_files.TENSORBOARD, folder / run_files.TENSORBOARD / cell_type)
    return pd.concat(histories, ignore_index=True)


def _train_member(
    family: "Family",
    settings: Mapping,
    streams: Streams,
    member: Path,
    state: ResumeFolder,
    weights: Path | None,
    check: Check | None,
    begun: Mapping[str, object],
) -> pd.DataFrame:
    if state.load() is None:
        own_folders.remove(member)
    own_folders.make(member.parent)
    own_folders.make(member)
    history = family.train(settings, *streams, member, state, weights, **begun)
    steps = Length.of(settings["training"], len(streams[0])).steps_until(len(history))
    if check:
        check(family, settings, streams[1], member, steps)
    finished = {"stamp": state.stamp, "history": history.to_dict("records")}
    atomic.write_json(member / "finished.json", finished)
    state.clear()
    return history


def _finished(member: Path, stamp: str) -> pd.DataFrame | None:
    """History of a network that is trained, or None where that is still to be done."""
    content = tolerant.json_file(member / "finished.json")
    if not isinstance(content, dict) or content.get("stamp") != stamp:
        return None
    return pd.DataFrame(content["history"])


def write(path: Path, members: Mapping[str, Path]) -> None:
    """Put the weight files of all networks into one, a group a cell type."""

    def fill(file: h5py.File) -> None:
        for cell_type, own in members.items():
            with h5py.File(own) as source:
                file.copy(source["/"], file, name=cell_type)

    atomic.write_hdf5(path, fill)


def cell_types(path: Path) -> list[str]:
    """Cell types whose networks a file holds, sorted.

    Raises
    ------
    UserError
        It is no such file.
    """
    try:
        with h5py.File(path) as file:
            return sorted(file)
    except OSError as error:
        raise UserError(
            f"{path} does not hold the weights of an ensemble ({error}). Delete it and rerun "
            "the workflow to train again."
        ) from error


def refuse(settings: Mapping, path: str | Path, what: str) -> None:
    """Refuse an ensemble where the cell type of an image is not known, or one network is needed.

    Parameters
    ----------
    settings : of the run
    path : of its weights
    what : what is asked for, such as ``is exported``

    Raises
    ------
    UserError
        The run is an ensemble.
    """
    if settings["model"].get("ensemble"):
        raise UserError(
            f"{path} holds a network for each cell type (`ensemble: cell-type`); only a run of one "
            f"network {what}. Name another run, such as one of the same model without `ensemble` "
            "on a subset of one cell type."
        )


def check(path: Path, types: Iterable[str]) -> None:
    """Refuse images that no network is for.

    Raises
    ------
    UserError
        The file holds no network for one of the cell types.
    """
    known = cell_types(path)
    missing = sorted(set(types) - set(known))
    if missing:
        raise UserError(
            f"the ensemble {path} has no network for images of cell type {', '.join(missing)}, "
            f"only for {', '.join(known)}. Train it on a subset with those types, or predict with "
            "a model that is no ensemble."
        )


@contextmanager
def network(path: Path, cell_type: str) -> Iterator[Path]:
    """Yield a folder that holds the ``weights.h5`` of one network alone; it goes after the block.

    Raises
    ------
    UserError
        The file holds no network for this cell type.
    """
    check(path, [cell_type])
    with part(path, cell_type) as folder:
        yield folder


@contextmanager
def part(path: Path, name: str) -> Iterator[Path]:
    """Yield a folder that holds the ``weights.h5`` of one group alone; it goes after the block.

    Raises
    ------
    UserError
        The file holds no such group.
    """
    if name not in cell_types(path):
        raise UserError(
            f"{path} does not hold the network {name}. Delete it and rerun the workflow to make it "
            "again."
        )

    def fill(file: h5py.File) -> None:
        with h5py.File(path) as source:
            group = source[name]
            for inner in group:
                group.copy(inner, file)
            for key, value in group.attrs.items():
                file.attrs[key] = value

    with tempfile.TemporaryDirectory(prefix="ensemble-") as folder:
        atomic.write_hdf5(Path(folder) / run_files.WEIGHTS, fill)
        yield Path(folder)
