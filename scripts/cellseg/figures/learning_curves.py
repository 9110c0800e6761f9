"""Loss by epoch: of all conditions of an experiment, and of one run with its heads."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cellseg.figures import marks, style
from cellseg.io.wording import number_of
from cellseg.tables import conditions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Loss by epoch"
COLOURS = {"loss": style.TRAINING_COLOUR, "val_loss": style.VALIDATION_COLOUR}
NAMES = {"loss": "training", "val_loss": "validation"}
MANY_DECADES = 50  # a log axis over more than this has labels at powers of ten alone
LOG_SPAN = 20  # a loss that falls by more than this is drawn on a log scale


@style.styled
def learning_curves(tables: Mapping[str, "pd.DataFrame"], question: str = "") -> "Figure":
    """Training and validation loss by epoch, one panel a condition (figure 7 of the report).

    Thick lines are means over seeds, as far as every seed has got; thin lines are single seeds. Of
    an ensemble, a seed's loss is the mean over its networks, as far as every network has got.

    Parameters
    ----------
    tables : the table ``training`` of an experiment; others are not used. With an ensemble it has
        the column ``cell_type``, of each network
    question : what the experiment asks, written below the title
    """
    training = tables["training"]
    conditions.need(training, "training", [*conditions.AXES, "seed", "epoch", "loss", "val_loss"])
    trained_on = _trained_on(training)
    ensembles = "cell_type" in training and training["cell_type"].notna().any()
    training = _over_networks(training) if ensembles else training
    panels = conditions.unique(training, conditions.AXES)
    named = conditions.varying(training)
    columns = min(len(panels), 4)
    per_model = len(panels) // training["model"].nunique()
    if 2 <= per_model <= 5 and per_model * training["model"].nunique() == len(panels):
        columns = per_model  # a line a model
    lines = -(-len(panels) // columns)
    width = style.SINGLE_COLUMN if len(panels) == 1 else style.DOUBLE_COLUMN
    # Losses of different heads are different quantities: no common axis for them.
    same = training["heads"].nunique() == 1
    room = (width - 14) / columns - (4 if same else 8)
    titles = [
        style.wrap(
            conditions.label(dict(zip(conditions.AXES, row, strict=True)), named, "\n"), room
        )
        for row in panels
    ]
    tallest = max(text.count("\n") + 1 for text in titles)
    height = (44 if columns < 4 else 32) + 3.3 * tallest + 4
    figure = style.new(width, height * lines)
    grid = figure.subplots(lines, columns, sharex=True, sharey=same, squeeze=False)
    log = _wide(training[["loss", "val_loss"]])
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        here = dict(zip(conditions.AXES, panels[number], strict=True))
        rows = conditions.rows_of(training, **here)
        for column in COLOURS:
            _curve(axes, rows, column)
        _axis(axes, log, rows if not same else training, training["epoch"])
        axes.set_title(titles[number], loc="left")
        if number + columns >= len(panels):
            _epochs(axes, spare=number // columns < lines - 1)
        if number % columns == 0:
            axes.set_ylabel("loss")
    number, several = conditions.seeds(training)
    note = conditions.constants(training) + (
        f"Thick lines: mean over {number}, up to the last epoch all have reached; thin lines: "
        "single seeds. "
        if several
        else f"{number.capitalize()} a condition. "
    )
    if not same and len(panels) > 1:
        note += (
            "Losses of different head combinations are sums of different terms and not comparable. "
        )
    if ensembles:
        note += (
            "Of an ensemble, the loss of a seed is the mean over its networks, one a cell type, up "
            "to the last epoch all have reached. "
        )
    note += "Log scale." if log else ""
    keys = [marks.line_key(NAMES[name], color=colour) for name, colour in COLOURS.items()]
    subtitle = f"{question}\n{trained_on}" if question else trained_on
    return style.finish(figure, TITLE, note, keys, gap=0.04, subtitle=subtitle)


def _over_networks(training: "pd.DataFrame") -> "pd.DataFrame":
    """Mean losses over the networks of each run, of epochs that all of them have reached."""
    run = [*conditions.AXES, "seed"]
    networks = training.groupby(run)["cell_type"].transform("nunique")
    reached = training.groupby([*run, "epoch"])["cell_type"].transform("nunique")
    losses = training[reached == networks].groupby([*run, "epoch"], sort=False)[list(COLOURS)]
    return losses.mean().reset_index()


def _trained_on(training: "pd.DataFrame") -> str:
    """On how many images, epochs and seeds, as a sentence."""
    data = ", ".join(sorted(training["dataset"].unique()))
    parts = [_between(training.groupby([*conditions.AXES, "seed"])["epoch"].max(), "epoch")]
    images = training["train_images"].dropna() if "train_images" in training else []
    if len(images):
        parts.insert(0, _between(images, "training image"))
        if "synthetic_images" in training and training["synthetic_images"].any():
            parts[0] += f" (and {_between(training['synthetic_images'], 'synthetic one')})"
    return f"{data}: {', '.join(parts)}; {conditions.seeds(training)[0]}."


def _between(numbers: "pd.Series", noun: str) -> str:
    low, high = int(numbers.min()), int(numbers.max())
    most = number_of(high, noun)
    return most if low == high else f"{low:,} to {most}"


@style.styled
def run_curve(history: "pd.DataFrame", title: str = "Learning curve") -> "Figure":
    """Loss of one run by epoch: the total, then each head.

    Parameters
    ----------
    history : columns ``epoch``, ``loss``, ``val_loss``, and for each head ``<head>_loss`` and
        ``val_<head>_loss``; ``learning_rate`` where there is one
    """
    conditions.need(history, "history", ["epoch", "loss"])
    heads = [
        name.removesuffix("_loss")
        for name in history.columns
        if name.endswith("_loss") and name != "val_loss" and not name.startswith("val_")
    ]
    panels = {"total loss": ("loss", "val_loss")}
    if len(heads) > 1:
        panels |= {f"{head}": (f"{head}_loss", f"val_{head}_loss") for head in heads}
    if "learning_rate" in history and history["learning_rate"].nunique() > 1:
        panels["learning rate"] = ("learning_rate",)
    columns = 2 if len(panels) == 4 else min(len(panels), 3)
    lines = -(-len(panels) // columns)
    width = style.SINGLE_COLUMN if len(panels) == 1 else style.DOUBLE_COLUMN
    figure = style.new(width, 48 * lines)
    grid = figure.subplots(lines, columns, sharex=True, squeeze=False)
    # Of an ensemble each network is drawn as seeds are: thin lines, and their mean.
    history = history.assign(seed=history.get("cell_type", 0))
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        name, drawn = list(panels.items())[number]
        drawn = [column for column in drawn if column in history]
        for column in drawn:
            colour = style.GREY if name == "learning rate" else None
            _curve(axes, history, column, colour)
        # A schedule ends near zero, which a log axis would turn into a cliff.
        log = name != "learning rate" and _wide(history[drawn])
        _axis(axes, log, history, history["epoch"], drawn)
        axes.set_title(name + (" (log scale)" if log else ""), loc="left")
        axes.set_ylabel("learning rate" if name == "learning rate" else "loss")
        if number + columns >= len(panels):
            _epochs(axes, spare=number // columns < lines - 1)
    note = number_of(history["epoch"].nunique(), "epoch")
    validation = history["val_loss"].dropna() if "val_loss" in history else []
    if len(validation):
        best = history.loc[validation.idxmin()]
        note += f"; lowest validation loss {best['val_loss']:.4g} at epoch {best['epoch']:.0f}"
        note += f" of {best['cell_type']}" if "cell_type" in history else ""
        grid[0, 0].plot(
            best["epoch"],
            best["val_loss"],
            "o",
            markersize=4.5,
            zorder=4,
            markerfacecolor="none",
            color=COLOURS["val_loss"],
            markeredgewidth=1,
        )
        note += " (circle)"
    note += "."
    if "cell_type" in history:
        networks = number_of(history["cell_type"].nunique(), "network")
        note += f" Thin lines: {networks}, one a cell type; thick lines: their mean."
    keys = [
        marks.line_key(NAMES[name], color=colour)
        for name, colour in COLOURS.items()
        if name in history
    ]
    return style.finish(figure, title, note, keys)


def _curve(axes: "Axes", rows: "pd.DataFrame", column: str, colour: str | None = None) -> None:
    """Mean over seeds, and each seed where there are several."""
    validation = column.startswith("val_")
    colour = colour or COLOURS["val_loss" if validation else "loss"]
    by_seed = rows.pivot_table(index="epoch", columns="seed", values=column, dropna=False)
    if by_seed.shape[1] > 1:
        axes.plot(by_seed.index, by_seed, color=colour, linewidth=0.5, alpha=0.4)
    mean = by_seed.mean(axis=1, skipna=False).dropna()
    # A line through fewer than a handful of epochs would hide where they are.
    marker = "o" if len(mean) <= 5 else None
    axes.plot(mean.index, mean, color=colour, marker=marker, markersize=2.5)


def _epochs(axes: "Axes", spare: bool) -> None:
    """Label the horizontal axis of the last panel of a column.

    Where the grid ends earlier (`spare`), the labels lie in the place of the missing panel, and the
    layout needs no room for them.
    """
    axes.tick_params(labelbottom=True)
    axes.set_xlabel("epoch")
    axes.xaxis.set_in_layout(not spare)


def _wide(table: "pd.DataFrame") -> bool:
    """Whether values span so much that a linear axis hides most of them."""
    values = table.to_numpy(float)
    values = values[values == values]
    return bool(values.size) and values.min() > 0 and values.max() > LOG_SPAN * values.min()


def _axis(
    axes: "Axes",
    log: bool,
    rows: "pd.DataFrame",
    epochs: "pd.Series",
    columns: tuple = ("loss", "val_loss"),
) -> None:
    """Axes for the losses of `rows` and for `epochs`, those of all panels, which share them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    first, last = epochs.min(), epochs.max()
    pad = 0.5 if first == last else 0.03 * (last - first)
    axes.set_xlim(first - pad, last + pad)
    if first == last:
        axes.set_xticks([first])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    if log:
        axes.set_yscale("log")
        values = rows[list(columns)].to_numpy(float)
        values = values[values == values]
        wide = values.max() > MANY_DECADES * values.min()
        axes.yaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5), numticks=8))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:g}".replace("e-0", "e-"))
        )
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        values = rows[list(columns)].to_numpy(float)
        values = values[values == values]
        low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
        # Losses can be below zero (log-likelihoods), but where they are not, zero is shown.
        bottom = 0.0 if low >= 0 else low - 0.05 * (high - low)
        axes.set_ylim(bottom, high + 0.05 * (high - bottom) or 1.0)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y")
