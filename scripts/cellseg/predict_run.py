"""One run: predict whole images with its network."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from cellseg import channels, files, prediction
from cellseg import images as image_files
from cellseg.errors import UserError


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
    started = time.perf_counter()

    def maps() -> Iterator[tuple[str, np.ndarray]]:
        for row in table.itertuples():
            image = image_files.read(row.path)
            predicted = predict_image(image)
            stack, names = prediction.used_channels(predicted, channels.USED)
            if not np.isfinite(stack).all():
                raise UserError(
                    f"the network of {folder} predicts values that are not finite for {row.path}. "
                    "Train it anew with a lower training.learning_rate."
                )
            yield row.image, stack
        yield channels.STACK_MEMBER, np.array(names)

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
