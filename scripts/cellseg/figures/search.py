"""Scores of a hyperparameter search by each setting that was searched."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cellseg.figures import marks, style
from cellseg.io.wording import number_of
from cellseg.study.search_space import listed, shown
from cellseg.tables import conditions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_SPAN = 5  # losses that differ by more than this factor are drawn on a log scale
SPREAD = 0.6  # width over which trials of one value lie side by side, of the room for it
EPOCHS = "epochs"


@style.styled
def search(trials: "pd.DataFrame", entry: Mapping) -> "Figure":
    """Score of every trial in every rung, one panel a setting, and one for the epochs.

    Parameters
    ----------
    trials : table with the columns :data:`cellseg.study.searches.COLUMNS` and one for each key of
        ``space``
    entry : of the search in the configuration: title, model, heads, subset and ``space``, see
        :func:`cellseg.study.search_space.draw`
    """
    space = entry["space"]
    conditions.need(trials, "trials", space)
    rungs = sorted(trials["rung"].unique())
    looks = {rung: _look(number) for number, rung in enumerate(rungs)}
    names = [name for name in trials.columns if name in space]  # in the order of the configuration
    panels = [*([EPOCHS] if len(rungs) > 1 else []), *names]
    columns = min(len(panels), 2 if len(panels) == 4 else 3)
    lines = -(-len(panels) // columns)
    width = style.SINGLE_COLUMN if columns == 1 else style.DOUBLE_COLUMN
    figure = style.new(width, 52 * lines)
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    room = (width - 16) / columns - 4
    for number, axes in enumerate(grid.flat):
        if number >= len(panels):
            axes.set_visible(False)
            continue
        name = panels[number]
        if name == EPOCHS:
            places = trials["epochs"].astype(float)
            _epoch_axis(axes, sorted(trials["epochs"].unique()))
        elif listed(space[name]):
            texts = [_text(value) for value in listed(space[name])]
            places = _beside(trials, name, texts)
            _value_axis(axes, texts, room)
        else:
            places = trials[name].astype(float)
            _range_axis(axes, *next(iter(space[name].items())))
        _trials(axes, trials, places, looks)
        axes.set_xlabel(style.wrap(_label(name, space), room))
        if number % columns == 0:
            axes.set_ylabel(_measure(trials))
    log = _score_axis(grid[0, 0], trials)
    for axes in grid.flat:
        axes.grid(axis="y")
    note = _note(trials, entry, log)
    return style.finish(figure, entry["title"], note, _keys(trials, looks), gap=0.03)


def _look(number: int) -> dict[str, str]:
    return {
        "color": style.SERIES_COLOURS[number % len(style.SERIES_COLOURS)],
        "marker": style.SERIES_MARKERS[number % len(style.SERIES_MARKERS)],
    }


def _text(value: object) -> str:
    """A value as its table has it after it was read: numbers and truths are no text there."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if number else str(shown(value))


def _trials(
    axes: "Axes", trials: "pd.DataFrame", places: "pd.Series", looks: Mapping[int, dict]
) -> None:
    """A mark a trial and rung, and a line from rung to rung of the same trial."""
    table = trials.assign(at=places)
    for _, rows in table.sort_values("rung").groupby("trial"):
        axes.plot(rows["at"], rows["score"], color=style.LIGHT_GREY, linewidth=0.6, zorder=1)
    last = table["rung"].max()
    for rung, look in looks.items():
        here = table[table["rung"] == rung]
        on = here["promoted"].astype(bool) | (rung == last)
        for rows, face in ((here[~on], "white"), (here[on], look["color"])):
            axes.plot(rows["at"], rows["score"], linestyle="none", markerfacecolor=face,
                      markersize=4, markeredgewidth=0.8, zorder=3, **look)  # fmt: skip
        lost = here[here["score"].isna()]
        axes.plot(lost["at"], [_worst_end(trials)] * len(lost), "x", color=look["color"],
                  transform=axes.get_xaxis_transform(), markersize=4)  # fmt: skip
    best = table[table["best"].astype(bool)]
    axes.plot(best["at"], best["score"], "o", markersize=8, markerfacecolor="none",
              color=style.BLACK, markeredgewidth=0.9, zorder=4)  # fmt: skip


def _of_losses(trials: "pd.DataFrame") -> bool:
    return trials["measure"].iloc[0] == "val_loss"


def _measure(trials: "pd.DataFrame") -> str:
    if _of_losses(trials):
        return "validation loss"
    return f"{trials['measure'].iloc[0]} on validation images"


def _worst_end(trials: "pd.DataFrame") -> float:
    """Place of crosses: at the worse end of the axis."""
    return 0.97 if _of_losses(trials) else 0.03


