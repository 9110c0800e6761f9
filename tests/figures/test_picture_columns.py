"""What figures outside the registry show: pictures of images, of one run, of data, of a search."""

import ast

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from PIL import Image

import drawn
from cellseg.figures import (
    contact_sheet,
    data_overview,
    extension_pca,
    learning_curves,
    overlay,
    preview,
    registry,
    search,
)

TRUE, PREDICTED = "#e69f00", "#56b4e9"


def squares(*corners, side=6, shape=(60, 90)):
    """Label image of squares."""
    labels = np.zeros(shape, np.int32)
    for number, (row, column) in enumerate(corners, 1):
        labels[row : row + side, column : column + side] = number
    return labels


def outlines(axes):
    """From the colour of outlines to the upper left corner of each."""
    found = {}
    for collection in axes.collections:
        corners = [tuple(segment.min(0) + 0.5) for segment in collection.get_segments()]
        found[to_hex(collection.get_edgecolor()[0])] = sorted(corners)
    return found


def shown(axes):
    """The pixels that an image shows, and the values at both ends of its colours."""
    (image,) = axes.images
    return np.asarray(image.get_array()), image.get_clim()


def test_overlay_shows_image_maps_and_outlines_in_their_places():
    random = np.random.default_rng(0)
    true = squares((4, 6), (4, 20), (40, 70))
    predicted = squares((6, 8), (30, 40))
    maps = random.uniform(0, 3, (60, 90)), random.uniform(0, 1, (60, 90))
    image = random.integers(0, 255, (60, 90)).astype(np.uint8)
    case = overlay.Case(
        "One", image, true, predicted, ("inner-distance", maps[0]), ("fgbg", maps[1])
    )
    figure = overlay.overlay([case], boxes=True)
    *panels, markers, interior = figure.axes
    whole, enlarged = panels[:4], panels[4:]
    for axes, array in zip(whole, (image, *maps, image), strict=True):
        assert (shown(axes)[0] == array).all()
    for axes, array in zip(enlarged, (image, *maps, image), strict=True):
        rows, columns = (sorted(limits()) for limits in (axes.get_ylim, axes.get_xlim))
        assert (rows[1] - rows[0], columns[1] - columns[0]) == (20, 30)
        part = tuple(slice(int(low + 0.5), int(high + 0.5)) for low, high in (rows, columns))
        assert (shown(axes)[0] == array[part]).all()
        frame = whole[0].patches[0]
        assert frame.get_xy() == (columns[0], rows[0])
        assert (true[part] > 0).sum() == 72  # two of three true cells
    ends = 5  # the next of 1, 2, 5, 10, … so that runs share their colours
    assert 2 < np.percentile(maps[0], 99.9) < ends
    assert [shown(axes)[1] for axes in whole[1:3]] == [(0, ends), (0, 1)]
    assert [axes.images[0].get_cmap().name for axes in whole] == [
        "gray", "viridis", "cividis", "gray"
    ]  # fmt: skip
    assert drawn.x_labels(markers) == ["0", "5"]
    assert drawn.x_labels(interior) == ["0", "1"]
    assert outlines(whole[3]) == {
        TRUE: [(6, 4), (20, 4), (70, 40)], PREDICTED: [(8, 6), (40, 30)]
    }  # fmt: skip
    assert outlines(enlarged[3]) == {
        TRUE: [(6, 4), (20, 4)],
        PREDICTED: [(8, 6)],
        "#f0e442": [(8, 6)],
    }
    assert not any(axes.collections for axes in whole[:3])
    keys = drawn.legend(figure)
    assert keys["true cells"] == TRUE and keys["predicted cells"] == PREDICTED
    titles = {text.get_text(): text.get_position()[0] for text in figure.texts}
    names = ["image", "markers: inner-distance", "interior: fgbg", "outlines"]
    lefts = [axes.get_position().x0 for axes in whole]
    assert [titles[name] for name in names] == pytest.approx(lefts)


