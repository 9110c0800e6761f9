"""Each panel of each figure shows its own column, of its own condition, as its own legend says.

Every score, condition, seed, image and cell type has another value here, and what is drawn is
compared with values computed from the tables of images by hand. A figure that is new in the
registry fails until it has a check.
"""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy import stats

import drawn
from cellseg.figures import registry
from cellseg.scoring import names, pooled_pixels
from cellseg.tables import collect

MODELS = ("zeta", "alpha")  # neither these nor the heads in the order of the alphabet
HEADS = ("outer-distance+fgbg", "inner-distance+pixelwise")
SEEDS = (7, 2, 4)
TYPES = ("SkBr3", "A172", "huh7")
IMAGES = 3  # of each type, 1 more of each type than of the last
KINDS = {"missed": "#0072b2", "gained": "#e69f00", "merge": "#009e73", "split": "#cc79a7",
         "catastrophe": "#d55e00"}  # fmt: skip


class Experiment:
    """Tables without two equal values, and the means of their images by hand."""

    def __init__(
        self,
        models=MODELS[:1],
        heads=HEADS[:1],
        subsets=("whole",),
        types=TYPES,
        images=IMAGES,
        **facts,
    ):
        random = np.random.default_rng(5)
        runs = [(m, h, s, seed) for m in models for h in heads for s in subsets for seed in SEEDS]
        counted = {}
        rows, histories, sizes = [], [], []
        for model, combination, subset, seed in runs:
            run = {"dataset": "cells", "model": model, "heads": combination, "subset": subset}
            run |= {"seed": seed}
            about = [
                (split, small, kind, number)
                for split in ("val", "test")
                for place, kind in enumerate(TYPES)
                for number in range(images + place)
                for small in ("kept", "removed")
            ]
            for split, small, kind, number in about:
                image = f"{kind}-{split}-{number}"
                n_true = counted.setdefault((image, small), int(random.integers(20, 400)))
                rows.append(
                    {**run, "data_split": split, "image": image, "cell_type": kind}
                    | {"small_objects": small}
                    | {name: random.uniform(0.2, 0.9) for name in names.COLUMNS}
                    | {name: int(random.integers(1, 60)) for name in names.COUNTS}
                    | {name: int(random.integers(500, 900)) for name in pooled_pixels.COUNTS}
                    | {"n_true": n_true, "n_pred": int(n_true * random.uniform(0.5, 1.5))}
                )
            epochs = np.arange(1, 5)
            history = {"epoch": epochs, "loss": random.uniform(1, 2, 4)}
            history |= {"val_loss": random.uniform(1, 2, 4), "step_ms": random.uniform(50, 90, 4)}
            about = {name: values.get(subset, values.get(model)) for name, values in facts.items()}
            about = {"synthetic_images": 0, "cell_types": "", "train_images": 9} | about
            about |= {"backbone": model, "parameters": 10**6 * (1 + models.index(model))}
            about |= {"validation": "official", "device": "CPU"}
            histories.append(pd.DataFrame({**run, **history, **about}))
            shown = ("test", "kept", "all")
            others = [
                ("test", "removed", "all"),
                ("test", "kept", TYPES[0]),
                ("val", "kept", "all"),
            ]
            for split, small, kind in (*others, shown):
                for octave, n_true in ((16, 5), (32, 40), (64, 80), (128, 60)):
                    group = {"data_split": split, "cell_type": kind, "small_objects": small}
                    area = {"area_from": octave, "area_to": 2 * octave}
                    scale = 1 if (split, small, kind) == shown else 3
                    found = {"n_true": scale * n_true, "n_found": int(random.integers(1, n_true))}
                    sizes.append({**run, **group, **area, **found})
        self.images = pd.DataFrame(rows)
        self.training = pd.concat(histories, ignore_index=True)
        self.sizes = pd.DataFrame(sizes)
        per_run = collect.with_pooled_pixels(collect.per_run(self.images), self.images)
        self.tables = {"images": self.images, "runs": per_run, "training": self.training}
        self.tables |= {"summary": collect.summarise(per_run), "sizes": self.sizes}

    def draw(self, name):
        return registry.draw(name, self.tables, "Why?")

    def rows(self, table=None, small="kept", **where):
        rows = self.images if table is None else table
        rows = rows[(rows["data_split"] == "test") & (rows["small_objects"] == small)]
        for column, value in where.items():
            rows = rows[rows[column] == value]
        return rows

    def seeds(self, column, **where):
        """Mean over images of each seed, in the order of seeds."""
        rows = self.rows(**where)
        return [rows.loc[rows["seed"] == seed, column].mean() for seed in sorted(SEEDS)]


