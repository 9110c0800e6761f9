"""Experiments of one condition, and lines of a document with them."""

import pandas as pd

from cellseg.scoring import names, pooled_pixels
from cellseg.tables import paper_names, papers

HEADS = "inner-distance+pixelwise"


def measured(
    model="resnet50", backbone="resnet50", heads=HEADS, cell_types="", synthetic=0, at=0.5
):
    """An experiment of one condition with three seeds: `at` and 0.1 above and below."""
    runs, training = [], []
    for seed, shift in enumerate((-0.1, 0.0, 0.1)):
        run = {"dataset": "d", "model": model, "heads": heads, "subset": "s", "seed": seed}
        for kind in ("all", "A172"):
            for small in ("kept", "removed"):
                value = at + shift + 0.05 * (kind == "A172") + 0.01 * (small == "removed")
                scores = dict.fromkeys([*names.COLUMNS, *names.COCO_SCORES], value)
                scores |= dict.fromkeys(pooled_pixels.SCORES, value)
                about = {"data_split": "test", "cell_type": kind, "small_objects": small}
                runs.append({**run, **about, **scores, "tuning": "-"})
        facts = {"backbone": backbone, "cell_types": cell_types, "synthetic_images": synthetic}
        training += [{**run, **facts, "epoch": n, "step_ms": 100.0 + seed} for n in (1, 2)]
    return papers.Measured(pd.DataFrame(runs), pd.DataFrame(training))


def of(figures, paper, experiments, kind="download", **wanted):
    own = [one for one in figures if one.source == paper_names.PAPERS[paper]]
    made = papers.lines(own, experiments, kind=kind, subsample=1)
    return [
        line for line in made
        if all(getattr(line.figure, name) == value for name, value in wanted.items())
    ]  # fmt: skip
