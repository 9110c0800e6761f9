"""Measures and outlines of cells that one can check by eye."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellseg.apply import geojson, measurements

LABELS = np.array(
    [
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 2, 0],
        [0, 0, 0, 0, 2, 0],
        [0, 0, 0, 0, 2, 0],
        [0, 0, 0, 0, 0, 0],
    ],
    np.int32,
)


def test_measures_of_two_rectangles():
    intensity = np.where(LABELS == 1, 1000, 40).astype(np.uint16)
    found = measurements.measure(LABELS, intensity, np.array([0.9, 0.5]), (0.5, 2.0))
    assert {name: values.tolist() for name, values in found.items() if name != "perimeter_px"} == {
        "label": [1, 2],
        "area_px": [6, 3],
        "area_um2": [6.0, 3.0],
        "centroid_x_px": [1.5, 4.5],
        "centroid_y_px": [1.0, 2.5],
        "left_px": [0, 4],
        "top_px": [0, 1],
        "width_px": [3, 1],
        "height_px": [2, 3],
        "at_border": [1, 0],
        "mean_intensity": [1000.0, 40.0],
        "score": [0.9, 0.5],
    }
    assert {"image", "page", *found} == set(measurements.COLUMNS)
    assert np.isnan(
        measurements.measure(LABELS, intensity, np.array([0.9, 0.5]), None)["area_um2"]
    ).all()


def test_the_perimeter_of_a_square_is_its_rim():
    labels = np.zeros((12, 12), np.int32)
    labels[1:11, 1:11] = 1
    found = measurements.measure(labels, labels, np.ones(1), None)
    assert found["perimeter_px"] == pytest.approx(4 * 9)  # between the middles of its pixels


def test_an_image_without_cells_has_no_rows():
    empty = np.zeros((4, 5), np.int32)
    found = measurements.measure(empty, empty, np.zeros(0), None)
    assert {len(values) for values in found.values()} == {0}
    assert geojson.of_cells(empty) == {}


def test_outlines_run_along_pixels():
    found = geojson.of_cells(LABELS)
    assert found == {
        1: [[[(0, 0), (3, 0), (3, 2), (0, 2), (0, 0)]]],
        2: [[[(4, 1), (5, 1), (5, 4), (4, 4), (4, 1)]]],
    }
    assert [geojson.area(parts[0][0]) for parts in found.values()] == [6, 3]


def test_holes_and_parts():
    ring = np.ones((3, 3), np.int32)
    ring[1, 1] = 0
    ((outer, hole),) = geojson.of_cells(ring)[1]
    assert (geojson.area(outer), geojson.area(hole)) == (9, -1)
    apart = np.array([[3, 0], [0, 3]], np.int32)  # touch at a corner
    assert [geojson.area(rings[0]) for rings in geojson.of_cells(apart)[3]] == [1, 1]
    # A hole that touches the outside at a corner has a ring of its own.
    corner = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], np.int32)
    ((outer, hole),) = geojson.of_cells(corner)[1]
    assert (geojson.area(outer), geojson.area(hole)) == (8, -1)
    assert len(set(outer)) == len(outer) - 1 and len(set(hole)) == len(hole) - 1


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))
)
def test_filled_outlines_give_the_labels_back(labels):
    found = geojson.of_cells(labels)
    assert sorted(found) == [label for label in np.unique(labels).tolist() if label]
    painted = np.zeros_like(labels)
    rows, columns = np.indices(labels.shape) + 0.5
    for label, parts in found.items():
        area = sum(geojson.area(ring) for rings in parts for ring in rings)
        assert area == (labels == label).sum()
        for rings in parts:
            inside = np.zeros(labels.shape, int)
            for ring in rings:
                contour = np.array(ring[:-1], np.float32)
                inside += [
                    [cv2.pointPolygonTest(contour, (x, y), False) > 0 for x in columns[0]]
                    for y in rows[:, 0]
                ]
            painted[inside == 1] = label  # in the outer ring, and in no hole
    np.testing.assert_array_equal(painted, labels)


def test_geojson_has_a_feature_a_cell():
    apart = np.array([[1, 0], [0, 1]], np.int32)
    found = geojson.geojson([geojson.of_cells(LABELS), geojson.of_cells(apart)])
    assert found["type"] == "FeatureCollection"
    kinds = [
        (f["geometry"]["type"], f["properties"]["page"], f["properties"]["label"])
        for f in found["features"]
    ]
    assert kinds == [("Polygon", 1, 1), ("Polygon", 1, 2), ("MultiPolygon", 2, 1)]