def interval(values):
    """Mean, low and high end of the 95 % t interval, by scipy."""
    mean, half = np.mean(values), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(mean), float(mean - half), float(mean + half)


def shown_interval(values):
    """Mean and ends of the interval of a score, which ends at 0 and 1."""
    mean, low, high = interval(values)
    return mean, max(low, 0), min(high, 1)


def close(values):
    return pytest.approx(values, abs=1e-6)


def check_bars(axes, expected, width, horizontal=False, interval=shown_interval):
    """`expected`: from the place of each bar to its colour and the values of its seeds."""
    bars, whiskers = drawn.bars(axes, horizontal), drawn.whiskers(axes, horizontal)
    assert [*bars] == close(sorted(expected)) and [*whiskers] == close(sorted(expected))
    points = drawn.points(axes)[:, ::-1] if horizontal else drawn.points(axes)
    for place, (colour, values) in expected.items():
        at = min(bars, key=lambda known: abs(known - place))
        mean, *ends = interval(values)
        assert bars[at] == (close(mean), colour)
        assert whiskers[min(whiskers, key=lambda known: abs(known - place))] == close(ends)
        mine = points[abs(points[:, 0] - place) <= width / 2]
        assert mine[mine[:, 0].argsort(), 1].tolist() == close(values)


def f1_by_heads():
    made = Experiment(MODELS, HEADS)
    figure = made.draw("f1-by-heads")
    keys = drawn.legend(figure)
    assert [*keys] == ["small objects kept", "small objects removed"]
    first, second, *matrices = figure.axes
    assert first.get_ylabel() == "F1 at IoU 0.5" and second.get_ylabel() == ""
    for model, axes in zip(MODELS, (first, second), strict=True):
        assert drawn.title(axes) == model
        expected = {
            place + side: (keys[f"small objects {small}"],
                           made.seeds("f1_50", model=model, heads=heads, small=small))
            for place, heads in enumerate(HEADS)
            for small, side in (("kept", -0.2), ("removed", 0.2))
        }  # fmt: skip
        check_bars(axes, expected, 0.4)
    for axes in matrices:
        black = [c for c in axes.collections if to_hex(c.get_facecolor()[0]) == "#000000"]
        dots = [tuple(spot) for c in black for spot in c.get_offsets().tolist() if len(spot)]
        assert sorted(dots) == [(0, 1), (0, 2), (1, 0), (1, 3)]
    heads = ["inner-distance", "outer-distance", "fgbg", "pixelwise"]
    assert drawn.y_labels(matrices[0]) == heads


def by_cell_type(name, column, heading):
    kinds = {"own-a": "A172", "own-s": "SkBr3", "whole": ""}
    made = Experiment(MODELS, subsets=tuple(kinds), cell_types=kinds)
    figure = made.draw(name)
    keys = drawn.legend(figure)
    assert [*keys] == ["trained on that cell type alone", "trained on: whole"]
    own, whole = keys.values()
    order = ["A172", "huh7", "SkBr3"]
    for model, axes in zip(MODELS, figure.axes, strict=True):
        assert drawn.title(axes) == model
        assert drawn.x_labels(axes) == ["A172\nn = 4", "huh7\nn = 5", "SkBr3\nn = 3"]

        def of(subset, kind, model=model):
            return made.seeds(column, model=model, subset=subset, cell_type=kind)

        expected = {
            -0.21: (own, of("own-a", "A172")),
            **{order.index(kind) + (0.21 if kind != "huh7" else 0): (whole, of("whole", kind))
               for kind in order},
            1.79: (own, of("own-s", "SkBr3")),
        }  # fmt: skip
        check_bars(axes, expected, 0.42)
    assert figure.axes[0].get_ylabel() == heading


