"""Errors, scores by threshold, density and size, counts and transfer: what the figures show."""

import numpy as np
import pandas as pd
import pytest
from test_figures import ALL_HEADS, TWO_HEADS, TYPES, fabricate

import drawn
from cellseg.errors import UserError
from cellseg.figures import curves, registry, score_by_density
from cellseg.scoring import metrics
from cellseg.tables import collect, conditions

TUNED = "thresholds tuned on validation images (search grid)"


def texts(axes):
    return [text.get_text() for text in axes.texts]


def lines_of(axes):
    """Coordinates of the drawn lines of conditions, without symbols and guides."""
    drawn = [line for line in axes.lines if line.get_linestyle() not in ("None", ":")]
    return [line.get_xydata() for line in drawn]


def with_images(experiment, **columns):
    """The experiment with other values in its images, and what follows from them."""
    images = experiment["images"].assign(**columns)
    runs = collect.per_run(images)
    return experiment | {"images": images, "runs": runs, "summary": collect.summarise(runs)}


def test_errors_are_stacked_per_hundred_true_cells():
    counts = {"missed": 100, "gained": 50, "merge": 20, "split": 10, "catastrophe": 5}
    experiment = with_images(fabricate(seeds=(0, 1)), **counts, correct=805)
    axes = registry.draw("errors", experiment).axes[0]
    (patches,) = [[p for c in axes.containers if hasattr(c, "patches") for p in c.patches]]
    assert [patch.get_width() for patch in patches] == pytest.approx([10, 5, 2, 1, 0.5])
    assert [patch.get_x() for patch in patches] == pytest.approx([0, 10, 15, 17, 18])
    assert "80.0 found" in texts(axes)  # catastrophes are no links
    (points,) = [c.get_offsets() for c in axes.collections if len(c.get_offsets()) == 2]
    assert points[:, 0].tolist() == pytest.approx([18.5, 18.5])


def test_errors_of_images_are_summed_not_averaged():
    experiment = fabricate(types=TYPES[:2])
    first = experiment["images"]["cell_type"] == TYPES[0]
    n_true = np.where(first, 900, 100)
    experiment = with_images(experiment, n_true=n_true, missed=np.where(first, 0, 50), gained=0,
                             merge=0, split=0, catastrophe=0)  # fmt: skip
    patch = registry.draw("errors", experiment).axes[0].containers[0].patches[0]
    assert patch.get_width() == pytest.approx(5)


def test_errors_of_many_conditions_stand_in_two_columns():
    models = [f"model-{number}" for number in range(25)]
    figure = registry.draw("errors", fabricate(models=models))
    labels = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert [*labels[0], *labels[1]] == models and len(labels) == 2


def test_f1_by_iou_has_a_line_a_condition_and_the_interval_as_a_band():
    experiment = fabricate(heads=(TWO_HEADS, ALL_HEADS), seeds=(0, 1, 2))
    axes = registry.draw("f1-by-iou", experiment).axes[0]
    for line in lines_of(axes):
        assert line[:, 0].tolist() == list(metrics.THRESHOLDS)
        assert line[:, 1] == pytest.approx(0.2)
    assert len(lines_of(axes)) == 2
    ends = axes.collections[0].get_paths()[0].vertices[:, 1]
    # t(0.975, 2) * 0.1 / sqrt(3) about 0.2
    assert (ends.min(), ends.max()) == pytest.approx((0, 0.2 + 0.24841), abs=1e-4)  # cut at 0


def test_octaves_of_few_images_have_no_mean():
    """A line through two or three images would show nothing but chance."""
    experiment = fabricate(models=("a", "b"), seeds=(0, 1), types=TYPES[:3])
    number = experiment["images"]["cell_type"].map(dict(zip(TYPES, (64, 127, 300), strict=False)))
    figure = registry.draw("score-by-density", with_images(experiment, n_true=number))
    assert not lines_of(figure.axes[0])
    points = [c.get_offsets().tolist() for c in figure.axes[0].collections]
    assert points == [[[64, pytest.approx(0.15)], [127, pytest.approx(0.2)],
                       [300, pytest.approx(0.25)]]] * 2  # fmt: skip
    assert [*drawn.legend(figure)] == ["a", "b"]
    assert "no mean, since fewer than two octaves" in drawn.written(figure)


