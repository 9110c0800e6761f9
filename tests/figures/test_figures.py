"""Figures: what they show, that they fit the page, and how they are saved."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import drawn
from cellseg.data import rasterize
from cellseg.errors import UserError
from cellseg.figures import (
    data_size,
    learning_curves,
    outlines,
    overlay,
    overlay_cases,
    registry,
    shown,
    style,
)
from cellseg.inference import map_store
from cellseg.io import atomic
from cellseg.report import figure_caption, terminal_summary
from cellseg.scoring import metrics
from cellseg.tables import collect, conditions, folds, read, step_times

TYPES = ["A172", "BT474", "BV2", "Huh7", "MCF7", "SHSY5Y", "SkBr3", "SKOV3"]
TWO_HEADS = "inner-distance+pixelwise"
ALL_HEADS = "inner-distance+outer-distance+fgbg+pixelwise"
LONG = "a-model-with-a-name-that-nobody-should-have-given-it"


def fabricate(
    models=("resnet50",),
    heads=(TWO_HEADS,),
    subsets=("full",),
    seeds=(0,),
    types=("A172",),
    epochs=3,
    train_images=None,
    cell_types=None,
    synthetic_images=None,
):
    """Tables of an experiment; one image a cell type, F1 = 0.1 + 0.1 seed + 0.05 type."""
    rows, histories = [], []
    runs = [(m, h, s, seed) for m in models for h in heads for s in subsets for seed in seeds]
    for model, combination, subset, seed in runs:
        run = dict(dataset="livecell", model=model, heads=combination, subset=subset, seed=seed)
        for number, cell_type in enumerate(types):
            about = {"data_split": "test", "image": f"{cell_type}_1", "cell_type": cell_type}
            for small_objects in ("kept", "removed"):
                scores = dict.fromkeys(metrics.COLUMNS, 0.1 + 0.1 * seed + 0.05 * number)
                scores |= {"n_true": 1000, "n_pred": 900 if small_objects == "kept" else 800}
                scores |= {"true_pixels": 300, "pred_pixels": 200, "shared_pixels": 100}
                rows.append({**run, **about, "small_objects": small_objects, **scores})
        epoch = np.arange(1, epochs + 1)
        history = {"epoch": epoch, "loss": 1 / epoch, "val_loss": 1.1 / epoch}
        facts = {"step_ms": 50.0 + (epoch == 1) * 950, "backbone": model, "parameters": 25_000_000}
        facts |= {"device": "CPU", "train_images": (train_images or {}).get(subset, 100)}
        facts |= {"synthetic_images": (synthetic_images or {}).get(subset, 0)}
        facts |= {"cell_types": (cell_types or {}).get(subset, ""), "validation": "official"}
        histories.append(pd.DataFrame({**run, **history, **facts}))
    images = pd.DataFrame(rows)
    per_run = collect.with_pooled_pixels(collect.per_run(images), images)
    # Cells of 32 to 127 pixels in two octaves, a tenth of them found and more with each seed.
    sizes = images.groupby(["dataset", *collect.RUN[1:], "data_split", "small_objects"], sort=False)
    sizes = sizes.agg(n_true=("n_true", "sum"), found=("f1_50", "mean")).reset_index()
    sizes = sizes.assign(cell_type="all", n_found=(sizes["n_true"] * sizes["found"]).round())
    octaves = pd.DataFrame({"area_from": [32, 64], "area_to": [64, 128]})
    return {
        "images": images,
        "runs": per_run,
        "summary": collect.summarise(per_run),
        "training": pd.concat(histories, ignore_index=True),
        "sizes": sizes.merge(octaves, how="cross"),
    }


LONG_SUBSET = "full-with-a-synthetic-extension-of-every-cell-type"
SIZES = {"percent-2": 63, "percent-4": 127, "percent-5": 159, "full": 3170}
CASES = {
    "one run": {},
    "many conditions": {
        "models": ("resnet50", LONG),
        "heads": ("centre", "inner-distance+fgbg", ALL_HEADS),
        "subsets": ("percent-5", LONG_SUBSET),
        "train_images": {"percent-5": 159, LONG_SUBSET: 3170},
        "synthetic_images": {LONG_SUBSET: 15_850},
        "seeds": (0, 1, 2),
        "types": TYPES[:4],
        "epochs": 30,
    },
    "data sizes": {"subsets": tuple(SIZES), "seeds": (0, 1, 2), "train_images": SIZES},
}


def badly_placed(figure):
    """Texts that stick out of the page or run into each other, by more than 0.25 mm."""
    figure.draw_without_rendering()
    slack = 0.25 / 25.4 * figure.dpi
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in filter(lambda axes: axes.get_visible(), figure.axes):
        texts += [*axes.texts, axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            shown = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            texts += [tick.label1 for tick in shown]
    texts = [text for text in texts if text.get_visible() and text.get_text().strip()]
    boxes = np.array([text.get_window_extent().extents for text in texts])
    x0, y0, x1, y1 = boxes.T
    outside = (x0 < -slack) | (y0 < -slack) | (x1 > figure.bbox.x1 + slack)
    outside |= y1 > figure.bbox.y1 + slack
    apart = (x0[:, None] >= x1 - slack) | (y0[:, None] >= y1 - slack)
    clashes = np.argwhere(np.triu(~(apart | apart.T), 1))
    found = [f"outside: {texts[number].get_text()}" for number in np.flatnonzero(outside)]
    return found + [f"{texts[i].get_text()} on {texts[j].get_text()}" for i, j in clashes]


def bars(axes):
    """Middle and height of each bar."""
    return [
        (patch.get_x() + patch.get_width() / 2, patch.get_height())
        for container in axes.containers
        if hasattr(container, "patches")
        for patch in container.patches
    ]


@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name in registry.FIGURES for case in ("one run", "many conditions")]
    + [
        (name, "data sizes")
        for name in ("data-size", "f1-by-annotated-cells", "errors-by-annotated-cells")
    ],
)
def test_every_figure_fits_its_column_whatever_the_number_of_conditions(name, case):
    question = "A question that the experiment asks, in so many words that they need two lines"
    made = CASES[case]
    if name == "transfer":
        made = made | {"cell_types": dict.fromkeys(made.get("subsets", ["full"]), "A172")}
    figure = registry.draw(name, fabricate(**made), question)
    with style.look():
        width = figure.get_size_inches()[0] * 25.4
        assert any(width == pytest.approx(column) for column in (85, 180))
        assert badly_placed(figure) == []


def test_bars_are_means_with_intervals_and_seeds_as_points():
    experiment = fabricate(heads=(TWO_HEADS, "outer-distance+fgbg"), seeds=(0, 1, 2))
    axes = registry.draw("f1-by-heads", experiment).axes[0]
    assert [height for _, height in bars(axes)] == pytest.approx([0.2] * 4)
    assert drawn.points(axes)[:, 1].tolist() == pytest.approx([0.1, 0.2, 0.3] * 4)
    # t(0.975, 2) * 0.1 / sqrt(3)
    ends = drawn.whiskers(axes)
    assert [*ends] == pytest.approx([middle for middle, _ in sorted(bars(axes))])
    # Cut at 0, for there is no lower score.
    assert [*ends.values()] == [pytest.approx([0, 0.2 + 0.24841], abs=1e-4)] * 4


@pytest.mark.parametrize("name", [name for name in registry.FIGURES if name != "learning-curves"])
def test_two_seeds_have_points_and_no_interval(name):
    """Of two, t is 12.7: the interval would hide all else."""
    experiment = fabricate(seeds=(0, 1), types=TYPES[:2], cell_types={"full": "A172"})
    figure = registry.draw(name, experiment)
    for axes in figure.axes:
        assert not drawn.error_bars(axes) and not drawn.whiskers(axes)
        assert not any("±" in text for text in drawn.texts(axes))
    assert "2 seeds, too few for an interval" in drawn.written(figure)


def test_conditions_of_too_few_seeds_say_so_where_others_have_an_interval():
    experiment = fabricate(heads=(TWO_HEADS, "fgbg"), seeds=(0, 1, 2))
    runs = experiment["runs"]
    experiment["runs"] = runs[(runs["heads"] == TWO_HEADS) | (runs["seed"] < 2)]
    figure = registry.draw("f1-by-heads", experiment)
    assert [*drawn.whiskers(figure.axes[0])] == pytest.approx([-0.2, 0.2])
    assert "95 % t interval of that mean where it is over 3 seeds or more" in drawn.written(figure)


@pytest.mark.parametrize("name", ["f1-by-heads", "f1-by-cell-type", "pixel-f1-by-cell-type"])
def test_a_mean_of_zero_is_written_for_no_bar_shows_it(name):
    experiment = fabricate(models=("a", "b"), heads=(TWO_HEADS, "fgbg"))
    runs = experiment["runs"]
    runs.loc[(runs["model"] == "a") & (runs["heads"] == "fgbg"), ["f1_50", "pixel_f1"]] = 0.0002
    found = [text.strip() for axes in registry.draw(name, experiment).axes
             for text in drawn.texts(axes)]  # fmt: skip
    assert found == ["0.000"] * (2 if name == "f1-by-heads" else 1)


def test_small_objects_are_told_apart_by_place_and_colour():
    experiment = fabricate()
    kept = experiment["runs"]["small_objects"] == "kept"
    experiment["runs"].loc[kept, "f1_50"] = 0.4
    axes = registry.draw("f1-by-heads", experiment).axes[0]
    (left, first), (right, second) = sorted(bars(axes))
    assert left < right
    assert (first, second) == (0.4, pytest.approx(0.1))


def test_a_combination_that_was_not_run_is_said_to_be():
    experiment = fabricate(models=("resnet50", "unet"), heads=(TWO_HEADS, "fgbg"))
    runs = experiment["runs"]
    experiment["runs"] = runs[(runs["model"] == "unet") | (runs["heads"] == TWO_HEADS)]
    first, second, *_ = registry.draw("f1-by-heads", experiment).axes
    assert [(text.get_position()[0], text.get_text().strip()) for text in first.texts] == [
        (1, "not run")
    ]
    assert len(bars(first)) == 2 and len(bars(second)) == 4 and not second.texts


def test_a_score_that_is_not_defined_is_written_not_drawn():
    experiment = fabricate()
    experiment["runs"]["f1_50"] = np.nan
    axes = registry.draw("f1-by-heads", experiment).axes[0]
    assert bars(axes) == []
    assert [text.get_text() for text in axes.texts] == ["n/a", "n/a"]


def test_model_of_one_cell_type_is_shown_on_that_type_only():
    trained_on = {"half-of-it": "A172", "A172-not": "BT474"}  # names tell nothing
    experiment = fabricate(subsets=tuple(trained_on), types=TYPES[:3], cell_types=trained_on)
    axes = registry.draw("f1-by-cell-type", experiment).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["A172\nn = 1", "BT474\nn = 1"]
    assert sorted(bars(axes)) == [(0, pytest.approx(0.1)), (1, pytest.approx(0.15))]


def test_model_of_all_cell_types_has_a_bar_at_each():
    trained_on = {"half": "A172", "without-A172": ""}
    experiment = fabricate(subsets=tuple(trained_on), types=TYPES[:3], cell_types=trained_on)
    axes = registry.draw("f1-by-cell-type", experiment).axes[0]
    assert sorted(height for _, height in bars(axes)) == pytest.approx([0.1, 0.1, 0.15, 0.2])


@pytest.mark.parametrize("trained_on", ["A172+BT474", "SKOV3"])
def test_model_of_several_or_of_other_cell_types_has_a_bar_at_each(trained_on):
    experiment = fabricate(subsets=("A172",), types=TYPES[:3], cell_types={"A172": trained_on})
    axes = registry.draw("f1-by-cell-type", experiment).axes[0]
    assert sorted(height for _, height in bars(axes)) == pytest.approx([0.1, 0.15, 0.2])


def test_rows_of_heads_are_in_the_order_of_run_names():
    figure = registry.draw("f1-by-heads", fabricate(heads=("pixelwise", "centre", ALL_HEADS)))
    rows = [label.get_text() for label in figure.axes[-1].get_yticklabels()]
    assert rows == [*ALL_HEADS.split("+"), "centre"]


def test_backbones_show_each_quantity_on_an_axis_of_its_own():
    figure = registry.draw("backbones", fabricate(models=("resnet50", "densenet201")))
    names = [axes.get_title(loc="left").replace("\n", " ") for axes in figure.axes]
    assert names == [
        *("pixel IoU", "pooled pixel IoU", "pixel F1", "pooled pixel F1", "F1 at IoU 0.5"),
        *("step time (ms)", "weights (10⁶)"),
    ]
    written = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    # The first epoch, which compiles, does not count.
    assert written[5:] == [["50.0", "50.0"], ["25.0", "25.0"]]


def test_mean_loss_ends_where_the_first_seed_ends():
    experiment = fabricate(seeds=(0, 1), epochs=30)
    training = experiment["training"]
    experiment["training"] = training[(training["seed"] == 0) | (training["epoch"] <= 20)]
    axes = registry.draw("learning-curves", experiment).axes[0]
    thick = [line for line in axes.lines if line.get_linewidth() > 1]
    assert [line.get_xdata()[-1] for line in thick] == [20, 20]
    assert thick[0].get_ydata() == pytest.approx(1 / np.arange(1, 21))


def test_losses_of_different_heads_share_no_axis():
    same = registry.draw("learning-curves", fabricate(models=("a", "b"))).axes
    assert same[0].get_shared_y_axes().joined(same[0], same[1])
    other = registry.draw("learning-curves", fabricate(heads=(TWO_HEADS, ALL_HEADS))).axes
    assert not other[0].get_shared_y_axes().joined(other[0], other[1])


def test_epochs_of_the_longest_training_are_shown_in_every_panel():
    longer = fabricate(models=("long",), epochs=30)["training"]
    shorter = fabricate(models=("short",), heads=(ALL_HEADS,), epochs=5)["training"]
    training = pd.concat([longer, shorter], ignore_index=True)
    for axes in registry.draw("learning-curves", {"training": training}).axes:
        assert axes.get_xlim()[1] > 30


def test_data_size_has_the_number_of_images_on_a_log_axis():
    experiment = fabricate(**CASES["data sizes"])
    axes = registry.draw("data-size", experiment).axes[0]
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_xdata() == pytest.approx(sorted(SIZES.values()))


def test_limits_of_scores_stay_within_what_a_score_can_be():
    low, high = data_size._limits(np.array([-0.4, 0.5, 1.7, np.nan]))
    assert (low, high) == (0, 1.02)
    low, high = data_size._limits(np.array([0.5]))
    assert high - low >= 0.2


def test_run_curve_has_a_panel_a_head_and_marks_the_best_epoch():
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [3.0, 2.0, 1.0],
            "val_loss": [3.0, 1.5, 2.0],
            "inner-distance_loss": [2.0, 1.0, 0.5],
            "val_inner-distance_loss": [2.0, 1.0, 0.5],
            "pixelwise_loss": [1.0, 1.0, 0.5],
            "val_pixelwise_loss": [1.0, 0.5, 1.5],
            "learning_rate": [1e-3, 1e-3, 1e-3],
        }
    )
    figure = learning_curves.run_curve(history)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["total loss", "inner-distance", "pixelwise"]
    assert any("1.5 at epoch 2" in text.get_text() for text in figure.texts)
    with style.look():
        assert badly_placed(figure) == []


def test_run_curve_of_an_ensemble_has_a_line_a_network():
    history = pd.DataFrame({
        "cell_type": ["A172", "A172", "BV2", "BV2"], "epoch": [1, 2, 1, 2],
        "loss": [1.0, 0.5, 0.8, 0.3], "val_loss": [1.0, 0.6, 0.9, 0.4],
    })  # fmt: skip
    figure = learning_curves.run_curve(history)
    lines = [line.get_ydata() for line in figure.axes[0].lines]
    assert any(line == pytest.approx([0.9, 0.4]) for line in lines)
    assert any(line == pytest.approx([0.95, 0.5]) for line in lines)  # the mean
    note = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert "2 epochs" in note and "at epoch 2 of BV2" in note and "2 networks" in note


def test_run_curve_needs_only_epoch_and_loss():
    figure = learning_curves.run_curve(pd.DataFrame({"epoch": [1], "loss": [0.5]}))
    assert len(figure.axes) == 1


def test_unknown_figure_names_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'f1-by-heads'"):
        registry.draw("f1-by-head", fabricate())


@pytest.mark.parametrize(
    ("name", "table", "column"),
    [
        ("f1-by-heads", "runs", "f1_50"),
        ("f1-by-cell-type", "runs", "cell_type"),
        ("f1-by-cell-type", "training", "cell_types"),
        ("f1-by-cell-type", "training", "synthetic_images"),
        ("pixel-f1-by-cell-type", "runs", "pixel_f1"),
        ("backbones", "training", "step_ms"),
        ("learning-curves", "training", "val_loss"),
        ("data-size", "training", "train_images"),
        ("data-size", "training", "synthetic_images"),
        ("f1-by-annotated-cells", "runs", "f1"),
        ("errors-by-annotated-cells", "runs", "merge"),
        ("errors-by-annotated-cells-removed", "training", "train_images"),
        ("errors", "runs", "split"),
        ("f1-by-iou", "runs", "f1_95"),
        ("score-by-density", "images", "n_true"),
        ("score-by-size", "sizes", "n_found"),
        ("counts", "images", "n_pred"),
        ("transfer", "training", "cell_types"),
    ],
)
def test_missing_column_is_named_with_its_figure_and_table(name, table, column):
    experiment = fabricate()
    if column == "cell_type":
        experiment[table] = experiment[table][experiment[table]["cell_type"] == "all"]
        message = rf"{name}.*{table} .*no rows"
    else:
        experiment[table] = experiment[table].drop(columns=column)
        message = rf"{name}.*{table}.csv.*{column}"
    with pytest.raises(UserError, match=message):
        registry.draw(name, experiment)


def test_wrap_breaks_at_joints_and_keeps_every_character():
    text = "inner-distance+outer-distance · averyveryverylongwordwithoutanyjoint"
    wrapped = style.wrap(text, 20)
    assert all(style.text_width(line) <= 20 for line in wrapped.split("\n"))
    assert re.sub(r"\s", "", wrapped) == text.replace(" ", "")
    assert wrapped.startswith("inner-\n") or wrapped.startswith("inner-distance+\n")
    assert style.wrap("a\nb", 50) == "a\nb"


def test_the_number_of_seeds_of_a_label_stays_on_one_line():
    seeds = conditions.with_seeds("unet · inner-distance + pixelwise", pd.DataFrame(
        [dict.fromkeys(conditions.AXES, "a") | {"seed": seed} for seed in (0, 1)]
    ))  # fmt: skip
    for width in range(15, 60):
        lines = style.wrap(seeds, width).split("\n")
        assert "(n = 2)" in lines[-1].replace("\N{NO-BREAK SPACE}", " "), width


def test_saved_files_are_the_same_every_time_and_fonts_can_be_edited(tmp_path):
    code = (
        "import pandas as pd; from cellseg.figures import learning_curves, style\n"
        "h = pd.DataFrame({'epoch': [1, 2], 'loss': [1.0, 0.5], 'val_loss': [1.0, 0.7]})\n"
        "style.save(learning_curves.run_curve(h), paths)\n"
    )
    first, second = ([str(tmp_path / f"{n}.{kind}") for kind in ("pdf", "png")] for n in (0, 1))
    exec(code, {"paths": first})
    # Another process with another hash seed, and another look set by its user.
    code = f"import matplotlib; matplotlib.rcParams['font.size'] = 20; paths = {second}\n" + code
    scripts = str(Path(style.__file__).parents[2])
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": scripts}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    for one, other in zip(first, second, strict=True):
        assert Path(one).read_bytes() == Path(other).read_bytes()
    pdf = (tmp_path / "0.pdf").read_bytes()
    assert b"CreationDate" not in pdf
    assert b"/CIDFontType2" in pdf or b"/TrueType" in pdf
    assert b"/Type3" not in pdf
    from PIL import Image

    with Image.open(tmp_path / "0.png") as picture:
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert picture.size[0] == pytest.approx(85 / 25.4 * 300, abs=1)


def test_modules_import_without_matplotlib_and_pandas():
    code = (
        "import sys, cellseg.figures, cellseg.report.terminal_summary\n"
        "import cellseg.figures.overlay_cases\n"
        "print([m for m in ('matplotlib', 'pandas', 'scipy', 'seaborn') if m in sys.modules])\n"
        "import cellseg.figures.registry, cellseg.figures.data_overview\n"
        "import cellseg.report.synthesis_report\n"
        "print([m for m in ('matplotlib', 'seaborn', 'scipy.stats') if m in sys.modules])"
    )
    scripts = str(Path(style.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": scripts},
    )
    assert done.stdout.split() == ["[]", "[]"]


def test_names_that_look_like_numbers_or_missing_values_stay_names(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("dataset,model,subset,cell_type,f1_50\nd,NA,007,None,\n")
    row = read.read(path).iloc[0]
    assert (row["model"], row["subset"], row["cell_type"]) == ("NA", "007", "None")
    assert np.isnan(row["f1_50"])


@pytest.mark.parametrize("content", [None, ""])
def test_table_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "runs.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"runs\.csv"):
        read.read(path)


def test_touching_cells_have_an_outline_each():
    image = np.array([[0, 0, 0, 0], [0, 1, 2, 0], [0, 0, 0, 0]], np.int32)
    first, second = outlines.outlines(image)
    assert (first[:, 0].min(), first[:, 0].max()) == (0.5, 1.5)
    assert (second[:, 0].min(), second[:, 0].max()) == (1.5, 2.5)
    assert (first[:, 1].min(), first[:, 1].max()) == (0.5, 1.5)


def test_outline_of_a_square_keeps_its_turns_only():
    image = np.zeros((12, 12), np.int32)
    image[1:11, 1:11] = 7
    (line,) = outlines.outlines(image)
    assert len(line) <= 10
    assert (line[0] == line[-1]).all()


def test_bounding_box_encloses_the_pixels():
    image = np.zeros((4, 5), np.int32)
    image[1:3, 2:5] = 3
    (box,) = outlines.bounding_boxes(image)
    assert box.min(0).tolist() == [1.5, 0.5]
    assert box.max(0).tolist() == [4.5, 2.5]


def test_enlarged_part_holds_most_cells_and_lies_within_the_image():
    image = np.zeros((30, 60), np.int32)
    image[1, 1] = 1
    for label, row, column in ((2, 22, 50), (3, 24, 52), (4, 26, 54)):
        image[row, column] = label
    top, bottom, left, right = outlines.densest(image, 3)
    assert (bottom - top, right - left) == (10, 20)
    assert top >= 0 and left >= 0 and bottom <= 30 and right <= 60
    assert np.unique(image[top:bottom, left:right]).tolist() == [0, 2, 3, 4]
    assert outlines.densest(np.zeros((2, 2), np.int32), 3) == (0, 1, 0, 1)


def scores(*values):
    return pd.DataFrame(
        {
            "image": [f"image-{number}" for number in range(len(values))],
            "small_objects": "kept",
            "f1_50": values,
            "n_true": 10,
            "n_pred": 9,
        }
    )


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [("Median", "image-2")]),
        (3, [("Best", "image-1"), ("Median", "image-2"), ("Worst", "image-0")]),
        (2, [("Best", "image-1"), ("Worst", "image-0")]),
        (
            4,
            [
                ("Best", "image-1"),
                ("Rank 2 of 5", "image-3"),
                ("Rank 4 of 5", "image-4"),
                ("Worst", "image-0"),
            ],
        ),
        (
            9,
            [
                ("Best", "image-1"),
                ("Rank 2 of 5", "image-3"),
                ("Median", "image-2"),
                ("Rank 4 of 5", "image-4"),
                ("Worst", "image-0"),
            ],
        ),
    ],
)
def test_overlay_shows_best_to_worst(count, expected):
    table = scores(0.1, 0.9, 0.5, 0.6, 0.4, np.nan)
    chosen = shown.choose(table, count)
    assert [(rank, row.image) for rank, row in chosen] == expected


def test_overlay_of_an_even_number_has_no_median():
    table = scores(*np.linspace(0, 1, 8))
    ranks = [[rank for rank, _ in shown.choose(table, count)] for count in (4, 8, 5)]
    assert ranks[0] == ["Best", "Rank 3 of 8", "Rank 6 of 8", "Worst"]
    assert ranks[1] == ["Best", *(f"Rank {number} of 8" for number in range(2, 8)), "Worst"]
    assert [rank == "Median" for rank in ranks[2]] == [False, False, True, False, False]


def test_overlay_without_any_score_still_shows_an_image():
    ((rank, row),) = shown.choose(scores(np.nan), 3)
    assert rank == "Only image"
    assert "F1 not defined" in overlay_cases.heading(rank, row)
    with pytest.raises(UserError, match="at least one image"):
        shown.choose(scores(0.5), 0)


@pytest.fixture
def run_folder(tmp_path):
    return write_run(tmp_path)


def write_run(tmp_path):
    """Files of a run with two images of 30 x 40 pixels."""
    true = np.zeros((30, 40), np.int32)
    true[5:15, 5:15], true[5:15, 15:25] = 1, 2
    names = ("image-0", "image-1")
    paths = []
    for name in names:
        paths.append(str(tmp_path / f"{name}.png"))
        Image.fromarray((100 + true * 20).astype(np.uint8)).save(paths[-1])
    maps = np.stack([true / 2.0, true > 0], -1).astype(np.float32)
    channels = ["inner-distance/0", "pixelwise/1"]
    map_store.write(tmp_path / "predictions.zip", channels, [(name, maps) for name in names])
    atomic.write_stack(tmp_path / "truth.npz", [(name, true) for name in names])
    atomic.write_stack(tmp_path / "labels.npz", [(name, np.minimum(true, 1)) for name in names])
    table = scores(0.5, 0.7).assign(cell_type="A172")
    table.to_csv(tmp_path / "metrics.csv", index=False)
    pd.DataFrame({"image": names, "path": paths, "cell_type": "A172"}).to_parquet(
        tmp_path / "images.parquet"
    )
    return tmp_path


def run_input(folder):
    return {
        "maps": folder / "predictions.zip",
        "truth": folder / "truth.npz",
        "prediction": folder / "labels.npz",
        "metrics": folder / "metrics.csv",
        "images": folder / "images.parquet",
    }


def test_overlay_shows_the_maps_that_the_watershed_used(run_folder):
    cases = overlay_cases.load(**run_input(run_folder), count=3)
    assert [case.heading.split(" · ")[0] for case in cases] == ["Best: image-1", "Worst: image-0"]
    assert cases[0].markers[0] == "inner-distance" and cases[0].interior[0] == "pixelwise"
    assert cases[0].markers[1].max() == 1
    assert cases[0].interior[1].sum() == 200
    figure = overlay.overlay(cases, boxes=True)
    # Four columns, two lines, two images, and two colour scales.
    assert len(figure.axes) == 4 * 2 * 2 + 2
    with style.look():
        assert badly_placed(figure) == []


def test_overlay_shows_the_mask_for_markers_where_there_is_no_distance(run_folder):
    maps = np.full((30, 40, 1), 0.75, np.float32)
    names = ("image-0", "image-1")
    map_store.write(run_folder / "predictions.zip", ["fgbg/1"], [(name, maps) for name in names])
    case, _ = overlay_cases.load(**run_input(run_folder))
    assert [case.markers[0], case.interior[0]] == ["fgbg", "fgbg"]
    assert case.markers[1].max() == case.interior[1].min() == 0.75


def test_outlines_of_many_cells_are_thin():
    def widths(cells_a_side: int) -> list[float]:
        squares = np.arange(cells_a_side**2).reshape(cells_a_side, -1) + 1
        squares = np.kron(squares, np.ones((90 // cells_a_side,) * 2)).astype(np.int32)
        figure = overlay.overlay([overlay.Case("", squares.astype(np.uint8), squares, squares)])
        panels = [axes for axes in figure.axes if axes.collections]
        return [float(axes.collections[0].get_linewidth()[0]) for axes in panels]

    assert widths(3) == [0.75, 1.5]
    whole, enlarged = widths(30)
    assert whole == pytest.approx(12 / 30)
    assert whole < enlarged < 1.5


def test_overlay_without_maps_shows_image_and_outlines():
    labels_image = np.zeros((30, 40), np.int32)
    case = overlay.Case("An image", np.full((30, 40), 128, np.uint8), labels_image, labels_image)
    figure = overlay.overlay([case])
    assert len(figure.axes) == 2 * 2


@pytest.mark.parametrize("file", ["predictions", "truth", "labels"])
def test_overlay_names_the_file_that_lacks_an_image(run_folder, file):
    other = [("another", np.zeros((30, 40, 1)))]
    if file == "predictions":
        map_store.write(run_folder / "predictions.zip", ["pixelwise/1"], other)
    else:
        atomic.write_stack(run_folder / f"{file}.npz", other)
    with pytest.raises(UserError, match=rf"{file}\.(npz|zip) has no (image )?'image-1'"):
        overlay_cases.load(**run_input(run_folder))


def test_overlay_of_real_dense_images_stays_small(livecell_mini, tmp_path):
    import json

    from cellseg.images import reading as images

    folder = livecell_mini / "annotations" / "LIVECell"
    coco = json.loads((folder / "livecell_coco_test.json").read_text())
    entry = next(image for image in coco["images"] if image["file_name"].startswith("MCF7"))
    polygons = [a["segmentation"] for a in coco["annotations"] if a["image_id"] == entry["id"]]
    true = rasterize.rasterize(polygons, entry["height"], entry["width"])
    image = images.read(next(livecell_mini.rglob(entry["file_name"])))
    soft = (true > 0).astype(np.float32)
    case = overlay.Case("MCF7", image, true, np.roll(true, 2), ("a", soft), ("b", soft))
    style.save(overlay.overlay([case]), [tmp_path / "overlay.pdf"])
    assert (tmp_path / "overlay.pdf").stat().st_size < 5e6 / 3


class Named(SimpleNamespace):
    """Stands for Snakemake's named lists."""

    def __getitem__(self, name):
        return vars(self)[name]

    def get(self, name, default=None):
        return vars(self).get(name, default)

    def items(self):
        return vars(self).items()


