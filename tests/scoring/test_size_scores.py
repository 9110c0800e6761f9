"""Which true cells are found, by their size."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellseg.errors import UserError
from cellseg.scoring import by_size, metrics
from cellseg.scoring.overlaps import overlaps, treatments
from cellseg.tables import collect


def cells(*ends: tuple[int, int]) -> np.ndarray:
    """Label image of one row with cells that cover columns start..end - 1."""
    image = np.zeros((1, 400), np.int32)
    for label, (start, end) in enumerate(ends, 1):
        image[0, start:end] = label
    return image


def test_cells_are_found_at_an_iou_of_one_half():
    true = cells((0, 10), (20, 30), (40, 50), (60, 70))
    pred = cells((0, 10), (20, 25), (40, 44))  # IoU 1, exactly 0.5, 0.4
    assert by_size.is_found(overlaps(true, pred)).tolist() == [True, True, False, False]


def test_of_two_halves_of_one_prediction_one_is_found():
    table = overlaps(cells((0, 10), (10, 20)), cells((0, 20)))
    assert by_size.is_found(table).tolist() == [True, False]
    halves = overlaps(cells((0, 20)), cells((0, 10), (10, 20)))
    assert by_size.is_found(halves).tolist() == [True]


@given(*[arrays(np.int32, (4, 6), elements=st.integers(0, 5))] * 2)
def test_found_cells_are_the_true_positives_of_f1(true, pred):
    (expected,) = metrics.match(true, pred, [0.5])
    table = overlaps(true, pred)
    assert by_size.is_found(table).sum() == expected["tp"]
    counts = by_size.by_octave(table)
    assert counts.sum(axis=0).tolist() == [len(table.true_area), expected["tp"]]


def test_octaves_include_their_lower_end():
    true = cells((0, 1), (10, 13), (20, 24), (30, 37), (40, 48))  # 1, 3, 4, 7 and 8 pixels
    counts = by_size.by_octave(overlaps(true, cells((20, 24), (40, 48))))
    assert counts.tolist() == [[1, 0], [1, 0], [2, 1], [1, 1]]


def test_small_objects_are_left_out_of_their_octave():
    true = cells((0, 14), (20, 35))
    made = {name: by_size.by_octave(one) for name, one in treatments(true, true, 15).items()}
    assert made["kept"].tolist() == [[0, 0], [0, 0], [0, 0], [2, 2]]
    assert made["removed"].tolist() == [[0, 0], [0, 0], [0, 0], [1, 1]]


def test_rows_add_up_images_of_different_length():
    first, second = np.array([[1, 0], [2, 1]]), np.array([[0, 0], [3, 3], [4, 2]])
    rows = by_size.rows({("all", "kept"): [first, second], ("BV2", "kept"): [first[:0]]})
    assert list(rows[0]) == ["cell_type", "small_objects", *by_size.COLUMNS]
    values = [list(row.values()) for row in rows]
    assert values == [
        ["all", "kept", 1, 2, 1, 0],
        ["all", "kept", 2, 4, 5, 4],
        ["all", "kept", 4, 8, 4, 2],
        ["BV2", "kept", 1, 2, 0, 0],
    ]


def test_sizes_of_runs_stand_below_one_another(tmp_path):
    condition = {"dataset": "d", "model": "NA", "heads": "fgbg", "subset": "full", "seed": 0}
    about = condition | {"data_split": "test"}
    rows = by_size.rows({("all", "kept"): [np.array([[1, 0]])]})
    paths = [tmp_path / f"{seed}.csv" for seed in (1, 0)]
    for path in paths:
        table = pd.DataFrame([{**about, "seed": int(path.stem), **row} for row in rows])
        table.to_csv(path, index=False)
    assert collect.sizes(paths)[["model", "seed"]].to_numpy().tolist() == [["NA", 1], ["NA", 0]]
    table.drop(columns="n_found").to_csv(paths[1], index=False)
    with pytest.raises(UserError, match=r"0\.csv lacks the columns n_found"):
        collect.sizes(paths)