def test_density_puts_images_into_octaves_and_averages_them_by_seed(monkeypatch):
    experiment = fabricate(seeds=(0, 1), types=TYPES[:3])
    number = experiment["images"]["cell_type"].map(dict(zip(TYPES, (64, 127, 300), strict=False)))
    monkeypatch.setattr(score_by_density, "FEWEST", 1)
    figure = registry.draw("score-by-density", with_images(experiment, n_true=number))
    top, strip = figure.axes
    (line,) = lines_of(top)
    assert line[:, 0] == pytest.approx([64 * 2**0.5, 256 * 2**0.5])
    assert line[:, 1] == pytest.approx([0.175, 0.25])  # of seeds 0.125 and 0.225; 0.2 and 0.3
    assert [bar.get_height() for bar in strip.patches] == [2, 0, 1]
    points = top.collections[0].get_offsets()
    assert points.tolist() == [[64, pytest.approx(0.15)], [127, pytest.approx(0.2)],
                               [300, pytest.approx(0.25)]]  # fmt: skip


def test_an_image_without_true_cells_has_no_density():
    experiment = with_images(fabricate(), n_true=0)
    with pytest.raises(UserError, match=r"score-by-density.*rows with true cells"):
        registry.draw("score-by-density", experiment)


def test_size_is_recall_of_all_cells_of_an_octave():
    experiment = fabricate(seeds=(0, 1))
    sizes = experiment["sizes"]
    sizes["n_true"] = np.where(sizes["area_from"] == 32, 200, 50)
    sizes["n_found"] = np.where(sizes["area_from"] == 32, 100 + 20 * sizes["seed"], 10)
    top, strip = registry.draw("score-by-size", experiment).axes
    (line,) = lines_of(top)
    assert line[:, 0] == pytest.approx([32 * 2**0.5, 64 * 2**0.5])
    assert line[:, 1] == pytest.approx([0.55, 0.2])
    assert [bar.get_height() for bar in strip.patches] == [200, 50]


def test_octaves_of_few_cells_have_no_recall():
    experiment = fabricate()
    experiment["sizes"].loc[experiment["sizes"]["area_from"] == 64, "n_true"] = 9
    top, strip = registry.draw("score-by-size", experiment).axes
    (line,) = lines_of(top)
    assert len(line) == 1
    assert len(strip.patches) == 2
    experiment["sizes"]["n_true"] = 9
    with pytest.raises(UserError, match=r"score-by-size.*at least 10 true cells"):
        registry.draw("score-by-size", experiment)


def test_counts_tell_bias_and_error_of_each_seed():
    experiment = fabricate(types=TYPES[:2], seeds=(0, 1, 2))
    images = experiment["images"]
    n_pred = np.where(images["cell_type"] == TYPES[0], 1100, 900) + 100 * images["seed"]
    axes = registry.draw("counts", with_images(experiment, n_pred=n_pred)).axes[0]
    # Differences are 100 and -100, 200 and 0, 300 and 100: half of the interval of 0, 100, 200 is
    # t(0.975, 2) * 100 / sqrt(3), that of 10, 10, 20 % is a tenth of 100 / sqrt(3) / sqrt(3) * t.
    assert texts(axes)[0].split("\n") == ["bias +100 ± 248", "error 13.3 ± 14.3 %"]
    points = [line.get_xydata().tolist() for line in axes.lines if line.get_linestyle() == "None"]
    assert points == [[[1000, 1200]], [[1000, 1000]]]


def test_cell_types_of_many_images_are_drawn_in_turns():
    experiment = fabricate(types=TYPES[:2])
    images = pd.concat(
        [experiment["images"].assign(image=experiment["images"]["image"] + f"_{n}")
         for n in range(60)]
    )  # fmt: skip
    axes = registry.draw("counts", experiment | {"images": images}).axes[0]
    colours = [line.get_color() for line in axes.lines if line.get_linestyle() == "None"]
    assert colours == colours[:2] * 10 and colours[0] != colours[1]


def test_counts_of_images_without_cells_are_drawn_and_have_no_relative_error():
    experiment = fabricate(types=TYPES[:3])
    kinds = experiment["images"]["cell_type"]
    true, predicted = (dict(zip(TYPES, n, strict=False)) for n in ((0, 10, 1000), (0, 10, 500)))
    experiment = with_images(experiment, n_true=kinds.map(true), n_pred=kinds.map(predicted))
    axes = registry.draw("counts", experiment).axes[0]
    assert texts(axes)[0].split("\n") == ["bias \N{MINUS SIGN}167", "error 25.0 %"]
    assert axes.get_xscale() == "symlog" and axes.get_xlim()[0] < 0


ONE_TYPE = {"only-b": "BT474", "only-a": "A172"}


