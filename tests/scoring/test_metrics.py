"""Scores of label images that one can check by eye, a brute-force twin, and a run's metrics.csv."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from cellseg.data import true_cells
from cellseg.data.label_folder import encode
from cellseg.errors import UserError
from cellseg.inference import instance_store
from cellseg.io import atomic
from cellseg.scoring import metrics, names
from cellseg.scoring import run as scoring
from cellseg.scoring.overlaps import overlaps
from cellseg.segmentation import confidence
from cellseg.targets.instances import Detections

EMPTY = np.zeros((3, 400), np.int32)


def cells(*intervals: tuple[int, int]) -> np.ndarray:
    """Label image of cells that are intervals of columns."""
    labels = EMPTY.copy()
    for value, (start, end) in enumerate(intervals, start=1):
        labels[:, start:end] = value
    return labels


def errors(true: np.ndarray, pred: np.ndarray, **options) -> dict[str, int]:
    """Only the errors that occurred."""
    counts = metrics.error_counts(true, pred, **options)
    return {name: counts[name] for name in metrics.COUNTS if counts[name]}


def brute_force(true: np.ndarray, pred: np.ndarray, threshold: float) -> int:
    """Matches by optimal assignment over the full matrix, as stardist finds them."""
    true_values = [value for value in np.unique(true) if value]
    pred_values = [value for value in np.unique(pred) if value]
    iou = np.zeros((len(true_values), len(pred_values)))
    for row, t in enumerate(true_values):
        for column, p in enumerate(pred_values):
            shared = np.count_nonzero((true == t) & (pred == p))
            iou[row, column] = shared / np.count_nonzero((true == t) | (pred == p))
    enough = iou >= threshold
    rows, columns = linear_sum_assignment(-(enough + iou / (2 * max(iou.shape))))
    return int(np.count_nonzero(enough[rows, columns]))


label_images = arrays(np.int32, (6, 7), elements=st.integers(0, 4))


@settings(max_examples=200, deadline=None)
@given(label_images, label_images)
def test_matches_equal_optimal_assignment(true, pred):
    # Half of the images are made alike, or hardly a pair would match.
    pred = np.where(np.arange(7) < 4, true, pred)
    for result in metrics.match(true, pred):
        tp = brute_force(true, pred, result["threshold"])
        n_true, n_pred = (len(np.unique(labels[labels > 0])) for labels in (true, pred))
        assert (result["tp"], result["fp"], result["fn"]) == (tp, n_pred - tp, n_true - tp)


def test_a_cell_in_two_equal_halves_matches_once():
    halves = cells((0, 10), (10, 20))
    for true, pred in ((cells((0, 20)), halves), (halves, cells((0, 20)))):
        at_half, above = metrics.match(true, pred, (0.5, 0.55))
        assert (at_half["tp"], at_half["fp"] + at_half["fn"]) == (1, 1)
        assert above["tp"] == 0


def test_an_iou_of_exactly_the_threshold_matches():
    true, pred = cells((0, 10)), cells((0, 6))
    matched = [result["tp"] for result in metrics.match(true, pred)]
    assert matched == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    # ... but does not link: deepcell wants more than 0.6.
    assert errors(true, pred) == {"missed": 1, "gained": 1}
    assert errors(true, cells((0, 7))) == {"correct": 1}


def test_ratios_of_a_match():
    true = cells((0, 10), (20, 30), (40, 50), (60, 70))
    result = metrics.match(true, cells((0, 10), (20, 30), (100, 110)), (0.5,))[0]
    assert (result["precision"], result["recall"]) == (2 / 3, 1 / 2)
    assert result["f1"] == pytest.approx(4 / 7)
    assert result["accuracy"] == pytest.approx(2 / 5)


def test_thresholds_below_one_half_are_refused():
    with pytest.raises(ValueError, match=r"0\.5"):
        metrics.match(EMPTY, EMPTY, (0.4,))
    with pytest.raises(ValueError, match=r"0\.5"):
        metrics.error_counts(EMPTY, EMPTY, link_iou=0.3)
    with pytest.raises(ValueError, match="shape"):
        metrics.match(EMPTY, EMPTY[1:])


@pytest.mark.parametrize(
    ("true", "pred", "expected"),
    [
        ([(0, 10)], [(0, 10)], {"correct": 1}),
        ([(0, 10)], [(20, 30)], {"missed": 1, "gained": 1}),
        ([(0, 10)], [(5, 15)], {"missed": 1, "gained": 1}),  # one edge, no link
        ([(0, 10), (10, 20), (20, 30)], [(0, 30)], {"merge": 1}),
        ([(0, 30)], [(0, 10), (10, 20), (20, 30)], {"split": 1}),
        ([(0, 20), (20, 40)], [(10, 30), (30, 50)], {"catastrophe": 1}),
        # One predicted cell has the most edges, yet two cells are in two: no mere merge.
        ([(0, 10), (10, 20), (20, 40)], [(0, 30), (30, 50)], {"catastrophe": 1}),
        # A link takes its cells out of the graph.
        ([(0, 30)], [(0, 25), (25, 30)], {"correct": 1, "gained": 1}),
    ],
)
def test_errors_by_hand(true, pred, expected):
    assert errors(cells(*true), cells(*pred), catastrophe_is_correct=False) == expected


def test_a_small_piece_joins_when_more_than_half_of_it_lies_within():
    large = cells((0, 100))
    for start, is_piece in ((98, False), (97, True)):  # 2 or 3 of 4 columns within
        pieces = cells((0, 30), (start, start + 4))
        expected = {"split": 1} if is_piece else {"missed": 1, "gained": 2}
        assert errors(large, pieces) == expected


def test_deepcell_counts_a_catastrophe_as_correct():
    true, pred = cells((0, 20), (20, 40), (100, 120)), cells((10, 30), (30, 50), (100, 120))
    assert errors(true, pred) == {"catastrophe": 1, "correct": 2}
    assert metrics.error_counts(true, pred)["f1"] == pytest.approx(2 / 3)
    assert metrics.error_counts(true, pred, catastrophe_is_correct=False)["f1"] == pytest.approx(
        1 / 3
    )


def test_pixel_scores_are_jaccard_and_dice():
    scores = metrics.pixel_scores(cells((0, 30)), cells((20, 40), (50, 60)))
    assert scores["pixel_iou"] == pytest.approx(10 / 50)
    assert scores["pixel_f1"] == pytest.approx(2 * 0.2 / 1.2)


@settings(max_examples=50, deadline=None)
@given(label_images, label_images)
def test_overlaps_count_every_pixel_once(true, pred):
    table = overlaps(true, pred)
    assert table.shared.sum() == np.count_nonzero((true > 0) & (pred > 0))
    assert table.true_area.sum() == np.count_nonzero(true)
    assert table.pred_area.tolist() == [n for n in np.bincount(pred.ravel())[1:] if n]
    small = overlaps(*(np.where(np.bincount(x.ravel())[x] < 7, 0, x) for x in (true, pred)))
    reduced = table.without_small(7)
    for name in ("true_area", "pred_area", "true", "pred", "shared"):
        assert np.array_equal(getattr(reduced, name), getattr(small, name))


def test_label_values_do_not_matter():
    true, pred = cells((0, 10), (10, 25), (60, 90)), cells((0, 9), (11, 24), (55, 70), (70, 90))
    plain = metrics.score_image(true, pred)
    assert plain == metrics.score_image(np.where(true, 99 - true, 0), pred.astype(np.uint16) * 7)
    assert plain == metrics.score_image(true.astype(np.int64) * 10**12, pred)


@pytest.mark.parametrize("labels", [np.full((3, 400), -3), np.full((3, 400), 1.0)])
def test_labels_are_whole_numbers(labels):
    for pair in ((EMPTY, labels), (labels, EMPTY)):
        with pytest.raises(ValueError, match="whole numbers"):
            metrics.match(*pair)


def test_score_has_the_columns_of_the_design():
    kept, removed = metrics.score_image(cells((0, 10), (20, 24)), cells((0, 10), (30, 34)), 15)
    assert [kept.pop("small_objects"), removed.pop("small_objects")] == ["kept", "removed"]
    expected = "pixel_iou pixel_f1"
    for percent in range(50, 100, 5):
        expected += f" precision_{percent} recall_{percent} f1_{percent}"
    expected += " precision recall f1 missed gained merge split catastrophe correct"
    expected += " msa sa50 sa75 n_true n_pred"
    assert list(kept) == list(removed) == list(metrics.COLUMNS) == expected.split()
    # Cells of 3 x 4 pixels are gone on both sides.
    assert (kept["n_true"], kept["n_pred"], kept["sa50"]) == (2, 2, 1 / 3)
    assert (removed["n_true"], removed["n_pred"], removed["msa"]) == (1, 1, 1)
    assert (kept["pixel_iou"], removed["pixel_iou"]) == (10 / 18, 1)


def test_msa_averages_the_accuracy_over_thresholds():
    # IoU 0.75 and 0.6 of two cells: accuracy 1 up to 0.6, 1/3 up to 0.75, then 0.
    score = metrics.score_image(cells((0, 20), (30, 40)), cells((0, 15), (30, 36)))[0]
    assert score["msa"] == pytest.approx((3 * 1 + 3 / 3) / 10)
    assert (score["sa50"], score["sa75"]) == (1, 1 / 3)


def test_images_without_predicted_cells():
    score = metrics.score_image(cells((0, 10)), EMPTY)[0]
    assert {score[name] for name in (*metrics.SCORES, *metrics.ACCURACIES)} == {0}


@pytest.mark.parametrize("pred", [EMPTY, cells((0, 10))])
def test_images_without_true_cells_have_no_score_whatever_was_predicted(pred):
    """Else means of two networks would be over different images."""
    score = metrics.score_image(EMPTY, pred)[0]
    assert all(math.isnan(score[name]) for name in (*metrics.SCORES, *metrics.ACCURACIES))
    found = int(pred.any())
    counts = {name: score[name] for name in (*metrics.COUNTS, *metrics.SIZES) if score[name]}
    assert counts == ({"gained": found, "n_pred": found} if found else {})


def test_parts_of_a_score_say_0_for_false_cells_as_deepcell_and_stardist_do():
    one = cells((0, 10))
    assert metrics.match(EMPTY, one, (0.5,))[0]["f1"] == 0
    assert (
        metrics.error_counts(EMPTY, one)["f1"] == metrics.pixel_scores(EMPTY, one)["pixel_f1"] == 0
    )


CONDITION = {"dataset": "d", "model": "m", "heads": "inner-distance", "subset": "s", "seed": 3}


def confidences(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas and scores of the cells; the later, the surer."""
    pixels = np.bincount(labels.ravel())[1:]
    return pixels, np.linspace(0.5, 0.9, len(pixels))


