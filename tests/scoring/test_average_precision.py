"""COCO scores that one can check by eye, and the same numbers as pycocotools on awkward images."""

import contextlib
import io
import json
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cellseg.data.rasterize import rasterize
from cellseg.data.true_cells import draw
from cellseg.scoring import coco_average_precision
from cellseg.scoring.coco_average_precision import coco_scores, image_matches
from made_labels import ellipses

# pycocotools 2.0.11 warns in `decode` and `encode` on NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Image = tuple[list, list, np.ndarray, np.ndarray]  # segmentations, areas, labels, scores


def box(start: int, end: int, height: int = 10) -> list[list[float]]:
    """Outline of a cell that fills the columns from `start` to before `end`."""
    return [[start, 0, end, 0, end, height, start, height]]


def cells(*intervals: tuple[int, int]) -> np.ndarray:
    """Label image of cells that fill intervals of columns."""
    labels = np.zeros((10, 400), np.int32)
    for value, (start, end) in enumerate(intervals, start=1):
        labels[:, start:end] = value
    return labels


def image(true: list[tuple[int, int]], pred: list[tuple[int, int]], scores: list[float]) -> Image:
    areas = [10 * (end - start) for start, end in true]
    return [box(*interval) for interval in true], areas, cells(*pred), np.array(scores, float)


def score(*images: Image, smallest: int = 0) -> dict[str, float]:
    return coco_scores(image_matches(*one, smallest=smallest) for one in images)


def reference(*images: Image, smallest: int = 0) -> dict[str, float]:
    """The scores by pycocotools, with cells of fewer pixels than `smallest` left out."""
    listed, annotations, results = [], [], []
    for number, (segmentations, areas, labels, scores) in enumerate(images, start=1):
        height, width = labels.shape
        listed.append({"id": number, "height": height, "width": width})
        for segmentation, area in zip(segmentations, areas, strict=True):
            if np.count_nonzero(rasterize([segmentation], height, width)) >= smallest:
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "category_id": 1,
                     "iscrowd": 0, "segmentation": segmentation, "area": float(area)}
                )  # fmt: skip
        for value, count in zip(*np.unique(labels[labels > 0], return_counts=True), strict=True):
            if count >= smallest:
                encoded = mask.encode(np.asfortranarray(labels == value))
                results.append(
                    {"image_id": number, "category_id": 1, "segmentation": encoded,
                     "score": float(scores[value - 1])}
                )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": listed, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}]
        }  # fmt: skip
        truth.createIndex()
        nothing = COCO()
        nothing.dataset = {"annotations": []}
        evaluation = COCOeval(truth, truth.loadRes(results) if results else nothing, "segm")
        evaluation.params.useCats = 0
        evaluation.params.maxDets = [100, 500, 2000]
        evaluation.params.areaRng = [[0, 1e5**2], [0, 18**2], [18**2, 31**2], [31**2, 1e5**2]]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, 0, :, 2]  # IoU, recall, area range
    recall = evaluation.eval["recall"][:, 0, 0, 2]
    values = [
        *(precision[..., 0], precision[0, :, 0], precision[5, :, 0]),
        *(precision[..., area] for area in (1, 2, 3)),
        *(recall, 1 - recall),
    ]
    exists = [precision[0, 0, 0] > -1] * 3
    exists += [precision[0, 0, area] > -1 for area in (1, 2, 3)] + [recall[0] > -1] * 2
    return {
        name: float(value.mean()) if known else math.nan
        for name, value, known in zip(
            coco_average_precision.COCO_SCORES, values, exists, strict=True
        )
    }


def assert_equals_pycocotools(*images: Image, smallest: int = 0) -> dict[str, float]:
    found = score(*images, smallest=smallest)
    expected = reference(*images, smallest=smallest)
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, rel=0, abs=1e-12, nan_ok=True)
    return found


def test_everything_found():
    found = score(image([(0, 20), (30, 80), (100, 250)], [(0, 20), (30, 80), (100, 250)], [1] * 3))
    assert tuple(found) == coco_average_precision.COCO_SCORES
    assert list(found.values()) == pytest.approx([1] * 7 + [0])