def _beside(trials: "pd.DataFrame", name: str, texts: Sequence[str]) -> "pd.Series":
    """Places of trials along an axis of values; those of one value lie side by side."""
    values = trials[name].map(_text)
    places = trials["trial"].astype(float)
    for number, text in enumerate(texts):
        here = values == text
        order = sorted(trials.loc[here, "trial"].unique())
        step = SPREAD / max(len(order), 4)
        at = {t: number + (i - (len(order) - 1) / 2) * step for i, t in enumerate(order)}
        places[here] = trials.loc[here, "trial"].map(at)
    return places


def _value_axis(axes: "Axes", texts: Sequence[str], room: float) -> None:
    """A place a value; names that do not fit side by side are slanted."""
    fit = max(style.text_width(text) for text in texts) < room / len(texts) - 1.5
    axes.set_xlim(-0.5, len(texts) - 0.5)
    slant = {} if fit else {"rotation": 20, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(texts)), texts, **slant)
    axes.tick_params(axis="x", length=0)


def _epoch_axis(axes: "Axes", epochs: Sequence[int]) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(epochs[0] / 1.3, epochs[-1] * 1.3)
    axes.xaxis.set_major_locator(FixedLocator(epochs))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{number:g}" for number in epochs]))
    axes.xaxis.set_minor_locator(NullLocator())


def _range_axis(axes: "Axes", kind: str, ends: Sequence[float]) -> None:
    low, high = ends
    if kind != "log":
        pad = 0.04 * (high - low)
        axes.set_xlim(low - pad, high + pad)
        return
    pad = (high / low) ** 0.04
    axes.set_xscale("log")
    axes.set_xlim(low / pad, high * pad)
    _log_ticks(axes.xaxis, high / low)


def _score_axis(axes: "Axes", trials: "pd.DataFrame") -> bool:
    """Limits of all panels; whether they are on a log scale."""
    scores = trials["score"].dropna().to_numpy(float)
    if not scores.size:
        axes.set_yticks([])
        return False
    low, high = scores.min(), scores.max()
    if _of_losses(trials) and low > 0 and high > LOG_SPAN * low:
        pad = (high / low) ** 0.08
        axes.set_yscale("log")
        axes.set_ylim(low / pad, high * pad)
        _log_ticks(axes.yaxis, high / low)
        return True
    pad = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    axes.set_ylim(low - pad, high + pad)
    return False


def _log_ticks(axis, span: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < 30 else (1,), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("e-0", "e-")))
    axis.set_minor_formatter(NullFormatter())


def _label(name: str, space: Mapping) -> str:
    if name == EPOCHS:
        return "epochs (log scale)"
    words = name.removeprefix("training.").replace("_", " ").replace(".", " ")
    return f"{words} (log scale)" if "log" in space[name] else words


def _keys(trials: "pd.DataFrame", looks: Mapping[int, dict]) -> list:
    dots = {"linestyle": "none", "markersize": 4}
    epochs = trials.groupby("rung")["epochs"].first()
    keys = [marks.line_key(number_of(int(epochs[rung]), "epoch"), **dots, **look)
            for rung, look in looks.items()]  # fmt: skip
    ring = {"linestyle": "none", "marker": "o", "color": style.BLACK, "markerfacecolor": "none"}
    if not trials["promoted"].astype(bool).all() and len(looks) > 1:
        keys.append(marks.line_key("hollow: not in the next rung", markersize=4, **ring))
    if trials["score"].isna().any():
        keys.append(marks.line_key("no finite loss", marker="x", color=style.BLACK, **dots))
    return [*keys, marks.line_key("best", markersize=8, **ring)]


def _note(trials: "pd.DataFrame", entry: Mapping, log: bool) -> str:
    shared = [f"{conditions.AXIS_NAMES[axis]}: {entry[axis]}" for axis in conditions.AXES]
    words = "; ".join(shared).replace("+", " + ")
    words = f"{words[:1].upper()}{words[1:]}. "
    counts = trials.groupby(["rung", "epochs"]).size()
    rungs = ", ".join(
        f"{n} of {number_of(int(epochs), 'epoch')}" for (_, epochs), n in counts.items()
    )
    words += f"Trainings: {rungs}. "
    first = trials[trials["best"].astype(bool)]
    if len(first):
        row = first.iloc[0]
        epochs = number_of(int(row["epochs"]), "epoch")
        words += f"Best: trial {row['trial']} after {epochs}, {row['score']:.4g}. "
    seeds = len(str(trials["runs"].iloc[0]).split())
    words += f"Each score is the mean over {seeds} seeds. " if seeds > 1 else ""
    words += "Scores are on each run's own validation images; grey lines join a trial's rungs, "
    words += "in each of which it is trained again. "
    return words + (
        "Vertical axis on a log scale." if log else "The vertical axis does not start at 0."
    )