def run_script(checkout, name, folder, inputs, lists=(), **parts):
    paths = {"pdf": "pdf", "png": "png", "preview": "jpg", "caption": "rst"}
    output = Named(**{key: str(folder / f"{name}.{suffix}") for key, suffix in paths.items()})
    parts["params"] = {"figure_text": True, "pixel_size": None} | parts.get("params", {})
    job = SimpleNamespace(
        input=Named(**{key: str(value) for key, value in inputs.items()}, **dict(lists)),
        output=output,
        log=[str(folder / f"{name}.log")],
        rule=name,
        **({} if "wildcards" in parts else {"wildcards": {}}),
        **{key: Named(**value) for key, value in parts.items()},
    )
    runpy.run_path(str(checkout / "scripts" / f"{name}.py"), init_globals={"snakemake": job})
    assert Path(output.pdf).read_bytes().startswith(b"%PDF")
    assert Path(output.png).read_bytes().startswith(b"\x89PNG")
    return Path(output.caption).read_text(encoding="utf-8")


RUN = {"dataset": "livecell", "model": "resnet50", "heads": TWO_HEADS, "subset": "s", "seed": "0"}


def test_rule_script_draws_a_figure_from_csv(checkout, tmp_path):
    inputs = {}
    for name, table in fabricate(seeds=(0, 1)).items():
        inputs[name] = tmp_path / f"{name}.csv"
        table.to_csv(inputs[name], index=False)
    params = {"figure": "f1-by-heads", "question": "Which heads?", "folds": {}}
    caption = run_script(checkout, "figure", tmp_path, inputs, params=params)
    title, subtitle, note, _ = caption.split("\n\n") + [""]
    assert title == "**F1 score by head combination.**"
    assert subtitle.startswith("Which heads? Test split of livecell: 1 image")
    assert note.startswith("Model: resnet50; training subset: full.")
    with Image.open(tmp_path / "figure.png") as whole:
        height = whole.height
    params["figure_text"] = False
    assert run_script(checkout, "figure", tmp_path, inputs, params=params) == caption
    with Image.open(tmp_path / "figure.png") as without_text:
        assert without_text.height < height - 100
    with pytest.raises(SystemExit):
        run_script(checkout, "figure", tmp_path, inputs, params=params | {"figure": "f1"})
    assert "there is no figure 'f1'" in (tmp_path / "figure.log").read_text()


