"""Score against the number of annotated cells in the training images."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cellseg.errors import UserError
from cellseg.figures import curves, marks, style
from cellseg.io.wording import number_of
from cellseg.tables import conditions, glossary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "F1 score by number of {}"
CELLS, IMAGES = "annotated training cells", "training images"
"""What is counted: images where a run does not record its cells."""
SCORE = glossary.KNOWN["f1_50"]
KINDS = ["cell_types", "synthetic", "validation"]
"""In what subsets differ besides their size."""


@style.styled
def data_size(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """Mean F1 with its interval by the number of annotated cells in real training images.

    A line a model, and one panel a head combination where both models and heads differ. The number
    is a mean over seeds, whose images differ. Subsets that differ in cell types, synthetic images
    or validation have separate lines: only size is compared.

    Parameters
    ----------
    tables : the tables ``images``, ``runs`` and ``training`` of an experiment; ``training`` has
        the columns ``train_images``, ``train_cells``, ``synthetic_images``, ``cell_types`` and
        ``validation``; without ``train_cells`` images are counted
    question : what the experiment asks, written below the title

    Raises
    ------
    UserError
        Two subsets of a line are of one size.
    """
    runs = conditions.select(tables["runs"])
    training = tables["training"]
    conditions.need(runs, "runs", [*conditions.AXES, "seed", SCORE.name])
    facts = ["train_images", "synthetic_images", "cell_types", "validation"]
    conditions.need(training, "training", [*conditions.AXES, *facts])
    sizes, counted = sizes_of(training)
    runs = runs.merge(sizes, on=conditions.AXES).assign(value=lambda runs: runs[SCORE.name])
    conditions.need(runs, "training (rows of the scored runs)", [])

    named = conditions.varying(runs, ["model", "heads"])
    kinds_differ = runs["kind"].nunique() > 1
    lines_of = ["heads" if named == ["heads"] else "model"]
    if kinds_differ:
        lines_of = [*(lines_of if named else []), "kind"]
    panels = conditions.unique(runs, ["heads"]) if len(named) == 2 else [(None,)]
    series = conditions.unique(runs, lines_of)
    columns = min(len(panels), 3)
    width = style.SINGLE_COLUMN if len(panels) == 1 else style.DOUBLE_COLUMN
    rows = -(-len(panels) // columns)
    figure = style.new(width, 62 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    looks = {name: curves.look(number) for number, name in enumerate(series)}
    ticks = sorted(sizes["size"].unique().tolist())
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        (heads,) = panels[number]
        here = {} if heads is None else {"heads": heads}
        for place, name in enumerate(series):
            # Series are a little apart, so that whiskers do not hide one another.
            shift = 1.03 ** (place - (len(series) - 1) / 2)
            mine = conditions.rows_of(runs, **here, **dict(zip(lines_of, name, strict=True)))
            mine = mine.assign(x=mine["size"] * shift)
            curves.line(axes, mine, looks[name], 4.5, err_style="bars", err_kws=marks.WHISKER)
            if mine["seed"].nunique() > 1:
                edge = {"edgecolor": looks[name]["color"], "linewidth": 0.5}
                marks.seeds(axes, mine["x"], mine["value"], **edge)
        if heads is not None:
            room = (width - 14) / columns - 4
            axes.set_title(style.wrap(conditions.label(here, ["heads"]), room), loc="left")
        if number + columns >= len(panels):
            axes.tick_params(labelbottom=True)
            real = "real " if runs["synthetic_images"].any() else ""
            axes.set_xlabel(f"{real}{counted} (log scale)")
        mark_sizes(axes, ticks, (width - 16) / columns - 4)
    drawn = grid.flat[: len(panels)]
    low, high = _limits([end for axes in drawn for end in axes.dataLim.intervaly])
    marks.score_axes(drawn, SCORE.heading)
    grid[0, 0].set_ylim(low, high)
    labels = [conditions.label(dict(zip(lines_of, name, strict=True)), lines_of) for name in series]
    keys = [
        marks.line_key(style.wrap(text, width - 16), **look)
        for text, look in zip(labels, looks.values(), strict=True)
    ]
    note = (
        conditions.constants(runs, ["model", "heads"])
        + ("" if kinds_differ else _told(runs))
        + f"{SCORE.meaning}, mean over images, small objects {conditions.PRIMARY}. "
        + conditions.spread(runs, "Symbols")
        + ("The vertical axis does not start at 0." if low > 0 else "")
    )
    subtitle = conditions.subtitle(question, tables, runs)
    keys = keys if len(series) > 1 else []
    return style.finish(figure, TITLE.format(counted), note, keys, subtitle=subtitle)


def sizes_of(training: "pd.DataFrame") -> "tuple[pd.DataFrame, str]":
    """Size of each condition's training set, and what is counted, in words.

    Returns
    -------
    DataFrame with the axes of a condition, size (:data:`CELLS`, a mean over seeds; :data:`IMAGES`
    where a run does not record them), train_images, synthetic_images and kind, in what else its
    subset differs
    str, what size counts

    Raises
    ------
    UserError
        Two conditions have all of this, model and heads in common.
    """
    keys = [*conditions.AXES, "cell_types", "validation"]
    known = training.fillna({"cell_types": "", "validation": ""})
    counted = ["train_images", "synthetic_images"]
    sizes = known.groupby(keys, as_index=False, sort=False)[counted].max()
    cells = known.get("train_cells")
    counts_cells = cells is not None and cells.notna().all()
    if counts_cells:
        once = known.drop_duplicates([*keys, "seed"])
        sizes["size"] = once.groupby(keys, sort=False)["train_cells"].mean().round().to_numpy()
    else:
        sizes["size"] = sizes["train_images"]
    sizes["synthetic"] = (sizes["synthetic_images"] / sizes["train_images"]).round()
    differing = conditions.varying(sizes, KINDS)
    sizes["kind"] = [_kind(row, differing) for row in sizes.to_dict("records")]
    for condition, own in sizes.groupby(["model", "heads", "kind", "train_images"], sort=False):
        if len(own) > 1:
            raise UserError(
                f"subsets {', '.join(own['subset'])} have {condition[-1]:,.0f} training images "
                "each, so that it is not size in which they differ. Take all but one of them out "
                "of the experiment, or draw f1-by-heads instead."
            )
    return sizes, CELLS if counts_cells else IMAGES


def _kind(row: Mapping[str, object], named: Sequence[str]) -> str:
    """What a subset consists of, by the `named` of :data:`KINDS`."""
    added = number_of(int(row["synthetic"]), "synthetic image") + " for each"
    words = {
        "cell_types": row["cell_types"].replace("+", ", ") or "all cell types",
        "synthetic": added if row["synthetic"] else "real images alone",
        "validation": f"validation {row['validation']}",
    }
    return " · ".join(words[name] for name in named)


def _told(sizes: "pd.DataFrame") -> str:
    """Cell types and synthetic images that all subsets share, as a sentence; empty for none."""
    row = sizes.iloc[0]
    text = _kind(row, [name for name in ("cell_types", "synthetic") if row[name]])
    return f"Training images: {text}. " if text else ""


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Round limits around scores, within what a score can be."""
    values = [min(max(value, 0.0), 1.0) for value in values if math.isfinite(value)]
    if not values:
        return 0.0, 1.0
    low = math.floor((min(values) - 0.02) * 20) / 20
    high = math.ceil((max(values) + 0.02) * 20) / 20
    if high - low < 0.2:  # differences within noise should not look large
        low, high = low - 0.1, high + 0.1
    return max(round(low, 2), 0.0), min(round(high, 2), 1.02)


def mark_sizes(axes: "Axes", sizes: Sequence[float], width: float) -> None:
    """Ticks at the sizes that were used, upright where they would collide.

    Of sizes that are too close even so the smaller has no label.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    low, high = sizes[0] / 1.3, sizes[-1] * 1.3
    scale = width / math.log(high / low)
    texts = [f"{size:,.0f}" for size in sizes]
    places = [math.log(size / low) * scale for size in sizes]
    wanted = max(style.text_width(text) for text in texts) + 1.5
    crowded = any(b - a < wanted for a, b in itertools.pairwise(places))
    last = math.inf
    for number in range(len(sizes) - 1, -1, -1):
        if last - places[number] < (2.6 if crowded else wanted):
            texts[number] = ""
        else:
            last = places[number]
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_major_formatter(FixedFormatter(texts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", rotation=90 if crowded else 0)
