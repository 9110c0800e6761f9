"""Tables of an experiment from a few scores that one can check by eye."""

from collections.abc import Mapping

import pandas as pd

from cellseg.scoring import names, pooled_pixels
from cellseg.tables import collect

Scores = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Of model, seed and image."""


def experiment(scores: Scores, errors: Mapping[str, int] | None = None) -> dict[str, pd.DataFrame]:
    """images, runs and training; every score of an image is the given one; COCO and pooled pixel
    scores are their mean.

    Each image has 10 true cells, and as many missed as `errors` says of the model.
    """
    images = pd.DataFrame(
        [
            {
                **{"dataset": "d", "model": model, "heads": "fgbg", "subset": "full"},
                **{"seed": seed, "data_split": "test", "image": image, "cell_type": "BV2"},
                **{"small_objects": small},
                **dict.fromkeys(names.SCORES + names.ACCURACIES, score),
                **dict.fromkeys(names.COUNTS, 0),
                **{"missed": (errors or {}).get(model, 0), "n_true": 10, "n_pred": 10},
            }
            for model, seeds in scores.items()
            for seed, of_images in seeds.items()
            for image, score in of_images.items()
            for small in ("kept", "removed")
        ]
    )
    runs = collect.per_run(images).assign(tuning=collect.NO_TUNING)
    for name in (*names.COCO_SCORES, *pooled_pixels.SCORES):
        runs[name] = runs["msa"]
    training = runs.drop_duplicates(collect.RUN)[collect.RUN]
    training = pd.concat([training.assign(epoch=n, step_ms=100.0 / n) for n in (1, 2)])
    return {"images": images, "runs": runs, "training": training.assign(device="cpu")}