def f1_by_cell_type():
    by_cell_type("f1-by-cell-type", "f1_50", "F1 at IoU 0.5")


def pixel_f1_by_cell_type():
    by_cell_type("pixel-f1-by-cell-type", "pixel_f1", "pixel F1")


def backbones():
    made = Experiment(MODELS)
    figure = made.draw("backbones")
    *scores, times, sizes = figure.axes
    assert drawn.y_labels(scores[0]) == [*MODELS]
    columns = {"pixel IoU": "pixel_iou", "pooled pixel IoU": "pixel_iou_pooled"}
    columns |= {"pixel F1": "pixel_f1", "pooled pixel F1": "pixel_f1_pooled"}
    columns |= {"F1 at IoU 0.5": "f1_50"}

    def heading(axes):
        return axes.get_title(loc="left").replace("\n", " ")

    assert [heading(axes) for axes in figure.axes] == [
        *columns, "step time (ms)", "weights (10⁶)"
    ]  # fmt: skip
    places = scores[0].get_yticks()
    assert scores[0].get_ylim()[0] > scores[0].get_ylim()[1] and places[0] < places[1]

    def times_of(model):
        rows = made.training[made.training["model"] == model]
        return [
            np.median(rows.loc[(rows["seed"] == seed) & (rows["epoch"] > 1), "step_ms"])
            for seed in sorted(SEEDS)
        ]

    def pooled(column, model):
        """By hand: of the pixels of all images of a seed, the share that both have."""
        of_seeds = made.rows(model=model).groupby("seed")[list(pooled_pixels.COUNTS)].sum()
        true, pred, both = of_seeds.to_numpy().T
        iou = both / (true + pred - both)
        return (iou if column == "pixel_iou_pooled" else 2 * iou / (1 + iou)).tolist()

    def values_of(column, model):
        own = pooled if column.endswith("pooled") else lambda *_: made.seeds(column, model=model)
        return own(column, model)

    of_axes = {heading(axes): [values_of(columns[heading(axes)], model)
                               for model in MODELS] for axes in scores}  # fmt: skip
    of_axes["step time (ms)"] = [times_of(model) for model in MODELS]
    for axes in (*scores, times):
        values = of_axes[heading(axes)]
        colour = "#e69f00" if axes is times else "#0072b2"
        expected = {place + 1.3: (colour, seeds)
                    for place, seeds in zip(places, values, strict=True)}  # fmt: skip
        of_times = interval if axes is times else shown_interval
        check_bars(axes, expected, 3.8, horizontal=True, interval=of_times)
        digits = 1 if axes is times else 3
        for text, place, seeds in zip(axes.texts, places, values, strict=True):
            mean, _, high = interval(seeds)
            assert text.get_text() == f"{mean:.{digits}f} ± {high - mean:.{digits}f}"
            assert text.get_position() == (0, close(place - 1))
    assert [length for length, _ in drawn.bars(sizes, True).values()] == [1, 2]
    assert drawn.texts(sizes) == ["1.0", "2.0"]