def write_prediction(folder, name: str, labels: dict[str, np.ndarray]) -> None:
    atomic.write_stack(folder / f"{name}.npz", labels.items())
    confidence.write(
        folder / f"{name}.parquet", {image: confidences(one) for image, one in labels.items()}
    )


@pytest.fixture
def run(tmp_path):
    """Files of a run with two scored images out of four, and how to score them."""
    truth = {"c": cells((0, 9)), "a": cells((0, 10), (20, 30)), "b": cells((5, 15))}
    truth["d"] = cells(*((start, start + 10) for start in range(0, 240, 20)))
    atomic.write_stack(tmp_path / "truth.npz", truth.items())
    outlines = (
        array
        for image, labels in truth.items()
        for array in true_cells.arrays(image, true_cells.draw(list(encode(labels)), *labels.shape))
    )
    atomic.write_stack(tmp_path / "outlines.npz", outlines)
    write_prediction(tmp_path, "labels", {"b": truth["b"], "a": truth["c"]})
    table = pd.DataFrame({"image": list("abcd"), "cell_type": ["A172", *["BV2"] * 3]})
    table.to_parquet(tmp_path / "images.parquet")

    def score(
        threads: int = 1, predicted: str = "labels", instances=None
    ) -> dict[str, pd.DataFrame]:
        scoring.score_run(
            truth=tmp_path / "truth.npz",
            true_outlines=tmp_path / "outlines.npz",
            images=tmp_path / "images.parquet",
            predicted=tmp_path / f"{predicted}.npz",
            predicted_cells=tmp_path / f"{predicted}.parquet",
            output=tmp_path / "metrics.csv",
            coco_output=tmp_path / "coco.csv",
            sizes_output=tmp_path / "sizes.csv",
            condition=CONDITION,
            data_split="test",
            min_size=15,
            threads=threads,
            instances=instances,
        )
        return {name: pd.read_csv(tmp_path / f"{name}.csv") for name in ("metrics", "coco")}

    return score