def test_contact_sheet_shows_each_row_and_column_in_its_place():
    truths = [squares((4, 6), (4, 20)), squares((40, 62), (40, 75))]
    predictions = [[squares((5, 7)), squares((41, 63))], [squares((7, 9)), squares((42, 64))]]
    images = [np.full((60, 90), grey, np.uint8) for grey in (9, 99)]
    columns = [
        contact_sheet.Column(f"column {n}", image, truth)
        for n, (image, truth) in enumerate(zip(images, truths, strict=True))
    ]
    rows = [
        contact_sheet.Row(f"row {n}", of_row, [f"caption {n}{m}" for m in range(2)])
        for n, of_row in enumerate(predictions)
    ]
    figure = contact_sheet.contact_sheet(columns, rows)
    texts = {text.get_text(): text.get_position() for text in figure.texts}
    for number, axes in enumerate(figure.axes):
        row, column = divmod(number, 2)
        box = axes.get_position()
        assert np.unique(shown(axes)[0]).tolist() == [(9, 99)[column]]
        found = outlines(axes)
        corners = sorted(tuple(box) for box in _corners(truths[column]))
        assert found == {TRUE: corners, PREDICTED: _corners(predictions[row][column])}
        caption = texts[f"caption {row}{column}"]
        assert caption[0] == pytest.approx(box.x0) and 0 < caption[1] - box.y1 < 0.05
        assert texts[f"column {column}"][0] == pytest.approx(box.x0)
        assert texts[f"row {row}"][1] > caption[1]
    assert texts["row 0"][1] > texts["row 1"][1]


def _corners(labels):
    found = [np.argwhere(labels == label)[0] for label in range(1, labels.max() + 1)]
    return [(int(column), int(row)) for row, column in found]


def test_learning_curve_of_a_run_shows_each_loss_in_its_panel():
    random = np.random.default_rng(1)
    columns = ["loss", "val_loss", "fgbg_loss", "val_fgbg_loss", "inner-distance_loss",
               "val_inner-distance_loss", "learning_rate"]  # fmt: skip
    history = pd.DataFrame({name: random.uniform(1, 2, 6) for name in columns})
    history["epoch"] = range(1, 7)
    history.loc[3, "val_loss"] = 0.5
    figure = learning_curves.run_curve(history)
    keys = drawn.legend(figure)
    expected = {"total loss": "", "fgbg": "fgbg_", "inner-distance": "inner-distance_"}
    panels = {drawn.title(axes): axes for axes in figure.axes if axes.get_visible()}
    assert [*panels] == [*expected, "learning rate"]
    for name, prefix in expected.items():
        lines = drawn.lines(panels[name])
        for key, column in (("training", f"{prefix}loss"), ("validation", f"val_{prefix}loss")):
            assert lines[keys[key]].tolist() == history[["epoch", column]].to_numpy().tolist()
        assert panels[name].get_ylabel() == "loss" and len(lines) == 2
    (rate,) = drawn.lines(panels["learning rate"]).values()
    assert rate[:, 1].tolist() == history["learning_rate"].tolist()
    assert panels["learning rate"].get_ylabel() == "learning rate"
    circle = panels["total loss"].lines[-1]
    assert circle.get_xydata().tolist() == [[4, 0.5]]
    assert "6 epochs; lowest validation loss 0.5 at epoch 4 (circle)" in drawn.written(figure)


def test_data_picture_shows_images_cells_and_areas_of_each_type():
    counted = {("b", "train"): [10, 20, 40], ("b", "val"): [80], ("b", "test"): [5, 160],
               ("A", "train"): [300], ("A", "test"): [700, 0]}  # fmt: skip
    images = pd.DataFrame([
        {"cell_type": kind, "split": split, "n_cells": number}
        for (kind, split), numbers in counted.items() for number in numbers
    ])  # fmt: skip
    areas = {"A": [100, 100, 500, 2000], "b": [50, 400, 400, 400, 400]}
    cells = pd.DataFrame(
        [{"cell_type": k, "split": "train", "area": a} for k, v in areas.items() for a in v]
    )
    figure = data_overview.draw(images, cells, "A set")
    left, middle, right = figure.axes
    colours = {"train": "#0072b2", "val": "#e69f00", "test": "#009e73"}
    assert drawn.legend(figure) == colours | {
        "median": "#000000",
        "LIVECell's limits of small, medium and large cells (324 and 961 px)": "#d55e00",
    }
    assert drawn.y_labels(left) == ["A", "b"] and left.get_ylim()[0] > left.get_ylim()[1]
    found = {}
    for patch in left.patches:
        place = round(patch.get_y() + patch.get_height() / 2)
        if patch.get_width():
            found[place, to_hex(patch.get_facecolor())] = (patch.get_x(), patch.get_width())
    assert found == {
        (0, colours["train"]): (0, 1), (0, colours["test"]): (1, 2),
        (1, colours["train"]): (0, 3), (1, colours["val"]): (3, 1), (1, colours["test"]): (4, 2),
    }  # fmt: skip
    assert drawn.texts(left) == ["3", "6"]
    (spots,) = [c for c in middle.collections if len(c.get_offsets()) > 1]
    dots = sorted(
        (round(y), to_hex(colour), x)
        for (x, y), colour in zip(spots.get_offsets(), spots.get_facecolors(), strict=True)
    )
    assert dots == sorted(
        ("Ab".index(kind), colours[split], number)
        for (kind, split), numbers in counted.items() for number in numbers if number
    )  # fmt: skip
    (medians,) = [c for c in middle.collections if hasattr(c, "get_segments")]
    assert [(s[0, 0], s[:, 1].mean()) for s in medians.get_segments()] == [(500, 0), (30, 1)]
    assert drawn.texts(right) == [
        "small",
        "medium",
        "large",
        "50%",
        "25%",
        "25%",
        "20%",
        "80%",
        "0%",
    ]
    cuts = [line.get_xdata()[0] for line in right.lines]
    assert cuts == [324, 961]
    for patch, (kind, values) in zip(right.patches, areas.items(), strict=True):
        heights, edges, base = patch.get_data()
        assert base == pytest.approx("Ab".index(kind) + 0.38)
        number = np.histogram(values, edges)[0]
        assert heights == pytest.approx(base - 0.8 * number / number.max())
    said = [axes.get_xlabel() for axes in (left, middle, right)]
    assert said == ["images", "cells an image (log scale)", "area of a cell (px, log scale)"]
    assert "A set train 4 images with 9 cells; val 1 image with 0 cells" in drawn.written(figure)