def test_rule_script_draws_an_overlay(checkout, run_folder):
    inputs = run_input(run_folder)
    inputs["predicted"] = inputs.pop("prediction")
    params = {"images": 2, "boxes": True, "tuning": "grid", "tuned_by": None, "method": "watershed"}
    run_script(checkout, "overlay", run_folder, inputs, params=params, wildcards=RUN)
    with (
        Image.open(run_folder / "overlay.jpg") as small,
        Image.open(run_folder / "overlay.png") as full,
    ):
        assert small.width == 1400 < full.width
        assert small.height == pytest.approx(1400 * full.height / full.width, abs=1)


def test_rule_script_draws_a_learning_curve(checkout, tmp_path):
    history = tmp_path / "history.csv"
    history.write_text("epoch,loss,val_loss\n1,1.0,1.1\n2,0.5,0.7\n")
    inputs = {"history": history}
    run_script(checkout, "learning_curve", tmp_path, inputs, params={}, wildcards=RUN)


@pytest.mark.parametrize("tuning", [None, "grid"])
@pytest.mark.parametrize("figure", registry.FIGURES)
def test_report_has_a_caption_for_every_figure(checkout, figure, tuning):
    from jinja2 import Environment, StrictUndefined

    text = (checkout / "workflow" / "report" / "figure.rst").read_text()
    wildcards = Named(dataset="livecell", experiment="heads", figure=figure)
    entry = {"threshold_search": tuning} if tuning else {}  # as in the study's file
    job = SimpleNamespace(
        wildcards=wildcards, config={"experiments": {"heads": entry}},
        params=Named(figure_text=True),
    )  # fmt: skip
    caption = Environment(undefined=StrictUndefined).from_string(text).render(snakemake=job)
    tuned = ", thresholds tuned by grid" if tuning and figure != "learning-curves" else ""
    assert f"; experiment heads on livecell{tuned}. Drawn by rule figure from " in caption
    assert "``results/livecell/tables/heads/" in caption and "\n" not in caption.strip()
    assert not caption.startswith(figure)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("overlay", ["rule *overlay*", "``predicted.npz``", "``metrics.csv``", "``overlay.png``"]),
        ("learning_curve", ["rule *learning_curve*", "``history.csv``"]),
        ("contact_sheet", ["contact_sheet", "on livecell, thresholds tuned by grid. Drawn by"]),
        ("summary", ["rule *summary*", "``summary.csv``", "``runs.csv``", "scores of 2 runs"]),
        ("data", ["rule *data*", "``counts.csv``", "``sizes.csv``", "``problems.csv``"]),
        ("resources", ["rule *resources*", "``resources.csv``"]),
        ("provenance", ["rule *provenance*", "``provenance.csv``", "2 runs"]),
    ],
)
def test_captions_are_one_line_and_name_file_and_rule(checkout, name, said):
    from jinja2 import Environment, StrictUndefined

    text = (checkout / "workflow" / "report" / f"{name}.rst").read_text()
    two = ["a", "b"]
    job = SimpleNamespace(
        wildcards=Named(**RUN, experiment="heads", variant="tuning-grid/"),
        input=Named(
            predicted="predicted.npz", history="history.csv", provenance=two,
            metrics=two if name == "summary" else "metrics.csv",
        ),
        output=Named(
            png="overlay.png",
            **{
                table: f"{table}.csv"
                for table in ("summary", "runs", "counts", "sizes", "problems")
            },
            resources="resources.csv", provenance="provenance.csv",
        ),
        params=Named(tuning="grid", tuned_by=None, figure_text=True),
        rule=name,
    )  # fmt: skip
    caption = Environment(undefined=StrictUndefined).from_string(text).render(snakemake=job)
    assert caption.strip() and "\n" not in caption.strip()
    for words in said:
        assert words in caption