def test_an_iou_of_seven_tenths_counts_at_five_of_ten_thresholds():
    found = score(image([(0, 10)], [(0, 7)], [0.9]))
    assert [found[name] for name in ("ap", "ap50", "ap75")] == pytest.approx([0.5, 1, 0])
    assert [found[name] for name in ("ar2000", "afnr")] == pytest.approx([0.5, 0.5])


def test_precision_falls_with_what_scores_higher():
    true = [(0, 10), (20, 30)]
    pred = [(0, 10), (40, 50), (20, 30)]
    # One hit of one, then two of three: precision 1 up to a recall of 1/2, then 2/3.
    assert score(image(true, pred, [3, 2, 1]))["ap"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    # One of two, then two of three: the envelope lifts the first to 2/3.
    assert score(image(true, pred, [2, 3, 1]))["ap"] == pytest.approx(2 / 3)
    assert score(image(true, pred, [1, 2, 3]))["ap"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    # Half of the true cells is 51 points of recall, 0 being one.
    assert score(image(true, pred[:2], [2, 1]))["ap"] == pytest.approx(51 / 101)


def test_of_equal_scores_the_earlier_image_and_the_smaller_label_come_first():
    hit, false = image([(0, 10)], [(0, 10)], [0.5]), image([], [(0, 10)], [0.5])
    assert score(hit, false)["ap"] == pytest.approx(1)
    assert score(false, hit)["ap"] == pytest.approx(1 / 2)
    assert score(image([(0, 10)], [(0, 10), (20, 30)], [0.5] * 2))["ap"] == pytest.approx(1)
    assert score(image([(20, 30)], [(0, 10), (20, 30)], [0.5] * 2))["ap"] == pytest.approx(1 / 2)


def test_true_cells_may_overlap():
    # Two outlines of one cell: found once, and a recall of one half.
    found = score(image([(0, 10), (0, 10)], [(0, 10)], [1]))
    assert (found["ap"], found["ar2000"]) == pytest.approx((51 / 101, 1 / 2))
    # The cell that chooses first takes the better true cell, the other one keeps the rest.
    found = score(image([(0, 20), (0, 10)], [(0, 10), (10, 20)], [2, 1]))
    assert (found["ap50"], found["ap75"]) == pytest.approx((1, 51 / 101))


def test_sizes_go_by_the_published_area_of_true_and_the_pixels_of_predicted_cells():
    segmentations, _, labels, scores = image([(0, 30), (100, 130)], [(0, 30), (200, 240)], [1, 2])
    small = score((segmentations, [324, 961], labels, scores))
    # Both ends belong to a range. The false cell of 400 pixels is medium, and scores higher.
    assert small["aps"] == pytest.approx(1)
    assert small["apm"] == pytest.approx(51 / 101 / 2)
    assert small["apl"] == 0
    assert math.isnan(score((segmentations, [325, 960], labels, scores))["aps"])


def test_of_equal_ious_the_last_true_cell_is_taken():
    # Either half of the first true cell has an IoU of 1/2; the left one also with the second.
    segmentations, areas, labels, scores = image([(0, 20)], [(0, 10), (10, 20)], [2, 1])
    in_two_parts = [*box(0, 10), *box(30, 40)]
    one = [*segmentations, in_two_parts], [*areas, 200], labels, scores
    assert assert_equals_pycocotools(one)["ap50"] == pytest.approx(1)
    one = [in_two_parts, *segmentations], [*areas, 200], labels, scores
    assert assert_equals_pycocotools(one)["ap50"] == pytest.approx(51 / 101)


def test_a_true_cell_outside_the_range_excuses_one_predicted_cell_only():
    halves, medium = [(0, 35), (35, 70)], (100, 150)
    segmentations, _, labels, scores = image([(0, 70), medium], [*halves, medium], [3, 2, 1])
    one = segmentations, [10, 500], labels, scores
    assert assert_equals_pycocotools(one)["apm"] == pytest.approx((1 / 2 + 9 / 3) / 10)


def test_small_objects_are_removed_first():
    # The small predicted cell would take the true one; the small true cell would be missed.
    one = image([(0, 20), (50, 52)], [(0, 19), (60, 62)], [1, 2])
    assert score(one)["ap50"] == pytest.approx(51 / 101 / 2)
    assert score(one, smallest=20)["ap50"] == score(one)["ap50"]
    assert score(one, smallest=21)["ap50"] == pytest.approx(1)


def test_nothing():
    one, none = (0, 10), np.zeros(0)
    assert all(math.isnan(value) for value in score().values())
    assert all(math.isnan(value) for value in score(image([], [], none)).values())
    assert all(math.isnan(value) for value in score(image([], [one], [1])).values())
    missed = score(image([one], [], none))
    assert [missed[name] for name in ("ap", "ap50", "aps", "ar2000", "afnr")] == [0, 0, 0, 0, 1]
    assert math.isnan(missed["apm"])
    assert_equals_pycocotools(image([], [one], [1]))
    assert_equals_pycocotools(image([one], [], none), image([], [], none))


def test_scores_of_unused_labels_are_not_looked_at():
    segmentations, areas, labels, _ = image([(0, 10)], [(0, 10)], [1])
    labels[labels == 1] = 3
    scores = np.array([np.nan, 9, 0.5, np.nan])
    found = image_matches(segmentations, areas, labels.astype(np.uint8), scores)
    assert found.score.tolist() == [0.5]
    assert coco_scores([found])["ap"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"areas": [100, 100]}, "areas"),
        ({"scores": np.zeros(0)}, "scores of shape"),
        ({"scores": np.array([np.nan])}, "NaN"),
        ({"labels": -cells((0, 10))}, "whole numbers"),
        ({"labels": cells((0, 10)).astype(float)}, "whole numbers"),
        ({"segmentations": [{"size": [9, 400], "counts": [3600]}]}, "size"),
        ({"segmentations": [{"size": [10, 400], "counts": [3999, 2]}]}, "add up to 4001"),
    ],
)
def test_wrong_input_is_refused(change, message):
    right = dict(
        zip(("segmentations", "areas", "labels", "scores"), image([(0, 10)], [(0, 10)], [1]),
            strict=True)
    )  # fmt: skip
    with pytest.raises(ValueError, match=message):
        image_matches(**{**right, **change})


