"""One run: choose its tiles, train the network, write the run folder."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd

from cellseg.data import frames, subsets
from cellseg.data import tiles as tile_files
from cellseg.errors import UserError
from cellseg.images import grey_values
from cellseg.io import atomic, csv_file, made_files, run_files, run_format
from cellseg.io.wording import number_of
from cellseg.synthesis import names
from cellseg.training import checkpoint, ensemble, provenance, pseudo_labels
from cellseg.training.augmentation import Augmentation
from cellseg.training.batches import FixedPool, Pool, TilePool, TileStream
from cellseg.training.crops import CropPool, WindowPool
from cellseg.training.intensity import Intensity
from cellseg.training.length import Length, tiles_seen
from cellseg.training.progress_writer import ProgressWriter
from cellseg.training.pseudo_labels import PseudoLabels
from cellseg.training.start import CHAIN, Start

if TYPE_CHECKING:
    from cellseg.training.family import Family


def train(
    settings: Mapping,
    tiles: Mapping[str, str],
    images: Sequence[str],
    extension: Sequence[str],
    weights: str | None,
    code: str,
    family: "Family",
    folder: Path,
    threads: int,
    check: ensemble.Check | None = None,
    start: Start | None = None,
    outlines: Sequence[str] = (),
    fold_tiles: Sequence[str] = (),
    pseudo: PseudoLabels | None = None,
) -> None:
    """Train one network and write its run folder.

    Parameters
    ----------
    settings : from :func:`cellseg.study.runs.run_settings`
    tiles : tile files of the train and val splits
    images : image tables of the train and val splits, and of others that folds are of
    extension : tile files of synthetic images, see :mod:`cellseg.synthesis`; those are trained on
        whose source is, and none is validated on
    weights : pretrained backbone, or None
    code : fingerprint of the code that trains; other code does not resume from an earlier state
    family : module of :mod:`cellseg.models`
    folder : gets weights.h5, history.csv, settings.json, provenance.json, progress.json,
        tensorboard/ and, until training has finished, resume/
    threads : CPU threads for computing; the data stream has as many workers
    check : called with each trained network, see :data:`cellseg.training.ensemble.Check`
    start : what to start from, see :func:`cellseg.training.start.opened`; each network of an
        ensemble does
    outlines : files of the true cells of the train and val splits, for a family that learns cells
        one by one (its ``streams`` makes the stream); none for families of maps
    fold_tiles : tile files of the splits besides train and val that folds are of
    pseudo : unlabelled images with the cells of another run, all of which are trained on

    Raises
    ------
    UserError
        No tile belongs to the chosen images, or the loss is not finite.
    """
    family.set_threads(threads)
    cv2.setNumThreads(1)  # the data stream has its own workers
    table = pd.concat([made_files.read_parquet(path) for path in images], ignore_index=True)
    chosen = subsets.select(table, settings["subset"], settings["seed"])
    pseudo_tiles = [pseudo.tiles] if pseudo else []
    if pseudo and outlines:
        outlines = [*outlines, pseudo.outlines]
    files = [tiles["train"], tiles["val"], *fold_tiles, *extension, *pseudo_tiles]
    pools = _pools(files, settings["tiling"])
    make = family.streams(outlines) if outlines else TileStream
    train_stream, validation_stream = _streams(pools, chosen, settings, threads, make)
    n_synthetic = _n_synthetic(settings["subset"], chosen["train"])
    noun, each = ("crop", " an epoch") if settings["tiling"]["mode"] == "crop" else ("tile", "")
    drawn = f"{number_of(len(train_stream.index), noun)}{each}"
    besides = f" and {n_synthetic} synthetic ones" if n_synthetic else ""
    besides += f" and {pseudo.about['images']} with pseudo-labels" if pseudo else ""
    print(
        f"Training on {drawn} of {number_of(len(chosen['train']), 'image')}{besides}, "
        f"validating on {number_of(len(validation_stream.index), 'tile')} of "
        f"{len(chosen['val'])}.",
        flush=True,
    )
    by_type = ensemble.by_cell_type(table, chosen) if settings["model"].get("ensemble") else None
    started = time.perf_counter()
    inputs = [*tiles.values(), *fold_tiles, *images, *extension, *outlines, *pseudo_tiles]
    inputs += [weights] if weights else []
    inputs += [start.path] if start else []
    stamp = checkpoint.stamp([settings, code, [checkpoint.fingerprint(path) for path in inputs]])
    progress = ProgressWriter(folder, settings)
    state = checkpoint.ResumeFolder(folder / run_files.RESUME, stamp, progress)
    backbone = Path(weights) if weights else None
    begun = {"start": start} if start else {}  # families that know of none are as good without
    if by_type is not None:
        streams = {
            cell_type: _streams(pools, part, settings, threads, make)
            for cell_type, part in by_type.items()
        }
        history = ensemble.train(
            family, settings, streams, folder, stamp, backbone, progress, check, begun
        )
        epochs = history[ensemble.CELL_TYPE].value_counts().to_dict()
        trained = [(train, epochs[name]) for name, (train, _) in streams.items()]
    else:
        if state.load() is None:
            shutil.rmtree(folder / run_files.TENSORBOARD, ignore_errors=True)
        streams = train_stream, validation_stream
        history = family.train(settings, *streams, folder, state, backbone, **begun)
        trained = [(train_stream, len(history))]
    steps, seen = _made(trained, settings["training"])
    csv_file.write(folder / run_files.HISTORY, history)
    atomic.write_json(folder / run_files.SETTINGS, run_format.stamped(settings))
    atomic.write_json(
        folder / run_files.PROVENANCE,
        provenance.record(
            settings,
            family.versions(),
            family.device(),
            threads=threads,
            seconds=round(time.perf_counter() - started, 1),
            train_images=chosen["train"],
            val_images=chosen["val"],
            train_cells=int(table.loc[table["image"].isin(chosen["train"]), "n_cells"].sum()),
            train_tiles=len(train_stream.index),
            steps=steps,
            tiles_seen=seen,
            seconds_of_epochs=round(float(history["seconds"].sum()), 1),
            **({"synthetic_images": n_synthetic} if n_synthetic else {}),
            **({CHAIN: list(start.chain)} if start else {}),
            **({pseudo_labels.KEY: dict(pseudo.about)} if pseudo else {}),
            grey_values={"percentiles": grey_values.PERCENTILES},
            parameters=family.parameters(settings) * len(by_type or [settings]),
        ),
    )
    if by_type is None and check:
        check(family, settings, validation_stream, folder, steps)
    # Only now: had the job died above, the last state would still exist to resume from.
    state.clear()
    progress.finished()


def _made(trained: Sequence[tuple[TileStream, int]], options: Mapping) -> tuple[int, int]:
    """Steps of networks together, and the tiles that they were shown, by stream and epochs."""
    steps = [Length.of(options, len(stream)).steps_until(epochs) for stream, epochs in trained]
    seen = [
        tiles_seen(own, len(stream.index), stream.batch_size)
        for own, (stream, _) in zip(steps, trained, strict=True)
    ]
    return sum(steps), sum(seen)


def _pools(paths: Sequence[str], tiling: Mapping) -> tuple[Pool, FixedPool]:
    """What is trained on and what is validated on.

    A drawn validation split takes images of both tile files, so each pool holds all of them.
    """
    if tiling["mode"] != "crop":
        pool = TilePool([tile_files.open(path) for path in paths])
        return pool, pool
    files = [frames.open(path) for path in paths]
    cover = files, tiling["size"], tiling["tile_overlap"]
    return CropPool(*cover, tiling["crops_per_image"], tiling["scales"]), WindowPool(*cover)


def _streams(
    pools: tuple[Pool, FixedPool],
    chosen: Mapping[str, list[str]],
    settings: Mapping,
    threads: int,
    make: Callable[..., TileStream],
) -> tuple[TileStream, TileStream]:
    """Batches of the chosen images, for training and for validation; those that are synthetic or
    have pseudo-labels to train on."""
    to_train, to_validate = pools
    train = chosen["train"] + _synthetic(to_train, chosen["train"], settings["subset"])
    train += pseudo_labels.among(np.unique(to_train.image).tolist())
    return (
        _stream(to_train, train, settings, threads, make, training=True),
        _stream(to_validate, chosen["val"], settings, threads, make, training=False),
    )


def _n_synthetic(subset: Mapping, train: list[str]) -> int:
    """How many synthetic images a subset asks for."""
    return subset.get("synthetic_per_image", 0) * len(train)


def _synthetic(pool: Pool, train: list[str], subset: Mapping) -> list[str]:
    """Synthetic images that are made of training images, as many as the subset asks for."""
    found = names.made_of(np.unique(pool.image).tolist(), train)
    wanted = _n_synthetic(subset, train)
    if len(found) != wanted:
        raise UserError(
            f"there are {len(found)} synthetic images of the {len(train)} training images, not "
            f"{wanted}. Delete the folder extended-{subset.get('synthetic_per_image')} of the data "
            "set and run again."
        )
    return found


def _stream(
    pool: Pool,
    images: list[str],
    settings: Mapping,
    threads: int,
    make: Callable[..., TileStream],
    training: bool,
) -> TileStream:
    options = settings["training"]
    index = np.flatnonzero(np.isin(pool.image, images))
    if len(index) == 0:
        raise UserError("no tile belongs to the chosen images. Delete the tiles and run again.")
    augmentation = Augmentation(
        options["rotation"], options["zoom"], options["flips"], Intensity(**options["intensity"])
    )
    return make(
        tiles=pool,
        index=index,
        heads=settings["heads"],
        batch_size=options["batch_size"],
        normalization=options["normalization"],
        seed=settings["seed"],
        augmentation=augmentation if training else None,
        targets_first=options["warp"] == "targets",
        shuffle=training,
        workers=threads,
    )
