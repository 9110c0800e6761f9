"""Tune the segmentation of one run: the tables of what was tried and what was chosen."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.errors import UserError
from cellseg.inference import stores
from cellseg.io import atomic, csv_file, run_format
from cellseg.runtime.parallel import ordered_map
from cellseg.tuning.grid import best, combinations, score_all

SHOWN = ("msa", "f1_50", "pixel_iou", "n_pred")
"""Scores in the table of what was tried, besides the one that decides."""


def tune(
    maps: str | Path,
    truths: Sequence[str | Path],
    tuning: Mapping,
    segmentation: Mapping,
    chosen: str | Path,
    tried: str | Path,
    threads: int,
) -> None:
    """Find the settings with the best mean score over the images of `maps`.

    Parameters
    ----------
    maps : of :mod:`cellseg.inference.stores`
    truths : npz files of label images; each image is in one of them
    tuning : lists of values by setting, and ``score``, the score that decides
    segmentation : the study's settings, which are tried too, and win where nothing is better
    chosen : JSON to write: the settings, their score, that of the study's own, number of images
    tried : CSV to write: a row a combination, its settings, mean scores and whether it was chosen
    threads : images at once; the result is the same for any

    Raises
    ------
    UserError
        There is no image, or one has no true cells on record.
    """
    store = stores.open(maps)
    if not store.images:
        raise UserError(f"{maps} holds no image. Delete it and run again.")
    heads = [name.split("/")[0] for name in store.channels]
    settings = combinations(tuning, segmentation, heads)
    names = list(dict.fromkeys([tuning["score"], *SHOWN]))
    work = partial(_score_image, maps, list(truths), settings, names)
    scores = np.stack(list(ordered_map(work, store.images, threads, processes=False)))
    number = best(scores[..., 0])
    table = pd.DataFrame(settings)
    for place, name in enumerate(names):
        table[name] = pd.DataFrame(scores[..., place]).mean().to_numpy()  # without undefined ones
    table["chosen"] = np.arange(len(settings)) == number
    csv_file.write(tried, table)
    decides = tuning["score"]
    own_mean, best_mean = (float(table[decides].iloc[place]) for place in (0, number))
    content = {
        "segmentation": settings[number],
        "score": decides,
        "mean": best_mean,
        "mean of the study's own": own_mean,
        "combinations": len(settings),
        "images": store.images,
    }
    atomic.write_json(chosen, run_format.stamped(content))
    changed = [f"{key} {value}" for key, value in settings[number].items()
               if value != settings[0][key]]  # fmt: skip
    print(
        f"Tried {len(settings)} combinations on {len(store.images)} validation images: mean "
        f"{decides} {own_mean:.3f} with the study's settings, {best_mean:.3f} with "
        f"{', '.join(changed) or 'none better'}."
    )


def _score_image(
    maps: str | Path,
    truths: list[str | Path],
    settings: list[dict],
    names: list[str],
    image: str,
) -> np.ndarray:
    true = next(_true_labels(truths, image), None)
    if true is None:
        raise UserError(
            f"image {image} of {maps} is in none of {', '.join(map(str, truths))}. The data set "
            "has changed since the prediction: delete the prediction and run again."
        )
    read = stores.open(maps).read(image)
    shape = stores.shape_of(read)
    if shape != true.shape:
        raise UserError(
            f"image {image} is {shape[0]} x {shape[1]} pixels in {maps} but {true.shape[0]} x "
            f"{true.shape[1]} in its true labels. Delete the maps and run again."
        )
    return score_all(read, true, settings, names)


def _true_labels(truths: list[str | Path], image: str) -> Iterator[np.ndarray]:
    for stack in map(atomic.open_stack, truths):
        if image in stack:
            yield stack[image]
