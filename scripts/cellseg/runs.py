"""One run: train a network, predict whole images with it."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pandas as pd

from cellseg import files, heads, prediction, provenance, subsets
from cellseg import images as image_files
from cellseg import tiles as tile_files
from cellseg.augmentation import Augmentation
from cellseg.errors import UserError
from cellseg.resume import ResumeFolder
from cellseg.stream import TilePool, TileStream


def train(
    settings: Mapping,
    tiles: Mapping[str, str],
    images: Sequence[str],
    weights: str | None,
    family: ModuleType,
    folder: Path,
    threads: int,
) -> None:
    """Train one network and write its run folder.

    Parameters
    ----------
    settings : from :func:`cellseg.config.run_settings`
    tiles : tile files of the train and val splits
    images : image tables of the train and val splits
    weights : pretrained backbone, or None
    family : module of :mod:`cellseg.families`
    folder : gets weights.h5, history.csv, settings.json, provenance.json, tensorboard/ and, until
        training has finished, resume/
    threads : CPU threads for computing; the data stream has as many workers

    Raises
    ------
    UserError
        No tile belongs to the chosen images, or the loss is not finite.
    """
    family.set_threads(threads)
    cv2.setNumThreads(1)  # the data stream has workers of its own
    table = pd.concat([pd.read_parquet(path) for path in images], ignore_index=True)
    chosen = subsets.select(table, settings["subset"], settings["seed"])
    # A drawn validation split takes images of both tile files, so the two are one pool.
    pool = TilePool([tile_files.open(tiles[name]) for name in ("train", "val")])
    train_stream = _stream(pool, chosen["train"], settings, threads, training=True)
    validation_stream = _stream(pool, chosen["val"], settings, threads, training=False)
    print(
        f"Training on {len(train_stream.index)} tiles of {len(chosen['train'])} images, "
        f"validating on {len(validation_stream.index)} of {len(chosen['val'])}.",
        flush=True,
    )
    started = time.perf_counter()
    history = family.train(settings, train_stream, validation_stream, folder, _path(weights))
    with files.replacing(folder / "history.csv") as temporary:
        history.to_csv(temporary, index=False)
    files.write_json(folder / "settings.json", settings)
    files.write_json(
        folder / "provenance.json",
        provenance.record(
            settings,
            family.versions(),
            family.device(),
            threads=threads,
            seconds=round(time.perf_counter() - started, 1),
            train_images=chosen["train"],
            val_images=chosen["val"],
            train_tiles=len(train_stream.index),
            parameters=family.parameters(settings),
        ),
    )
    # Only now: had the job died above, the last state would still be there to go on from.
    ResumeFolder(folder / "resume", settings).clear()


def predict(
    settings: str,
    images: str,
    every: int,
    options: Mapping,
    load_family: Callable[[str], ModuleType],
    folder: Path,
    output: str,
    threads: int,
) -> None:
    """Predict whole images and store the channels that the watershed uses.

    Parameters
    ----------
    settings : settings.json of the run
    images : image table of the split to predict
    every : predict every n-th image of each cell type
    options : ``window`` (pixels or None for the training tile's), ``overlap`` (share of the
        window) and ``batch_size``
    load_family : from family name to module
    folder : of the trained run
    output : npz; member ``<image>`` is an ndarray of shape (H, W, channels), float16, and member
        ``__channels__`` names them
    """
    run = json.loads(Path(settings).read_text())
    family = load_family(run["model"]["family"])
    family.set_threads(threads)
    predict_image = _image_predictor(run, family, folder, options)
    table = scored_images(pd.read_parquet(images), every)
    used = {head: heads.HEADS[head].post_processing for head in run["heads"]}
    started = time.perf_counter()

    def maps() -> Iterator[tuple[str, np.ndarray]]:
        for row in table.itertuples():
            image = image_files.read(row.path)
            predicted = predict_image(image)
            stack, names = prediction.used_channels(predicted, used)
            if not np.isfinite(stack).all():
                raise UserError(
                    f"the network of {folder} predicts values that are not finite for {row.path}. "
                    "Train it anew with a lower training.learning_rate."
                )
            yield row.image, stack
        yield "__channels__", np.array(names)

    files.write_stack(output, maps())
    seconds = (time.perf_counter() - started) / len(table)
    print(f"Predicted {len(table)} images, {seconds:.2f} s each.")


def _image_predictor(
    run: Mapping, family: ModuleType, folder: Path, options: Mapping
) -> Callable[[np.ndarray], prediction.Maps]:
    """From whole image to maps, the way the network saw images in training."""
    normalization = run["training"]["normalization"]
    if run["tiling"]["mode"] == "resize":
        size = run["tiling"]["size"]
        predictor = family.Predictor(run, folder, size)
        return lambda image: prediction.predict_resized(predictor, image, size, normalization)
    window = options["window"] or run["tiling"]["size"]
    predictor = family.Predictor(run, folder, window)
    overlap = round(options["overlap"] * window)
    return lambda image: prediction.predict_image(
        predictor, image, window, overlap, normalization, options["batch_size"]
    )


def scored_images(table: pd.DataFrame, every: int) -> pd.DataFrame:
    """Every n-th image of each cell type, sorted by image."""
    ordered = table.sort_values("image", kind="stable")
    return ordered[ordered.groupby("cell_type").cumcount() % every == 0]


def _stream(
    pool: TilePool, images: list[str], settings: Mapping, threads: int, training: bool
) -> TileStream:
    options = settings["training"]
    index = np.flatnonzero(np.isin(pool.image, images))
    if len(index) == 0:
        raise UserError("no tile belongs to the chosen images. Delete the tiles and run again.")
    augmentation = Augmentation(options["rotation"], options["zoom"], options["flips"])
    return TileStream(
        tiles=pool,
        index=index,
        heads=settings["heads"],
        batch_size=options["batch_size"],
        normalization=options["normalization"],
        seed=settings["seed"],
        augmentation=augmentation if training else None,
        shuffle=training,
        workers=threads,
    )


def _path(path: str | None) -> Path | None:
    return None if path is None else Path(path)