def test_data_picture_of_images_without_cells_is_drawn():
    images = pd.DataFrame({"cell_type": ["A", "b"], "split": ["train", "test"], "n_cells": [0, 0]})
    cells = pd.DataFrame({"cell_type": [], "split": [], "area": []})
    left, middle, _ = data_overview.draw(images, cells, "A set").axes
    assert drawn.texts(left) == ["1", "1"]
    (medians,) = middle.collections  # and no points
    assert not medians.get_segments()


def test_components_show_each_type_and_kind_and_each_distance():
    random = np.random.default_rng(2)
    table = pd.DataFrame({"cell_type": ["b", "b", "A", "b", "A"]})
    table["kind"] = ["real", "synthetic", "real", "real", "synthetic"]
    table[["component_1", "component_2"]] = random.uniform(-3, 3, (5, 2))
    loadings = pd.DataFrame(
        {1: [0.9, -0.3, 0.1, 0.2], 2: [0.1, 0.2, -0.9, 0.6]}, index=["size", "hue", "a_b", "noise"]
    )
    distances = pd.DataFrame(
        {"cell_type": ["all", "A", "all"], "features": ["all", "all", "shape"]}
    )
    distances["energy_distance"] = [0.5, 9, -0.25]
    distances["exchanged_5"], distances["exchanged_95"] = [0.1, 9, -0.3], [0.2, 9, 0.3]
    distances["exchanged_p"] = [0.001, 9, 0.4]
    for name in ("real_images", "synthetic_images"):
        distances[name] = distances[f"{name}_compared"] = 3
    figure = extension_pca.extension_pca(table, loadings, np.array([0.6, 0.3]), distances, "T")
    left, right = figure.axes
    keys = drawn.legend(figure)
    assert [*keys] == ["A", "b", "real", "synthetic"]
    found = []
    for collection in left.collections:
        filled = len(collection.get_facecolor()) > 0
        colour = (collection.get_facecolor() if filled else collection.get_edgecolor())[0]
        found += [(to_hex(colour), filled, *spot) for spot in collection.get_offsets().tolist()]
    rows = table.itertuples()
    assert sorted(found) == sorted(
        (keys[row.cell_type], row.kind == "real", row.component_1, row.component_2) for row in rows
    )
    minus = "\N{MINUS SIGN}"
    said = f"component 1, 60% of the variance\n+ size, {minus} hue, + noise"
    assert left.get_xlabel() == said
    said = f"component 2, 30% of the variance\n{minus} a b, + noise, + hue"
    assert left.get_ylabel() == said
    bars = [(p.get_x(), p.get_width(), p.get_y() + p.get_height() / 2) for p in right.patches]
    assert bars == [pytest.approx((0.1, 0.1, 0)), pytest.approx((-0.3, 0.6, 1))]
    dots = [line.get_xydata().tolist() for line in right.lines if line.get_marker() == "o"]
    assert dots == [[[0.5, 0]], [[-0.25, 1]]]
    assert drawn.texts(right) == ["0.500\np = 0.001", f"{minus}0.250\np = 0.400"]
    assert drawn.y_labels(right) == ["all features", "shape"]
    assert "3 real and 2 synthetic images" in drawn.written(figure)