@pytest.mark.parametrize("name", ["figure", "contact_sheet", "overlay", "learning_curve", "data"])
def test_the_report_has_the_words_that_a_figure_lacks(checkout, tmp_path, monkeypatch, name):
    """As Snakemake makes a caption: by Jinja and docutils, in the folder of the results."""
    from docutils.core import publish_parts
    from jinja2 import Environment

    monkeypatch.chdir(tmp_path)
    with style.with_text(False):
        figure = registry.draw("f1-by-heads", fabricate(), "Which *heads*?")
    assert not drawn.written(figure).strip()
    figure_caption.write(figure, "f1-by-heads.rst")
    text = (checkout / "workflow/report" / f"{name}.rst").read_text()
    for has_text in (False, True):
        job = SimpleNamespace(
            wildcards=Named(**RUN, experiment="heads", variant="", figure="f1-by-heads"),
            input=Named(predicted="p", history="h", metrics="m"), rule=name,
            output=Named(png="p", counts="c", sizes="s", problems="p", caption="f1-by-heads.rst"),
            params=Named(figure_text=has_text, tuning=None, tuned_by=None),
            config={"experiments": {"heads": {}}},
        )  # fmt: skip
        html = publish_parts(
            Environment().from_string(text).render(snakemake=job), writer="html",
            settings_overrides={"halt_level": 2},
        )["body"]  # fmt: skip
        assert ("Which *heads*? Test split" in html) == (not has_text)
        assert ("F1 of cells matched at an IoU of at least 0.5" in html) == (not has_text)