def learning_curves():
    made = Experiment(MODELS, HEADS[:1])
    figure = made.draw("learning-curves")
    keys = drawn.legend(figure)
    assert [*keys] == ["training", "validation"]
    for model, axes in zip(MODELS, figure.axes, strict=True):
        assert drawn.title(axes) == model
        rows = made.training[made.training["model"] == model]
        for name, column in (("training", "loss"), ("validation", "val_loss")):
            mine = [line for line in axes.lines if to_hex(line.get_color()) == keys[name]]
            of_seeds = [rows.loc[rows["seed"] == seed, column].tolist() for seed in sorted(SEEDS)]
            expected = [*of_seeds, np.mean(of_seeds, axis=0)]
            assert [line.get_ydata().tolist() for line in mine] == [close(y) for y in expected]
            assert all(line.get_xdata().tolist() == [1, 2, 3, 4] for line in mine)
            assert len({line.get_linewidth() for line in mine[:3]} | {mine[3].get_linewidth()}) == 2
    assert figure.axes[0].get_ylabel() == "loss" and figure.axes[0].get_xlabel() == "epoch"


def data_size():
    sizes = {"most": 400, "fewest": 50, "few": 100}
    made = Experiment(MODELS, subsets=tuple(sizes), train_images=sizes)
    figure = made.draw("data-size")
    (axes,) = figure.axes
    keys = drawn.legend(figure)
    assert [*keys] == [*MODELS]
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "training images (log scale)",
        "F1 at IoU 0.5",
    )
    assert drawn.x_labels(axes) == ["50", "100", "400"]
    points = drawn.points(axes)
    whiskers = drawn.error_bars(axes)
    for number, model in enumerate(MODELS):
        shift = 1.03 ** (number - 0.5)
        line = drawn.lines(axes)[keys[model]]
        of_sizes = [made.seeds("f1_50", model=model, subset=s) for s in ("fewest", "few", "most")]
        assert line[:, 0].tolist() == close([size * shift for size in (50, 100, 400)])
        assert line[:, 1].tolist() == close([np.mean(values) for values in of_sizes])
        for x, values in zip(line[:, 0], of_sizes, strict=True):
            assert whiskers[round(x, 6)] == close(shown_interval(values)[1:])
            assert sorted(points[np.isclose(points[:, 0], x), 1]) == close(sorted(values))
        markers = {
            line.get_marker()
            for line in axes.lines
            if line.get_marker() != "None"
            and to_hex(line.get_color()) == keys[model]
            and len(line.get_xdata()) == 3
        }
        key = figure.legends[0].legend_handles[number]  # fmt: skip
        assert markers - {"_"} == {key.get_marker()}
    real = {"real": 50, "more": 100, "extended": 50, "more-extended": 100}
    synthetic = {"real": 0, "more": 0, "extended": 150, "more-extended": 300}
    made = Experiment(subsets=tuple(real), train_images=real, synthetic_images=synthetic)
    figure = made.draw("data-size")
    keys = drawn.legend(figure)
    assert [*keys] == ["real images alone", "3 synthetic images for each"]
    for number, (said, subsets) in enumerate(
        zip(keys, (list(real)[:2], list(real)[2:]), strict=True)
    ):
        line = drawn.lines(figure.axes[0])[keys[said]]
        means = [np.mean(made.seeds("f1_50", subset=subset)) for subset in subsets]
        assert line[:, 0].tolist() == close([size * 1.03 ** (number - 0.5) for size in (50, 100)])
        assert line[:, 1].tolist() == close(means)

    cells = {"most": 90_000, "fewest": 1000, "few": 5000}
    made = Experiment(subsets=tuple(sizes), train_images=sizes, train_cells=cells)
    (axes,) = made.draw("data-size").axes
    assert axes.get_xlabel() == "annotated training cells (log scale)"
    assert drawn.x_labels(axes) == ["1,000", "5,000", "90,000"]


CELLS = {"most": 90_000, "fewest": 1000, "few": 5000}
BY_SIZE = ("fewest", "few", "most")


