"""F1 against the number of cells of an image."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.figures import curves, style
from cellseg.tables import conditions, glossary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLE = "F1 score by number of cells an image"
FEWEST = 5  # images that a mean is drawn of
SCORE = glossary.KNOWN["f1_50"]


@style.styled
def score_by_density(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """A line a condition over octaves of the number of true cells, above the number of images.

    Octaves of too few images have no mean; where all are such there is no line, only the images.

    Parameters
    ----------
    tables : the tables ``images`` and ``runs`` of an experiment
    question : what the experiment asks, written below the title

    Raises
    ------
    UserError
        No image with true cells was scored.
    """
    images = conditions.select(tables["images"], cell_type=None)
    conditions.need(images, "images", [*conditions.AXES, "seed", "image", "n_true", SCORE.name])
    images = images[images["n_true"] > 0]
    conditions.need(images, "images (rows with true cells)", [])
    images = images.assign(start=curves.octave_of(images["n_true"]), value=images[SCORE.name])
    keys = [*conditions.AXES, "seed", "start"]
    values = images.groupby(keys, sort=False)["value"].mean().reset_index()
    values["x"] = 2**0.5 * values["start"]  # the middle of the octave, on a log axis
    once = images.drop_duplicates("image")
    known = once["start"].value_counts()
    enough = known.index[known >= FEWEST]
    lines = len(enough) > 1  # the mean of one octave is no line
    values = values[values["start"].isin(enough) & lines]
    counts = once.groupby("start").size().rename("number").reset_index()
    counts["end"] = 2 * counts["start"]
    points = images.groupby([*conditions.AXES, "image"], sort=False, as_index=False)
    points = points.agg(x=("n_true", "first"), value=("value", "mean"))
    over_seeds = ", mean over seeds" if conditions.seeds(images)[1] else ""
    note = (
        conditions.constants(images)
        + f"{SCORE.meaning}, small objects {conditions.PRIMARY}. "
        + (
            f"Mean over the images of an octave (numbers below) with {FEWEST} images or more. "
            + conditions.band(images)
            if lines
            else f"A point an image{over_seeds}; no mean, since fewer than two octaves (numbers "
            f"below) have {FEWEST} images. "
            + ("" if conditions.interval(images) else f"Seeds: {conditions.no_interval(images)}. ")
        )
        + "Images without true cells are left out. Cell types differ in "
        "density, so that a line may also separate them."
    )
    return curves.draw(
        values,
        TITLE,
        conditions.subtitle(question, tables, images),
        note,
        "true cells an image (log scale)",
        SCORE.heading,
        counts=counts,
        counts_name="images",
        points=points,
        points_name=f"an image{over_seeds}",
    )