def test_labels_of_another_size_than_the_true_cells():
    drawn = draw([box(0, 10)], 10, 400, [100])
    with pytest.raises(ValueError, match="shape"):
        coco_average_precision.match_cells(drawn, np.zeros((400, 10), np.int32), np.zeros(0))


def test_matches_travel_between_threads_and_processes():
    images = [perturbed(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        matches = list(pool.map(lambda one: image_matches(*one), images))
    assert coco_scores(pickle.loads(pickle.dumps(matches))) == score(*images)


# Boxes on a coarse grid: IoUs of exactly 1/2, 3/5 or 9/10 and equal ones are frequent, and blocks
# of 9 and of 31 pixels put areas on the borders of 324 and 961 pixels.
ROWS, COLUMNS = 4, 5
corners = st.tuples(
    *(st.integers(0, size - 1) for size in (ROWS, COLUMNS)),
    *(st.integers(1, size) for size in (ROWS, COLUMNS)),
)
coarse_images = st.tuples(
    st.lists(st.tuples(corners, st.booleans(), st.sampled_from([None, 20, 324.5, 961, 1e4]))),
    arrays(np.int32, (ROWS, COLUMNS), elements=st.integers(0, 6)),
    st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=6, max_size=6),
)


def enlarged(content: tuple, block: int) -> Image:
    true, labels, scores = content
    height, width = ROWS * block, COLUMNS * block
    segmentations, areas = [], []
    for (top, left, rows, columns), is_polygon, area in true:
        bottom, right = min(top + rows, ROWS), min(left + columns, COLUMNS)
        x, y, u, v = (block * edge for edge in (left, top, right, bottom))
        filled = np.zeros((height, width), np.uint8, order="F")
        filled[y:v, x:u] = 1
        segmentations.append(
            [[x, y, u, y, u, v, x, v]] if is_polygon else mask.encode(filled)
        )  # fmt: skip
        areas.append(np.count_nonzero(filled) if area is None else area)
    labels = np.kron(labels, np.ones((block, block), np.int32))
    return segmentations, areas, labels, np.array(scores)


@pytest.mark.parity
@settings(max_examples=150, deadline=None)
@given(st.lists(coarse_images, max_size=4), st.sampled_from([9, 31]), st.sampled_from([0, 300]))
def test_equals_pycocotools_on_coarse_images(images, block, smallest):
    assert_equals_pycocotools(*(enlarged(one, block) for one in images), smallest=smallest)


def perturbed(seed: int) -> Image:
    """True cells, some outlined twice or by chance; predicted ones are shifted, cut and merged."""
    random = np.random.default_rng(seed)
    height, width = (int(size) for size in random.integers(40, 120, 2))
    true = ellipses(int(random.integers(3, 40)), height, width, seed)
    segmentations = [
        mask.encode(np.asfortranarray(true == value)) for value in np.unique(true[true > 0])
    ]
    for _ in range(int(random.integers(0, 9))):  # polygons over the cells, partly out of the frame
        centre = random.random(2) * (width, height)
        outline = centre + random.normal(0, 12, (int(random.integers(3, 9)), 2))
        segmentations.append([outline.ravel().tolist()])
    segmentations += segmentations[:: int(random.integers(2, 9))]
    areas = mask.area([one for one in segmentations if isinstance(one, dict)]).astype(float)
    areas = [*areas, *random.uniform(0, 1500, len(segmentations) - len(areas))]
    labels = np.roll(true, random.integers(0, 3, 2), (0, 1))
    columns = np.arange(width) // int(random.integers(20, 60))
    labels = np.where((labels > 0) & (random.random(labels.max() + 1) < 0.2)[labels],
                      labels + columns * (labels.max() + 1), labels)  # fmt: skip
    labels[labels % 7 == 3] += 1  # merged, and label values unused
    scores = random.random(labels.max()).round(int(random.choice([1, 2, 9])))
    return segmentations, areas, labels, scores


@pytest.mark.parity
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4), st.sampled_from([0, 15, 60]))
def test_equals_pycocotools_on_ellipses(seeds, smallest):
    assert_equals_pycocotools(*(perturbed(seed) for seed in seeds), smallest=smallest)


