"""Overlays of detectors: boxes and scores of the detections that the cells were painted from."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from test_figures import badly_placed, run_input, run_script, write_run

from cellseg.figures import detections, overlay, overlay_cases, style
from cellseg.inference import instance_store
from cellseg.io import atomic, run_format
from cellseg.targets.instances import Detections

RUN = {"dataset": "cells", "model": "m", "heads": "instances", "subset": "full", "seed": "0"}
NAMES = ("image-0", "image-1")
# The second is hidden by the first, the third is below the threshold.
FOUND = Detections(
    (30, 40),
    np.float32([[5, 5, 25, 15], [6, 6, 12, 12], [28, 20, 36, 28], [5, 18, 15, 28]]),
    np.float32([0.9, 0.8, 0.3, 0.65]),
    np.full((4, 28, 28), 255, np.uint8),
)


@pytest.fixture
def detected(tmp_path):
    """Files of a run of a detector."""
    run_folder = write_run(tmp_path)
    instance_store.write(run_folder / "instances.zip", [(name, FOUND) for name in NAMES])
    settings = {"segmentation": {"method": "painting", "score_threshold": 0.5}}
    atomic.write_json(run_folder / "segmentation.json", run_format.stamped(settings))
    files = {**run_input(run_folder), "maps": run_folder / "instances.zip"}
    return {**files, "segmentation": run_folder / "segmentation.json"}


def drawn_boxes(axes):
    """Boxes as left, upper, right and lower edge, in the order in which they are drawn."""
    [lines] = [one for one in axes.collections if isinstance(one, LineCollection)]
    corners = [path.vertices for path in lines.get_paths()]
    return [[*one.min(0), *one.max(0)] for one in corners]


def numbers(axes):
    return [text.get_text() for text in axes.texts]


def test_the_painted_detections_alone_are_shown(detected):
    case, _ = overlay_cases.load(**detected, method="painting")
    name, found = case.detections
    assert name == "boxes and scores"
    assert found.scores.tolist() == pytest.approx([0.9, 0.65])
    assert found.boxes.tolist() == FOUND.boxes[[0, 3]].tolist()
    case, _ = overlay_cases.load(**{**detected, "segmentation": None}, method="painting")
    assert case.detections is None


def test_an_overlay_has_a_column_of_boxes_and_scores(detected):
    cases = overlay_cases.load(**detected, method="painting")
    figure = overlay.overlay(cases, boxes=True)
    assert len(figure.axes) == 3 * 2 * 2 + 1  # columns, lines, images, and a scale
    whole = figure.axes[1]
    # The most confident on top; a pixel's centre is a whole number, and a box has its edges.
    assert drawn_boxes(whole) == [[4.5, 17.5, 14.5, 27.5], [4.5, 4.5, 24.5, 14.5]]
    assert numbers(whole) == [".90", ".65"]
    with style.look():
        assert badly_placed(figure) == []
    assert "detections: boxes and scores" in [text.get_text() for text in figure.texts]
    assert "coloured by score" in overlay_cases.note(cases, True)
    without = overlay.overlay(cases, boxes=False)
    assert len(without.axes) == 2 * 2 * 2
    assert "score" not in overlay_cases.note(cases, False)


def many(count, side=8.0):
    """So many boxes of a row each, in an image of 400 x 400 pixels."""
    left = np.arange(count) % 20 * 20.0
    upper = np.arange(count) // 20 * 20.0
    boxes = np.stack([left, upper, left + side, upper + side], -1).astype(np.float32)
    return boxes, np.linspace(0.5, 0.99, count, dtype=np.float32)


def panel(boxes, scores, window, **options):
    figure = style.new(60, 60)
    axes = figure.add_axes((0, 0, 1, 1))
    detections.draw(axes, boxes, scores, window, panel=60, widest=1, **options)
    return figure, axes


@pytest.mark.parametrize(("count", "written"), [(60, True), (61, False)])
def test_a_crowded_image_has_boxes_without_numbers(count, written):
    _, axes = panel(*many(count), (0, 400, 0, 400), most_scores=detections.MOST_SCORES)
    assert len(drawn_boxes(axes)) == count
    assert bool(numbers(axes)) == written


def test_numbers_never_meet_and_the_best_come_first():
    boxes, scores = many(400)
    figure, axes = panel(boxes, scores, (0, 400, 0, 400))
    assert 20 < len(axes.texts) < 400  # there is no room for all
    assert numbers(axes)[0] == ".99"
    assert badly_placed(figure) == []
    _, axes = panel(*many(4), (0, 200, 0, 200))  # there is room
    assert numbers(axes) == [".99", ".83", ".66", ".50"]


def test_a_window_shows_its_boxes_and_keeps_numbers_inside():
    boxes = np.float32([[90, 90, 150, 150], [300, 300, 340, 340]])
    _, axes = panel(boxes, np.float32([0.7, 1.0]), (100, 200, 100, 200))
    assert len(drawn_boxes(axes)) == 1
    [text] = axes.texts
    assert text.get_text() == ".70" and text.get_position() == (100, 100)
    _, axes = panel(boxes, np.float32([0.7, 1.0]), (200, 299, 0, 99))
    assert numbers(axes) == []


def test_an_image_without_detections_is_shown_all_the_same():
    _, axes = panel(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), (0, 9, 0, 9))
    assert drawn_boxes(axes) == [] and axes.get_xlim() == (-0.5, 8.5)


@pytest.mark.parametrize("boxes", [True, False])
def test_rule_script_draws_boxes(checkout, tmp_path, detected, boxes):
    inputs = {**detected, "predicted": detected.pop("prediction")}
    params = {"images": 2, "boxes": boxes, "tuning": None, "tuned_by": None, "method": "painting"}
    caption = run_script(checkout, "overlay", tmp_path, inputs, params=params, wildcards=RUN)
    assert ("coloured by score" in caption) == boxes
