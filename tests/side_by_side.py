"""Prints how two models of a finished study compare: scores, speed, memory, as a Markdown table.

python tests/side_by_side.py results/simulated

The study is ``workflow/studies/side-by-side.yaml``, or one with its two models and experiment.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.tables.intervals import t_interval

EXPERIMENT = "side-by-side"
SCORES = ("f1_50", "msa", "pixel_iou")


def measured(run: Path) -> dict:
    """Training of one run: medians over epochs, but for the first, in which graphs are traced."""
    history = pd.read_csv(run / "history.csv")
    benchmark = pd.read_csv(run / "benchmarks/train.tsv", sep="\t")
    later = history.iloc[1:]
    return {
        "step, ms": later["step_ms"].median(),
        "epoch, s": later["seconds"].median(),
        "tiles a second": later["tiles_per_second"].median(),
        "first epoch, s": history["seconds"].iloc[0],
        "memory, MiB": benchmark["max_rss"].iloc[0],
    }


def seconds_to(run: Path, loss: float) -> float:
    """Seconds of training until the validation loss was that low."""
    history = pd.read_csv(run / "history.csv")
    reached = history["val_loss"].to_numpy() <= loss
    return float(history["seconds"].cumsum()[np.argmax(reached)])


def table(folder: Path) -> str:
    """The comparison of the two models in a data set's results."""
    runs = pd.read_csv(folder / f"tables/{EXPERIMENT}/runs.csv")
    runs = runs[(runs["small_objects"] == "kept") & (runs["cell_type"] == "all")]
    models = list(dict.fromkeys(runs["model"]))
    paths = {
        model: [
            folder / "runs" / model / run.heads / run.subset / f"seed-{run.seed}"
            for run in runs[runs["model"] == model].itertuples()
        ]
        for model in models
    }
    rows = []
    for score in SCORES:
        cells = []
        for model in models:
            found = t_interval(runs.loc[runs["model"] == model, score])
            cells.append("{mean:.3f} ({low:.3f} to {high:.3f})".format(**found))
        rows.append((f"`{score}`", *cells, ""))
    by_model = {model: pd.DataFrame(map(measured, paths[model])) for model in models}
    best = {
        path: pd.read_csv(path / "history.csv")["val_loss"].min()
        for model in models
        for path in paths[model]
    }
    loss = max(best.values())
    for model in models:
        by_model[model][f"until validation loss {loss:.4f}, s"] = [
            seconds_to(path, loss) for path in paths[model]
        ]
    for name in by_model[models[0]]:
        first, second = (by_model[model][name].median() for model in models)
        rows.append((name, f"{first:.4g}", f"{second:.4g}", f"{second / first:.2f}"))
    seeds = runs["seed"].nunique()
    header = ("", *models, "ratio")
    lines = [header, ("---",) * len(header), *rows]
    title = f"{folder.name}: {seeds} seeds; mean and 95 % interval of scores, median of the others"
    return "\n".join([title, "", *("| " + " | ".join(line) + " |" for line in lines)])


if __name__ == "__main__":
    for results in sys.argv[1:]:
        print(table(Path(results)))