def test_metrics_csv(run):
    table = run()["metrics"]
    condition = "dataset model heads subset seed data_split image cell_type small_objects"
    pixels = ["true_pixels", "pred_pixels", "shared_pixels"]
    assert list(table) == [*condition.split(), *metrics.COLUMNS, *pixels]
    # Three rows of pixels: 20 true columns, 9 of them found; 10 and 10.
    assert table[pixels].to_numpy().tolist() == [[60, 27, 27]] * 2 + [[30, 30, 30]] * 2
    assert table[["image", "cell_type", "small_objects"]].to_numpy().tolist() == [
        ["a", "A172", "kept"],
        ["a", "A172", "removed"],
        ["b", "BV2", "kept"],
        ["b", "BV2", "removed"],
    ]
    assert table["f1_50"].tolist() == pytest.approx([2 / 3, 2 / 3, 1, 1])
    assert set(table["seed"]) == {3}


def test_coco_csv(run):
    table = run()["coco"]
    condition = "dataset model heads subset seed data_split cell_type small_objects"
    assert list(table) == [*condition.split(), *names.COCO_SCORES]
    assert table[["cell_type", "small_objects"]].to_numpy().tolist() == [
        [kind, small] for kind in ("all", "A172", "BV2") for small in ("kept", "removed")
    ]
    # A172: one of two cells, with an IoU of 0.9; BV2: the only cell, exactly.
    kept = table[table["small_objects"] == "kept"].set_index("cell_type")
    assert kept["ap50"].tolist() == pytest.approx([67 / 101, 51 / 101, 1])
    assert kept["ar2000"]["BV2"] == 1
    # At 0.95 the cell of A172 is not found.
    assert kept["ar2000"]["A172"] == pytest.approx(0.5 * 9 / 10)
    assert kept["afnr"]["A172"] == pytest.approx(1 - 0.45)