def write_tables(folder, experiment, tables_of_it):
    for name, table in tables_of_it.items():
        path = folder / "tables" / experiment / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False)


def test_summary_has_one_row_a_condition_and_says_where_to_look(tmp_path):
    folder = tmp_path / "livecell"
    # Both experiments have resnet50 with two heads: listed once.
    write_tables(folder, "heads", fabricate(heads=(TWO_HEADS, ALL_HEADS), seeds=(0, 1, 2)))
    write_tables(folder, "models", fabricate(models=("resnet50", "vgg"), seeds=(0, 1, 2)))
    (folder / "report.html").touch()
    text = terminal_summary.table(folder)
    lines = text.splitlines()
    names = [n for n, line in enumerate(lines) if line.startswith(("resnet50, ", "vgg, "))]
    assert len(names) == 3
    numbers = lines[names[0] + 1]  # heads are too long for one line
    assert "0.200 ± 0.248" in numbers
    assert numbers.split()[-2:] == ["0.90", "50"]  # predicted/true, ms/step
    assert text.splitlines()[0] == "livecell: Training subset: full."
    assert f"{folder / 'report.html'}" in text
    assert str(folder / "tables" / "models" / "summary.csv") in text


def test_summary_of_the_demo_fits_a_terminal(tmp_path):
    """Of its conditions, which differ by model, heads and thresholds."""
    other = "outer-distance+fgbg"
    for tuning in ("-", "thresholds"):
        made = fabricate(models=("featurenet",), heads=(TWO_HEADS, other), seeds=(0, 1, 2))
        made["runs"] = made["runs"].assign(tuning=tuning)
        made["summary"] = collect.summarise(made["runs"])
        write_tables(tmp_path, f"heads-{tuning}", made)
    made = fabricate(models=("mobilenetv2", "featurenet-deepcell"))
    made["runs"] = made["runs"].assign(tuning="-")
    made["summary"] = collect.summarise(made["runs"])
    write_tables(tmp_path, "backbones", made)
    lines = terminal_summary.table(tmp_path).splitlines()
    heading = next(place for place, line in enumerate(lines) if line.startswith("model, heads"))
    table = lines[heading : lines.index("", heading)]
    assert max(map(len, table)) <= 100
    assert table[1] == "-" * len(table[0])
    names, numbers = table[2::2], table[3::2]
    assert f"featurenet, {TWO_HEADS}, thresholds" in names and len(names) == 6
    assert {len(line) for line in numbers} == {len(table[0])}
    for line in numbers:
        assert line.startswith(" ") and line.split()[-2:] == ["0.90", "50"]


