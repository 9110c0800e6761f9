"""One run: predict whole images with its network."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellseg.data import annotation_tables, subsets
from cellseg.errors import UserError
from cellseg.inference import (
    instance_run,
    instance_store,
    map_run,
    map_store,
    members,
    sliding_window,
)
from cellseg.io import made_files, run_files, run_format
from cellseg.io.wording import number_of
from cellseg.targets.instances import CHANNEL
from cellseg.training import ensemble, provenance

if TYPE_CHECKING:
    from cellseg.training.family import Family


def predict(
    settings: str,
    images: Sequence[str],
    only: Sequence[str] | None,
    subsample: int,
    options: Mapping,
    channels: Mapping[str, Sequence[str]],
    load_family: Callable[[Mapping], "Family"],
    folder: Path,
    output: str,
    threads: int,
    sample: Mapping | None = None,
    by_member: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Predict whole images and store what the segmentation uses: channels of maps, or detections.

    Parameters
    ----------
    settings : settings.json of the run
    images : image tables of the splits to predict
    only : names of the images to predict; None predicts all
    subsample : predict every n-th image of each cell type
    options : ``window`` (pixels, ``image`` for the whole, None for the training tile's),
        ``window_overlap`` (share of the window), ``batch_size`` and ``test_time_augmentation``
        (``flips``, ``rotations`` and ``scales``)
    channels : ``stored``, names of the channels to store such as ``pixelwise/1``, and ``precise``,
        those of them with 16 bits
    load_family : from the model's settings to the module of its family
    folder : of the trained run
    output : to write, see :mod:`cellseg.inference.stores`
    sample : predict a ``fraction`` of the images of each cell type, drawn by a ``seed``, or those
        that one of ``folds`` holds out; None predicts all
    by_member : of a run of all folds, the images that each network alone predicts, which was not
        trained on them; None predicts every image with all networks
    """
    run = run_format.read(settings, *provenance.SETTINGS)
    family = load_family(run["model"])
    family.set_threads(threads)
    table = pd.concat([made_files.read_parquet(path) for path in images], ignore_index=True)
    table = table if only is None else table[table["image"].isin(only)]
    table = scored_images(table, subsample, sample)
    parts = [(nullcontext(folder), table)]
    if run["model"].get("ensemble"):
        weights = folder / run_files.WEIGHTS
        ensemble.check(weights, table["cell_type"])
        parts = [
            (ensemble.network(weights, cell_type), rows)
            for cell_type, rows in table.groupby("cell_type", sort=True)
        ]
    elif by_member:
        weights = folder / run_files.WEIGHTS
        chosen = {name: table[table["image"].isin(own)] for name, own in by_member.items()}
        parts = [(ensemble.part(weights, name), rows) for name, rows in chosen.items() if len(rows)]
    names = list(channels["stored"])
    started = time.perf_counter()

    finds_instances = names == [CHANNEL]
    of_image = instance_run.image_detector if finds_instances else map_run.image_predictor

    def opened_by(own_folder: Path) -> AbstractContextManager[Callable]:
        if by_member:
            return nullcontext(of_image(run, family, own_folder, options))
        return members.predictor(of_image, run, family, own_folder, options)

    def predicted() -> Iterator[tuple[str, object]]:
        for opened, rows in parts:
            with opened as own_folder, opened_by(own_folder) as predict_image:
                for key, picture in zip(
                    rows["image"], annotation_tables.pictures(rows), strict=True
                ):
                    found = predict_image(picture.read())
                    if not finds_instances:
                        found = sliding_window.stacked(found, names)
                    if not np.isfinite(found.scores if finds_instances else found).all():
                        raise UserError(
                            f"the network of {folder} predicts values that are not finite for "
                            f"{picture.path}. Train it again with a lower training.learning_rate."
                        )
                    yield key, found

    if finds_instances:
        instance_store.write(output, predicted(), options)
    else:
        map_store.write(output, names, predicted(), threads, options, channels["precise"])
    seconds = (time.perf_counter() - started) / len(table)
    print(f"Predicted {number_of(len(table), 'image')}, {seconds:.2f} s each.")


def scored_images(
    table: pd.DataFrame, subsample: int, sample: Mapping | None = None
) -> pd.DataFrame:
    """Every n-th image of each cell type, sorted by image; of these, those of the `sample`.

    Parameters
    ----------
    sample : ``fraction`` and ``seed``, see :func:`cellseg.data.subsets.sampled`, or ``folds``, see
        :func:`cellseg.data.subsets.held_out`, of whose images every n-th is taken; None takes all
    """
    if sample is not None and "folds" in sample:
        table, sample = subsets.held_out(table, sample["folds"]), None
    ordered = table.sort_values("image", kind="stable")
    chosen = ordered[ordered.groupby("cell_type").cumcount() % subsample == 0]
    return chosen if sample is None else subsets.sampled(chosen, **sample)