def test_search_shows_each_trial_at_its_settings():
    trials = pd.DataFrame(
        [
            (1, 1, 2, 0.7, True, False, 0.01, "4"),
            (2, 1, 2, 0.9, False, False, 0.002, "8"),
            (3, 1, 2, np.nan, False, False, 0.05, "4"),
            (1, 2, 6, 0.4, True, True, 0.01, "4"),
        ],
        columns=["trial", "rung", "epochs", "score", "promoted", "best", "training.learning_rate",
                 "training.batch_size"],
    ).assign(measure="val_loss", runs="one two")  # fmt: skip
    space = {"training.learning_rate": {"log": [0.001, 0.1]}, "training.batch_size": [4, 8]}
    entry = {"title": "T", "model": "m", "heads": "a+b", "subset": "s", "space": space}
    figure = search.search(trials, entry)
    panels = {axes.get_xlabel(): axes for axes in figure.axes if axes.get_visible()}
    assert [*panels] == ["epochs (log scale)", "learning rate (log scale)", "batch size"]
    keys = drawn.legend(figure)
    first, second = keys["2 epochs"], keys["6 epochs"]
    for name, column in (("epochs (log scale)", "epochs"),
                         ("learning rate (log scale)", "training.learning_rate")):  # fmt: skip
        x = trials[column].tolist()
        _trials(panels[name], [(x[0], 0.7, first, first), (x[1], 0.9, first, "white"),
                               (x[3], 0.4, second, second)], (x[3], 0.4), x[2])  # fmt: skip
    sizes = panels["batch size"]
    assert drawn.x_labels(sizes) == ["4", "8"]
    found = {(round(x), y) for line in sizes.lines for x, y in line.get_xydata() if y == y}
    assert found == {(0, 0.7), (1, 0.9), (0, 0.4), (0, 0.97)}  # the last is the cross
    assert figure.axes[0].get_ylabel() == "validation loss"
    said = drawn.written(figure)
    assert "3 of 2 epochs, 1 of 6 epochs. Best: trial 1 after 6 epochs, 0.4." in said
    assert "mean over 2 seeds" in said


def _trials(axes, expected, best, lost):
    marks = [line for line in axes.lines if line.get_linestyle() == "None"]
    spots = [
        (x, y, to_hex(line.get_color()), line.get_markerfacecolor())
        for line in marks if line.get_marker() in "os" and line.get_markersize() == 4
        for x, y in line.get_xydata() if np.isfinite(y)
    ]  # fmt: skip
    spots = [(*spot[:3], "white" if spot[3] == "white" else to_hex(spot[3])) for spot in spots]
    assert sorted(spots) == sorted(expected)
    (ring,) = [line for line in axes.lines if line.get_markersize() == 8]
    assert ring.get_xydata().tolist() == [[*best]]
    crosses = [x for line in axes.lines if line.get_marker() == "x" for x in line.get_xdata()]
    assert crosses == [lost]


@pytest.mark.parametrize("size", [(2800, 700), (90, 60)])
def test_preview_is_the_picture_no_wider_than_a_page(tmp_path, size):
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2] = (200, 30, 30)
    picture[height // 2 :, width // 2 :] = (30, 30, 200)
    Image.fromarray(picture).save(tmp_path / "a.png")
    preview.write(tmp_path / "a.png", tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as small:
        assert small.format == "JPEG" and small.size == (
            min(width, 1400),
            height * small.width // width,
        )
        wide, high = small.size
        for x, y, colour in ((0.25, 0.5, (200, 30, 30)), (0.75, 0.25, (0, 0, 0)),
                             (0.75, 0.75, (30, 30, 200))):  # fmt: skip
            assert small.getpixel((int(x * wide), int(y * high))) == pytest.approx(colour, abs=12)


CHECKED = {"overlay.overlay", "contact_sheet.contact_sheet", "learning_curves.run_curve",
           "extension_pca.extension_pca", "search.search", "data_overview.draw",
           "paper.paper"}  # fmt: skip
"""Drawing functions outside the registry, checked above and in test_paper.py."""


def test_every_other_drawing_function_is_checked_here(checkout):
    found = {
        f"{path.stem}.{node.name}"
        for path in (checkout / "scripts/cellseg/figures").glob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(decorator) == "style.styled" for decorator in node.decorator_list)
    }
    registered = {f"{f.__module__.split('.')[-1]}.{f.__name__}" for f in registry.FIGURES.values()}
    assert found - registered - {"f1_by_cell_type.by_cell_type"} == CHECKED
