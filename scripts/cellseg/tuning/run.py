"""Tune the segmentation of one run: the tables of what was tried and what was chosen."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.errors import UserError
from cellseg.inference import stores
from cellseg.io import atomic, csv_file, run_format
from cellseg.io.wording import number_of
from cellseg.runtime.parallel import ordered_map
from cellseg.scoring.names import ALL_TYPES
from cellseg.segmentation import by_cell_type
from cellseg.tuning import by_type
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
    images: Sequence[str | Path] = (),
) -> None:
    """Find the settings with the best mean score over the images of `maps`.

    Parameters
    ----------
    maps : of :mod:`cellseg.inference.stores`
    truths : npz files of label images; each image is in one of them
    tuning : lists of values by setting, ``score``, the score that decides, and ``by``: None, or
        ``cell-type`` to choose for each cell type too, from its images
    segmentation : the study's settings, which are tried too, and win where nothing is better
    chosen : JSON to write: the settings, their score, that of the study's own, the images and, by
        cell type, the settings of each type that has its own and their scores
    tried : CSV to write: a row a combination, its settings, mean scores and whether it was chosen;
        by cell type for all images, then for each type
    threads : images at once; the result is the same for any
    images : by cell type, tables of the images that the run was trained and validated with

    Raises
    ------
    UserError
        There is no image, one has no true cells on record, or its cell type is not known.
    """
    store = stores.open(maps)
    if not store.images:
        raise UserError(f"{maps} holds no image. Delete it and run again.")
    heads = [name.split("/")[0] for name in store.channels]
    settings = combinations(tuning, segmentation, heads)
    decides = tuning["score"]
    names = list(dict.fromkeys([decides, *SHOWN]))
    work = partial(_score_image, maps, list(truths), settings, [*names, "n_true"])
    scores = np.stack(list(ordered_map(work, store.images, threads, processes=False)))
    n_true, scores = scores[:, 0, -1], scores[..., :-1]
    number = best(scores[..., 0])
    table = _tried(settings, names, scores, number)
    own_mean, best_mean = (float(table[decides].iloc[place]) for place in (0, number))
    content = {
        "segmentation": settings[number],
        "score": decides,
        "mean": best_mean,
        "mean of the study's own": own_mean,
        "combinations": len(settings),
        "images": store.images,
    }
    print(
        f"Tried {len(settings)} combinations on {len(store.images)} validation images: mean "
        f"{decides} {own_mean:.3f} with the study's settings, {best_mean:.3f} with "
        f"{_changed(settings, number) or 'none better'}."
    )
    if tuning.get("by") == by_cell_type.CELL_TYPE:
        types = by_cell_type.types_of(images)
        of_images = by_cell_type.of_images(types, store.images, maps)
        found = by_type.choose(
            scores[..., 0], n_true, list(of_images.values()), types.values(), number
        )
        content |= _of_types(found, settings, scores[..., 0], number)
        of_types = [
            _tried(settings, names, scores[one.rows], one.number).assign(cell_type=name)
            for name, one in found.items()
            if not one.why_of_all
        ]
        table = pd.concat([table.assign(cell_type=ALL_TYPES), *of_types])
        table.insert(0, "cell_type", table.pop("cell_type"))
        for line in _lines(found, settings, content):
            print(line)
    csv_file.write(tried, table)
    atomic.write_json(chosen, run_format.stamped(content))


def _tried(
    settings: Sequence[Mapping], names: Sequence[str], scores: np.ndarray, number: int
) -> pd.DataFrame:
    """A row for each combination.

    Parameters
    ----------
    scores : ndarray of shape (images, settings, names), float64
    number : of the chosen combination
    """
    table = pd.DataFrame(list(settings))
    for place, name in enumerate(names):
        table[name] = pd.DataFrame(scores[..., place]).mean().to_numpy()  # without undefined ones
    table["chosen"] = np.arange(len(settings)) == number
    return table


def _changed(settings: Sequence[Mapping], number: int) -> str:
    """What a combination has otherwise than the study, in words; empty for the study's own."""
    changed = [f"{key} {value}" for key, value in settings[number].items()
               if value != settings[0][key]]  # fmt: skip
    return ", ".join(changed)


def _of_types(
    found: Mapping[str, by_type.Choice],
    settings: Sequence[Mapping],
    scores: np.ndarray,
    of_all: int,
) -> dict:
    """What the JSON says of cell types; `scores` is of shape (images, settings)."""
    used = np.full(len(scores), of_all)
    about = {}
    for name, one in found.items():
        used[one.rows] = one.number
        if not one.why_of_all:
            about[name] = {
                "images": len(one.rows),
                "mean": _mean(scores[one.rows, one.number]),
                "mean with those of all": _mean(scores[one.rows, of_all]),
                "mean of the study's own": _mean(scores[one.rows, 0]),
            }
    return {
        "by": by_cell_type.CELL_TYPE,
        by_cell_type.MEAN: _mean(scores[np.arange(len(scores)), used]),
        "cell_types": about,
        by_cell_type.KEY: {name: settings[found[name].number] for name in about},
        by_cell_type.AS_ALL: {
            name: one.why_of_all for name, one in found.items() if one.why_of_all
        },
    }


def _mean(scores: np.ndarray) -> float:
    """Mean of those that are defined; NaN if none is."""
    defined = scores[~np.isnan(scores)]
    return float(defined.mean()) if len(defined) else float("nan")


def _lines(
    found: Mapping[str, by_type.Choice], settings: Sequence[Mapping], content: Mapping
) -> Iterator[str]:
    """What the log says of cell types."""
    score = content["score"]
    for name, one in found.items():
        if one.why_of_all:
            yield f"{name}: the thresholds of all ({one.why_of_all})."
            continue
        about = content["cell_types"][name]
        yield (
            f"{name}: mean {score} on {number_of(about['images'], 'validation image')} "
            f"{about['mean with those of all']:.3f} with the thresholds of all, "
            f"{about['mean']:.3f} with {_changed(settings, one.number) or 'those of the study'}."
        )
    mean = content[by_cell_type.MEAN]
    yield f"All images with the thresholds of their type: mean {score} {mean:.3f}."


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