def of_sizes(axes, colour, place, values):
    """A line of a panel against the numbers of cells; `values` gives those of a subset's seeds."""
    line, points = drawn.lines(axes)[colour], drawn.points(axes)
    whiskers = drawn.error_bars(axes)
    shift = 1.06 ** (place - 0.5)  # of two lines
    assert line[:, 0].tolist() == pytest.approx([x * shift for x in (1000, 5000, 90_000)])
    for x, y, subset in zip(line[:, 0], line[:, 1], BY_SIZE, strict=True):
        wanted = values(subset)
        assert y == close(np.mean(wanted))
        ends = [found for place, found in whiskers.items() if np.isclose(place, x)]
        assert ends, whiskers
        near = points[np.isclose(points[:, 0], x), 1]
        assert all(np.isclose(near, value).any() for value in wanted)


def per_100(made, kind, small, **of):
    """Errors of a kind per 100 true cells of all images, of each seed."""
    rows = made.rows(small=small, **of)
    sums = rows.groupby("seed", sort=False)[[kind, "n_true"]].sum().sort_index()
    return (100 * sums[kind] / sums["n_true"]).tolist()


def f1_of(made, small, **of):
    rows = made.rows(small=small, **of)
    return rows.groupby("seed")["f1"].mean().tolist()


def f1_by_annotated_cells():
    made = Experiment(MODELS, HEADS, subsets=tuple(CELLS), train_images=CELLS, train_cells=CELLS)
    figure = made.draw("f1-by-annotated-cells")
    keys = drawn.legend(figure)
    assert [*keys] == [heads.replace("+", " + ") for heads in HEADS]
    panels = [(small, model) for small in ("kept", "removed") for model in MODELS]
    for (small, model), axes in zip(panels, figure.axes, strict=True):
        assert drawn.title(axes) == f"{model} · small objects {small}"
        assert axes.get_ylabel() == "F1 at IoU 0.6"
        for place, (said, heads) in enumerate(zip(keys, HEADS, strict=True)):
            of_sizes(axes, keys[said], place,
                     lambda subset, small=small, model=model, heads=heads: f1_of(
                         made, small, model=model, heads=heads, subset=subset))  # fmt: skip
    assert figure.axes[2].get_xlabel() == "annotated training cells (log scale)"
    assert "Segmented" not in drawn.written(figure)
    methods = dict(zip(HEADS, ("watershed", "threshold-components"), strict=True))
    made.tables["runs"]["method"] = made.tables["runs"]["heads"].map(methods)
    said = drawn.written(made.draw("f1-by-annotated-cells"))
    assert "inner-distance + pixelwise by threshold-components" in said
    many = Experiment((*"abcd",), HEADS, subsets=tuple(CELLS), train_images=CELLS)
    figure = many.draw("f1-by-annotated-cells")
    shown = [drawn.title(axes) for axes in figure.axes if axes.get_visible()]
    assert [one[0] for one in shown] == [*"abcdabcd"]


def _errors_by_annotated_cells(name, small):
    made = Experiment(MODELS, HEADS, subsets=tuple(CELLS), train_images=CELLS, train_cells=CELLS)
    figure = made.draw(name)
    keys = drawn.legend(figure)
    said = ["F1 at IoU 0.6", "missed", "gained", "merges", "splits", "catastrophes"]
    columns = ["f1", *KINDS]
    panels = [(model, place) for model in MODELS for place in range(6)]
    for (model, place), axes in zip(panels, figure.axes, strict=True):
        assert drawn.title(axes) == f"{model} · {said[place]}"
        for number, (text, heads) in enumerate(zip(keys, HEADS, strict=True)):

            def values(subset, model=model, heads=heads, column=columns[place]):
                of = {"model": model, "heads": heads, "subset": subset}
                if column == "f1":
                    return f1_of(made, small, **of)
                return per_100(made, column, small, **of)

            of_sizes(axes, keys[text], number, values)
    assert f"small objects {small}" in drawn.written(figure)


def errors_by_annotated_cells():
    _errors_by_annotated_cells("errors-by-annotated-cells", "kept")