def test_transfer_has_a_row_a_type_trained_on_and_a_column_a_type_tested_on():
    experiment = fabricate(
        subsets=tuple(ONE_TYPE), types=TYPES[:3], cell_types=ONE_TYPE, seeds=(0, 1, 2)
    )
    runs = experiment["runs"]
    first = runs["subset"] == "only-a"
    mean = runs["cell_type"].map({"A172": 0.8, "BT474": 0.5, "BV2": 0.3})
    runs["f1_50"] = mean.where(first, mean / 2) + (runs["seed"] - 1) / 10
    axes = registry.draw("transfer", experiment).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["A172", "BT474"]
    names = [label.get_text().split("\n")[0] for label in axes.get_xticklabels()]
    assert names == TYPES[:3]
    assert axes.collections[0].get_array().tolist() == [
        pytest.approx([0.8, 0.5, 0.3]), pytest.approx([0.4, 0.25, 0.15])
    ]  # fmt: skip
    assert texts(axes) == [
        f"{mean} ± 0.25" for mean in ("0.80", "0.50", "0.30", "0.40", "0.25", "0.15")
    ]
    framed = [(patch.get_x(), patch.get_y()) for patch in axes.patches]
    assert framed == [(0.04, 0.04), (1.04, 1.04)]


def test_transfer_tells_subsets_of_one_type_apart():
    trained_on = {"half": "A172", "whole": "A172"}
    experiment = fabricate(subsets=tuple(trained_on), cell_types=trained_on)
    axes = registry.draw("transfer", experiment).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["A172 (half)", "A172 (whole)"]


def test_transfer_tells_subsets_with_synthetic_images_apart():
    added = {"only-a": 500}
    experiment = fabricate(subsets=tuple(ONE_TYPE), cell_types=ONE_TYPE, synthetic_images=added)
    axes = registry.draw("transfer", experiment).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["A172 (only-a)", "BT474 (only-b)"]


@pytest.mark.parametrize(
    ("kinds", "what"), [("", "on all cell types"), ("A172+BV2", "on A172, BV2"), (np.nan, "on all")]
)
def test_transfer_refuses_subsets_of_several_types(kinds, what):
    experiment = fabricate(subsets=("half", "mixed"), cell_types={"half": "A172", "mixed": kinds})
    with pytest.raises(UserError, match=rf"transfer.*subset 'mixed' trains {what}.*cell_types"):
        registry.draw("transfer", experiment)


@pytest.mark.parametrize(
    ("values", "panels", "lines"),
    [
        ({"model": 1, "heads": 1, "subset": 1}, [], []),
        ({"model": 2, "heads": 4, "subset": 1}, [], ["model", "heads"]),
        ({"model": 3, "heads": 7, "subset": 1}, ["model"], ["heads"]),
        ({"model": 9, "heads": 2, "subset": 1}, ["model"], ["heads"]),
        ({"model": 12, "heads": 1, "subset": 1}, ["model"], []),
        ({"model": 3, "heads": 7, "subset": 2}, ["heads"], ["model", "subset"]),
        ({"model": 9, "heads": 9, "subset": 9}, ["model", "heads", "subset"], []),
    ],
)  # fmt: skip
def test_lines_that_cannot_be_told_apart_get_panels(values, panels, lines):
    index = pd.MultiIndex.from_product([range(number) for number in values.values()])
    table = index.to_frame(index=False).set_axis(list(values), axis=1).astype(str)
    assert curves.arrange(table) == (panels, lines)


def test_looks_of_lines_differ():
    looks = [tuple(curves.look(number).values()) for number in range(28)]
    assert len(set(looks)) == 28


@pytest.mark.parametrize("name", registry.FIGURES)
def test_figures_of_tuned_thresholds_say_so_but_not_those_of_losses(name):
    experiment = fabricate(cell_types={"full": "A172"})
    tuned = experiment | {"runs": experiment["runs"].assign(tuning="grid")}
    subtitle = registry.draw(name, tuned).texts[1].get_text().replace("\n", " ")
    said = "1 seed." if name == "learning-curves" else f"1 seed; {TUNED}."
    assert subtitle.endswith(said)


def test_thresholds_of_cell_types_are_told():
    runs = fabricate()["runs"].assign(tuning="grid", tuned_by="cell-type")
    assert conditions.tunings(runs) == [TUNED.replace("tuned", "tuned, for each cell type,")]
    assert conditions.tunings(runs.assign(tuned_by="-")) == [TUNED]
    assert conditions.tunings(runs.assign(tuning="-", tuned_by="-")) == [""]


def test_the_thresholds_of_the_study_are_no_tuning():
    experiment = fabricate()
    plain = experiment | {"runs": experiment["runs"].assign(tuning="-")}
    assert registry.draw("errors", plain).texts[1].get_text().endswith("1 seed.")


def test_band_of_one_seed_is_told_to_be_missing():
    assert conditions.band(fabricate()["runs"]) == "Lines: 1 seed, so no interval. "