def crowded(n_columns: int, every: int, seed: int) -> Image:
    """Cells of 2 x 4 pixels side by side; few of them true, or pycocotools would take a minute."""
    random = np.random.default_rng(seed)
    labels = np.kron(
        np.arange(1, 25 * n_columns + 1, dtype=np.int32).reshape(25, n_columns),
        np.ones((2, 4), np.int32),
    )
    scores = random.random(labels.max())
    scores[::every] += 0.7
    segmentations, areas = [], []
    for value in range(1, labels.max() + 1, every):
        y, x = (int(corner) for corner in np.argwhere(labels == value)[0])
        u, v = x + int(random.integers(2, 6)), y + 2
        segmentations.append([[x, y, u, y, u, v, x, v]])
        areas.append(2.0 * (u - x))
    return segmentations, areas, labels, scores.round(2)


@pytest.mark.parity
@pytest.mark.parametrize(("n_columns", "every"), [(6, 2), (28, 11), (100, 41)])
def test_equals_pycocotools_on_crowded_images(n_columns, every):
    """150, 700 and 2,500 predicted cells: more than each of 100, 500 and 2,000."""
    one = crowded(n_columns, every, n_columns)
    assert len(image_matches(*one).score) == min(25 * n_columns, 2000)
    found = assert_equals_pycocotools(one, perturbed(1))
    assert 0.05 < found["ap"] < 0.95


@pytest.mark.parity
def test_equals_pycocotools_on_real_cells(livecell_mini):
    content = json.loads(
        (livecell_mini / "annotations/LIVECell/livecell_coco_test.json").read_text()
    )
    images = []
    random = np.random.default_rng(3)
    for entry in content["images"]:
        own = [cell for cell in content["annotations"] if cell["image_id"] == entry["id"]]
        segmentations = [cell["segmentation"] for cell in own]
        labels = rasterize(segmentations, entry["height"], entry["width"])
        labels = np.roll(labels, random.integers(0, 3, 2), (0, 1))
        labels[labels % 11 == 3] -= 1  # merged with the one before in the file
        labels[np.isin(labels, random.integers(1, labels.max(), len(own) // 9))] = 0
        scores = random.random(len(own)).round(2)
        images.append((segmentations, [cell["area"] for cell in own], labels, scores))
    found = assert_equals_pycocotools(*images)
    assert all(0.1 < value < 0.95 for value in found.values())