def test_summary_tells_tuned_thresholds_from_others(tmp_path):
    for experiment, tuning in (("heads", "-"), ("tuned", "grid")):
        made = fabricate(seeds=(0, 1, 2))
        made["runs"] = made["runs"].assign(tuning=tuning)
        made["summary"] = collect.summarise(made["runs"])
        write_tables(tmp_path, experiment, made)
    text = terminal_summary.table(tmp_path).splitlines()
    assert [line.split()[0] for line in text if "0.100" in line or "0.200" in line] == ["-", "grid"]
    assert any(line.startswith("tuning") for line in text)


def test_summary_tells_the_step_times_of_the_tables(tmp_path):
    """Mean over seeds, and no epoch that compiles though two experiments have the run."""
    made = fabricate(seeds=(0, 1, 2))
    slow = made["training"]["seed"] == 2
    made["training"].loc[slow & (made["training"]["epoch"] > 1), "step_ms"] = 80
    for experiment in ("heads", "models"):
        write_tables(tmp_path, experiment, made)
    assert step_times.step_times(made["training"]).tolist() == [50, 50, 80]
    text = terminal_summary.table(tmp_path)
    (line,) = [line for line in text.splitlines() if line.startswith("resnet50")]
    assert line.split()[-1] == "60"
    assert "ms/step: time of a training step" in text


