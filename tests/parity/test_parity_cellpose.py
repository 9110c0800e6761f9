"""The same flows and cells as cellpose 3.1.1.3."""

import importlib.util
import json
import os
import sys

import numpy as np
import pytest

from cellpose_cases import SETTINGS, STORED, by_cellpose, label_images, predictions
from cellseg.data import rasterize
from cellseg.segmentation import flow_tracking
from cellseg.targets.flows import flows_of

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def stored():
    with np.load(STORED) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def cellpose():
    python = os.environ.get("CELLPOSE_PYTHON")
    if not python and importlib.util.find_spec("cellpose"):
        python = sys.executable
    if not python:
        pytest.skip("cellpose is not installed (make detectors), nor CELLPOSE_PYTHON set")
    return lambda asked: by_cellpose(asked, python)


def tracked(arrays, name):
    cell, flow, iterations, least = arrays[f"{name}.settings"].tolist()
    return flow_tracking.segment(
        arrays[f"{name}.predicted"], arrays[f"{name}.probability"], cell, flow,
        int(iterations), int(least), cellpose_size_error=True,
    )  # fmt: skip


def competing(arrays, name):
    """Whether seeds on which equally many pixels end are so near that one may take from another.

    Which one does is left to the order in which PyTorch sorts them.
    """
    cell, _, iterations, _ = arrays[f"{name}.settings"].tolist()
    is_cell = arrays[f"{name}.probability"] > cell
    planes = np.moveaxis(np.where(is_cell[..., None], arrays[f"{name}.predicted"], 0), -1, 0)
    down, right = (np.ascontiguousarray(plane, np.float32) for plane in planes)
    ends = flow_tracking._ends(down, right, is_cell, int(iterations))
    points = np.bincount(ends[ends >= 0], minlength=ends.size).astype(np.int32)
    seeds = flow_tracking._seeds(points.reshape(ends.shape))
    places = np.stack(np.unravel_index(seeds, ends.shape), axis=-1)
    near = np.abs(places[:, None] - places).max(axis=-1) <= 2 * flow_tracking.REACH
    equal = points[seeds][:, None] == points[seeds]
    return np.count_nonzero(near & equal) > len(seeds)


def assert_equal(arrays):
    """All flows in arrays equal but for rounding to float32, and cells label for label."""
    compared = left_out = 0
    for member in arrays:
        name, _, kind = member.rpartition(".")
        if kind == "labels":
            expected = arrays[f"{name}.flows"].astype(np.float32)
            np.testing.assert_array_equal(flows_of(arrays[member]), expected, err_msg=name)
        elif kind == "predicted":
            found, expected = tracked(arrays, name), arrays[f"{name}.cells"]
            if not np.array_equal(found, expected):
                assert competing(arrays, name), name
                left_out += 1
            compared += 1
    assert left_out <= compared / 10


def test_stored_flows_and_cells(stored):
    assert str(stored["version"]) == "3.1.1.3"
    assert_equal(stored)


def test_flows_and_cells_of_other_images(cellpose):
    """Made now: other cells, larger images, more settings."""
    asked = {}
    for seed in range(1, 4):
        for name, labels in label_images(seed, side=90).items():
            asked[f"{name}{seed}.labels"] = labels
            for number, maps in enumerate(predictions(labels, flows_of(labels), seed)):
                at = f"{name}{seed}-{number}"
                asked[f"{at}.predicted"], asked[f"{at}.probability"] = maps
                asked[f"{at}.settings"] = np.array(SETTINGS[(seed + number) % len(SETTINGS)])
    assert_equal({**asked, **cellpose(asked)})


def real_labels(folder):
    """Label images of the annotated cells of the test images."""
    [path] = folder.rglob("livecell_coco_test.json")
    content = json.loads(path.read_text())
    annotations = content["annotations"]
    if isinstance(annotations, dict):
        annotations = list(annotations.values())
    for image in content["images"]:
        cells = [one["segmentation"] for one in annotations if one["image_id"] == image["id"]]
        yield rasterize.rasterize(cells, image["height"], image["width"])


def test_flows_and_cells_of_real_cells(cellpose, livecell_mini):
    asked = {}
    for number, labels in enumerate(real_labels(livecell_mini)):
        asked[f"real{number}.labels"] = labels
        for quality, maps in enumerate(predictions(labels, flows_of(labels), number)[:2]):
            at = f"real{number}-{quality}"
            asked[f"{at}.predicted"], asked[f"{at}.probability"] = maps
            asked[f"{at}.settings"] = np.array(SETTINGS[0])
    assert_equal({**asked, **cellpose(asked)})
