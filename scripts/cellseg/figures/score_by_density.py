"""F1 against the number of cells of an image."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.figures import curves, style
from cellseg.tables import conditions, glossary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLE = "F1 score by number of cells an image"
SCORE = glossary.KNOWN["f1_50"]


@style.styled
def score_by_density(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """A line a condition over octaves of the number of true cells, above the number of images.

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
    counts = once.groupby("start").size().rename("number").reset_index()
    counts["end"] = 2 * counts["start"]
    points = images.groupby([*conditions.AXES, "image"], sort=False, as_index=False)
    points = points.agg(x=("n_true", "first"), value=("value", "mean"))
    note = (
        conditions.constants(images)
        + f"{SCORE.meaning}, small objects {conditions.PRIMARY}, mean over the images "
        + "of an octave (numbers below). "
        + conditions.band(images)
        + "Images without true cells are left out. Cell types differ in "
        "density, so that a line may also tell them apart."
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
        points_name="single images" + (", mean over seeds" if conditions.seeds(images)[1] else ""),
    )
