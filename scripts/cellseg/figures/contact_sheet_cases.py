"""Images and label images of a contact sheet, from the workflow's files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg.errors import UserError
from cellseg.figures import shown
from cellseg.figures.contact_sheet import Column, Row
from cellseg.io.atomic import open_stack
from cellseg.io.wording import number_of
from cellseg.tables import conditions, glossary, read

if TYPE_CHECKING:
    import pandas as pd

SCORE = glossary.KNOWN["msa"]
NOTE = (
    f"Every row shows the same images, the best, the median and the worst by {SCORE.heading} "
    f"averaged over the rows. {SCORE.heading}: {SCORE.meaning}. It and the numbers of cells are "
    f"those of the whole image, small objects {conditions.PRIMARY}. Shown is the part of each "
    "image that holds most true cells."
)


def load(
    runs: Sequence[Mapping[str, object]],
    predicted: Sequence[str | Path],
    metrics: Sequence[str | Path],
    truth: str | Path,
    images: str | Path,
    question: str = "",
    tuning: str | None = None,
    tuned_by: str | None = None,
) -> tuple[list[Column], list[Row], str]:
    """What a contact sheet of some runs shows, and its subtitle.

    Parameters
    ----------
    runs : model, heads, subset and seed of each
    predicted, metrics : of the same runs: npz of label images by image, and CSV
    truth : npz of label images by image
    images : Parquet table with ``image`` and ``path``
    question : what the experiment asks, for the subtitle
    tuning : entry of `threshold_searches` that chose the thresholds, None for the study's own
    tuned_by : ``cell-type`` if it chose for each cell type

    Raises
    ------
    UserError
        A file lacks an image, or no image was scored in all runs.
    """
    import pandas as pd

    needed = ["dataset", "image", "cell_type", SCORE.name, "n_true", "n_pred"]
    tables = [_scores(path, needed) for path in metrics]
    table = pd.concat(
        [table.assign(run=number) for number, table in enumerate(tables)], ignore_index=True
    )
    everywhere = table.groupby("image")["run"].transform("nunique") == len(tables)
    if not everywhere.any():
        raise UserError("no image was scored in all runs. Score them on the same split.")
    table = table[everywhere]
    facts = ["image", "cell_type", "n_true"]
    mean = table.groupby("image", as_index=False)[SCORE.name].mean()
    mean = mean.merge(table.drop_duplicates("image")[facts], on="image")
    chosen = shown.choose(mean, 3, SCORE.name)

    pictures = shown.pictures_of(images)
    archive = open_stack(truth)
    columns = [
        Column(
            heading=f"{rank}\n{row.image}\n{row.cell_type} · "
            + number_of(int(row.n_true), "true cell"),
            image=shown.picture(pictures, row.image, images),
            truth=shown.labels_of(archive, row.image, truth),
        )
        for rank, row in chosen
    ]
    rows = []
    frame = pd.DataFrame(runs)
    named = conditions.varying(frame) or ["model"]
    same_seed = frame["seed"].nunique() == 1
    for number, (run, path) in enumerate(zip(runs, predicted, strict=True)):
        own = table[table["run"] == number].set_index("image")
        labels = open_stack(path)
        rows.append(
            Row(
                name=conditions.label(run, named) + ("" if same_seed else f" · seed {run['seed']}"),
                predictions=[shown.labels_of(labels, row.image, path) for _, row in chosen],
                captions=[_caption(own.loc[row.image]) for _, row in chosen],
            )
        )
    seed = f"seed {runs[0]['seed']}" if same_seed else "first seed of each row"
    parts = [conditions.measured_on(table), seed, conditions.tuned(tuning, tuned_by)]
    shared = f"{'; '.join(filter(None, parts))}. {conditions.constants(frame)}".rstrip()
    return columns, rows, f"{question}\n{shared}" if question else shared


def _scores(path: str | Path, needed: Sequence[str]) -> "pd.DataFrame":
    table = read.read(path, [*needed, "small_objects"])
    return table[table["small_objects"] == conditions.PRIMARY]


def _caption(row: "pd.Series") -> str:
    value = row[SCORE.name]
    score = f"{value:.2f}" if value == value else "not defined"
    return f"{SCORE.heading} {score} · {number_of(int(row['n_pred']), 'predicted cell')}"