def test_summary_shows_folds_together(tmp_path):
    names = {"five-fold-1": "five", "five-fold-2": "five"}
    made = fabricate(subsets=tuple(names))
    images = made["images"].assign(data_split="held-out")
    images["image"] += images["subset"]
    apart = collect.with_pooled_pixels(collect.per_run(images), images)
    made |= {"images": images, "runs": apart, "summary": collect.summarise(apart)}
    runs = folds.joined(made, names)["runs"]
    made |= {"out_of_fold": runs, "out_of_fold_summary": collect.summarise(runs)}
    write_tables(tmp_path, "folds", made)
    text = terminal_summary.table(tmp_path)
    (line,) = [line for line in text.splitlines() if line.startswith("resnet50")]
    assert line.split() == ["resnet50", "1", "0.100", "0.100", "0.100", "0.90", "50"]
    said = " ".join(text.split())
    assert "training subset: five." in said and "(held-out images of folds, 2 images)" in said


def test_summary_of_one_seed_has_no_interval(tmp_path):
    write_tables(tmp_path, "one", fabricate())
    (line,) = [
        line
        for line in terminal_summary.table(tmp_path).splitlines()
        if line.startswith("resnet50")
    ]
    assert "0.100" in line and "±" not in line


def test_summary_before_any_result_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="Run the study first"):
        terminal_summary.table(tmp_path)