def errors_by_annotated_cells_removed():
    _errors_by_annotated_cells("errors-by-annotated-cells-removed", "removed")


def errors():
    made = Experiment(MODELS)
    figure = made.draw("errors")
    (axes,) = figure.axes
    assert drawn.legend(figure) == KINDS
    assert drawn.y_labels(axes) == [*MODELS] and axes.get_xlabel() == "errors per 100 true cells"
    lanes = drawn.error_bars(axes, horizontal=True)
    points = drawn.points(axes)
    bars = {}
    for patch in axes.patches:
        bars.setdefault(round(patch.get_y() + patch.get_height() / 2, 3), []).append(patch)
    found = [text for text in axes.texts if text.get_text().endswith("found")]
    inside = [text.get_text() for text in axes.texts if not text.get_text().endswith("found")]
    assert len(bars) == 2 and axes.get_ylim()[0] > axes.get_ylim()[1]
    for model, place, lane in zip(MODELS, sorted(bars), sorted(lanes), strict=True):
        rates = {}
        for kind in (*KINDS, "correct"):
            rows = [made.rows(model=model, seed=seed) for seed in sorted(SEEDS)]
            rates[kind] = [100 * own[kind].sum() / own["n_true"].sum() for own in rows]
        left = 0
        for kind, patch in zip(KINDS, bars[place], strict=True):
            assert to_hex(patch.get_facecolor()) == KINDS[kind]
            assert (patch.get_x(), patch.get_width()) == close((left, np.mean(rates[kind])))
            assert inside.pop(0) == f"{np.mean(rates[kind]):.1f}"
            left += np.mean(rates[kind])
        totals = np.sum([rates[kind] for kind in KINDS], axis=0)
        assert lanes[lane] == close(interval(totals)[1:])
        assert sorted(points[np.isclose(points[:, 1], lane), 0]) == close(sorted(totals))
        linked = np.mean(rates["correct"]) - np.mean(rates["catastrophe"])
        text = found.pop(0)
        assert text.get_text() == f"{linked:.1f} found"
        assert text.get_position()[1] == pytest.approx(place, abs=1e-3)
        assert place < lane


def check_lines(axes, keys, expected):
    """`expected`: from what a key says to the place of each point and the values of its seeds."""
    lines = drawn.lines(axes)
    assert lines.keys() == {keys[name] for name in expected}
    for name, points in expected.items():
        line = lines[keys[name]]
        assert line[:, 0].tolist() == close([*points])
        assert line[:, 1].tolist() == close([np.mean(values) for values in points.values()])
        band = drawn.band(axes, keys[name])
        assert [*band] == close([*points])
        for ends, values in zip(band.values(), points.values(), strict=True):
            assert ends == close(shown_interval(values)[1:])


NAMED = {heads: heads.replace("+", " + ") for heads in HEADS}


def f1_by_iou():
    made = Experiment(heads=HEADS)
    figure = made.draw("f1-by-iou")
    levels = np.arange(50, 100, 5)
    expected = {
        said: {level / 100: made.seeds(f"f1_{level}", heads=heads) for level in levels}
        for heads, said in NAMED.items()
    }
    check_lines(figure.axes[0], drawn.legend(figure), expected)
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("IoU threshold", "F1")