def test_small_detections_are_removed_from_coco_scores(run, tmp_path):
    boxes = np.float32([[100, 0, 104, 3], [5, 0, 15, 3]])  # a small false one, surer than the cell
    disc = np.full((2, 28, 28), 255, np.uint8)
    found = Detections((3, 400), boxes, np.float32([0.9, 0.5]), disc)
    write_prediction(tmp_path, "painted", {"b": cells((5, 15))})
    instance_store.write(tmp_path / "instances.zip", [("b", found)])
    table = run(predicted="painted", instances=tmp_path / "instances.zip")["coco"]
    scores = table.set_index(["cell_type", "small_objects"])["ap50"]
    assert scores["BV2"].to_dict() == {"kept": 0.5, "removed": 1}


def test_a_warning_says_how_many_cells_are_predicted_and_how_many_annotated(run, tmp_path, capsys):
    write_prediction(tmp_path, "poor", {"d": cells((300, 310))})
    run(predicted="poor")
    said = "1 cells are predicted where 12 are annotated, on 1 image of the test split"
    assert said in capsys.readouterr().out


def test_the_number_of_processes_changes_no_score(run):
    for name, table in run(threads=1).items():
        pd.testing.assert_frame_equal(table, run(threads=2)[name])


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("z", cells((0, 9)), "not in .*truth"),
        ("a", cells((0, 9))[:2], "image a is 2 x 400"),
    ],
)
def test_wrong_predictions_are_explained(run, tmp_path, name, labels, message):
    write_prediction(tmp_path, "wrong", {"b": cells((5, 15)), name: labels})
    with pytest.raises(UserError, match=message):
        run(predicted="wrong")
    assert not (tmp_path / "metrics.csv").exists() and not (tmp_path / "coco.csv").exists()


def test_cells_without_a_score_are_explained(run, tmp_path):
    labels = {"b": cells((5, 15))}
    write_prediction(tmp_path, "wrong", labels)
    confidence.write(tmp_path / "wrong.parquet", {})
    with pytest.raises(UserError, match="image b has 1 cells"):
        run(predicted="wrong")
    (tmp_path / "wrong.parquet").write_text("no table")
    with pytest.raises(UserError, match=r"wrong\.parquet is not a table"):
        run(predicted="wrong")


def test_an_empty_prediction_file_is_refused(run, tmp_path):
    write_prediction(tmp_path, "none", {})
    with pytest.raises(UserError, match="no image"):
        run(predicted="none")