def score_by_density():
    made = Experiment(heads=HEADS, images=8)
    figure = made.draw("score-by-density")
    axes, strip = figure.axes
    keys = drawn.legend(figure)
    rows = made.rows()
    once = rows.drop_duplicates("image")["n_true"].map(math.log2).astype(int)
    octaves = sorted(set(once))
    enough = [k for k in octaves if (once == k).sum() >= 5]
    assert 1 < len(enough) < len(octaves)
    assert keys.pop("an image, mean over seeds")
    expected = {}
    for heads, said in NAMED.items():
        own = rows[rows["heads"] == heads]
        octave = own["n_true"].map(math.log2).astype(int)
        expected[said] = {
            2 ** (k + 0.5): [own.loc[(octave == k) & (own["seed"] == seed), "f1_50"].mean()
                             for seed in sorted(SEEDS)] for k in enough
        }  # fmt: skip
        (spots,) = [c.get_offsets() for c in axes.collections if len(c.get_offsets()) > 1
                    and to_hex(c.get_facecolor()[0]) == keys[said]]  # fmt: skip
        means = own.groupby("image").agg(x=("n_true", "first"), y=("f1_50", "mean"))
        assert sorted(spots.tolist()) == [close(spot) for spot in sorted(means.to_numpy().tolist())]
    check_lines(axes, keys, expected)
    counts = {2.0**k: (once == k).sum() for k in octaves}
    assert {patch.get_x(): patch.get_height() for patch in strip.patches} == close(counts)
    assert (axes.get_ylabel(), strip.get_ylabel()) == ("F1 at IoU 0.5", "images")
    assert strip.get_xlabel() == "true cells an image (log scale)"


def score_by_size():
    made = Experiment(heads=HEADS)
    figure = made.draw("score-by-size")
    axes, strip = figure.axes
    rows = made.rows(made.sizes, cell_type="all")
    rows = rows.assign(recall=rows["n_found"] / rows["n_true"]).sort_values("seed")
    expected = {
        said: {octave * 2**0.5: rows.loc[(rows["heads"] == heads) & (rows["area_from"] == octave),
                                         "recall"].tolist() for octave in (32, 64, 128)}
        for heads, said in NAMED.items()
    }  # fmt: skip
    check_lines(axes, drawn.legend(figure), expected)
    # The cells are of 16 to 256 px: neither limit is in the figure or its legend.
    assert not [line for line in axes.lines if line.get_linestyle() == ":"]
    assert not any("limits" in name for name in drawn.legend(figure))
    made.tables["sizes"][["area_from", "area_to"]] *= 4
    figure = made.draw("score-by-size")
    guides = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert guides == [324, 961]
    assert [name for name in drawn.legend(figure) if "limits" in name] == [
        "LIVECell's limits of small, medium and large cells (324 and 961 px)"
    ]
    counts = {patch.get_x(): patch.get_height() for patch in strip.patches}
    assert counts == close({16: 5, 32: 40, 64: 80, 128: 60})
    assert (axes.get_ylabel(), strip.get_ylabel()) == ("recall at IoU 0.5", "true cells")
    assert strip.get_xlabel() == "area of the true cell (px, log scale)"


def counts():
    made = Experiment(MODELS)
    figure = made.draw("counts")
    keys = drawn.legend(figure)
    assert [*keys] == sorted(TYPES, key=str.lower)
    for model, axes in zip(MODELS, figure.axes, strict=True):
        assert drawn.title(axes) == model and axes.get_xlabel() == "true cells"
        for kind in TYPES:
            rows = made.rows(model=model, cell_type=kind).groupby("image")
            expected = rows[["n_true", "n_pred"]].mean().to_numpy().tolist()
            (spots,) = [line.get_xydata().tolist() for line in axes.lines
                        if to_hex(line.get_color()) == keys[kind]]  # fmt: skip
            assert sorted(spots) == [close(spot) for spot in sorted(expected)]
        bias, error = [], []
        for seed in sorted(SEEDS):
            rows = made.rows(model=model, seed=seed)
            bias.append((rows["n_pred"] - rows["n_true"]).mean())
            error.append((100 * abs(rows["n_pred"] - rows["n_true"]) / rows["n_true"]).mean())
        said = []
        for values, sign in ((bias, "+"), (error, "")):
            mean, _, high = interval(values)
            said.append(f"{mean:{sign}.1f} ± {high - mean:.1f}".replace("-", "\N{MINUS SIGN}"))
        assert drawn.texts(axes) == [f"bias {said[0]}\nerror {said[1]} %"]
    assert figure.axes[0].get_ylabel() == "predicted cells"


def transfer():
    kinds = {"own-s": "SkBr3", "own-a": "A172"}
    made = Experiment(MODELS, subsets=tuple(kinds), cell_types=kinds)
    figure = made.draw("transfer")
    *panels, scale = figure.axes
    order = ["A172", "huh7", "SkBr3"]
    for model, axes in zip(MODELS, panels, strict=True):
        assert drawn.title(axes) == model
        fields = [[made.seeds("f1_50", model=model, subset=subset, cell_type=kind)
                   for kind in order] for subset in ("own-a", "own-s")]  # fmt: skip
        shown = axes.collections[0].get_array()
        assert shown.tolist() == [close([np.mean(values) for values in row]) for row in fields]
        for text, values in zip(axes.texts, [v for row in fields for v in row], strict=True):
            mean, _, high = interval(values)
            assert text.get_text() == f"{mean:.2f} ± {high - mean:.2f}"
        places = [text.get_position() for text in axes.texts]
        assert places == [(x + 0.5, y + 0.5) for y in range(2) for x in range(3)]
        frames = [(patch.get_x() + 0.46, patch.get_y() + 0.46) for patch in axes.patches]
        assert frames == [close((0.5, 0.5)), close((2.5, 1.5))]
        assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert drawn.x_labels(panels[0]) == ["A172\nn = 4", "huh7\nn = 5", "SkBr3\nn = 3"]
    assert drawn.y_labels(panels[0]) == ["A172", "SkBr3"]
    assert (panels[0].get_xlabel(), panels[0].get_ylabel()) == ("tested on", "trained on")
    assert scale.get_ylabel() == "F1 at IoU 0.5" and scale.get_ylim()[0] == 0
    assert scale.get_ylim()[1] == pytest.approx(panels[0].collections[0].get_clim()[1])


def test_fields_that_were_not_scored_are_written():
    kinds = {"own-s": "SkBr3", "own-a": "A172"}
    made = Experiment(subsets=tuple(kinds), cell_types=kinds)
    runs = made.tables["runs"]
    made.tables["runs"] = runs[(runs["subset"] == "own-a") | (runs["cell_type"] != "huh7")]
    axes = made.draw("transfer").axes[0]
    assert [text.get_position() for text in axes.texts if text.get_text() == "n/a"] == [(1.5, 1.5)]
    assert len(axes.texts) == 6


CHECKS = {
    "f1-by-heads": f1_by_heads,
    "f1-by-cell-type": f1_by_cell_type,
    "pixel-f1-by-cell-type": pixel_f1_by_cell_type,
    "backbones": backbones,
    "learning-curves": learning_curves,
    "data-size": data_size,
    "f1-by-annotated-cells": f1_by_annotated_cells,
    "errors-by-annotated-cells": errors_by_annotated_cells,
    "errors-by-annotated-cells-removed": errors_by_annotated_cells_removed,
    "errors": errors,
    "f1-by-iou": f1_by_iou,
    "score-by-density": score_by_density,
    "score-by-size": score_by_size,
    "counts": counts,
    "transfer": transfer,
}


@pytest.mark.parametrize("name", registry.FIGURES)
def test_each_panel_shows_its_column(name):
    CHECKS[name]()


@pytest.mark.parametrize("name", registry.FIGURES)
def test_what_is_measured_is_counted(name):
    """Images, cells and seeds of the test split, each image once; epochs and training images."""
    made = Experiment(cell_types={"whole": "A172"}, images=8)
    once = made.rows().drop_duplicates("image")
    figure = made.draw(name)
    said = drawn.written(figure)
    assert figure.texts[0].get_text()
    measured = f"Test split of cells: 27 images, {once['n_true'].sum():,} cells; 3 seeds."
    trained = "cells: 9 training images, 4 epochs; 3 seeds."
    assert f"Why? {trained if name == 'learning-curves' else measured}" in said
    assert ("95 % t interval of that mean" in said) == (name != "learning-curves")
