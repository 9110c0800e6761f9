"""Detections by windows and in views, with a stand-in that finds every cell it sees."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cellseg.inference import instance_run
from cellseg.inference.detections import Views, Windows
from cellseg.segmentation.instances import paint


class Perfect:
    """Finds the connected cells of a binary image, whole or cut, as a detector would.

    Boxes and scores vary a little from window to window, as those of networks do.
    """

    def __init__(self, jitter: float = 0.0) -> None:
        self.jitter, self.random = jitter, np.random.default_rng(0)

    def boxes(self, image):
        labels = np.rint(image).astype(np.int32)
        found = []
        for number in np.unique(labels[labels > 0]):
            x, y, width, height = cv2.boundingRect((labels == number).astype(np.uint8))
            found.append([x, y, x + width, y + height])
        boxes = np.array(found, np.float32).reshape(-1, 4)
        boxes += self.random.uniform(-self.jitter, self.jitter, boxes.shape)
        scores = 0.9 + 0.1 * self.random.random(len(boxes))
        return boxes.astype(np.float32), scores.astype(np.float32)

    def masks(self, image, boxes):
        """The cell that fills most of the box, at 28 x 28 places in it."""
        masks = np.zeros((len(boxes), 28, 28), np.float32)
        for number, (x0, y0, x1, y1) in enumerate(boxes):
            x = np.floor(x0 + (np.arange(28) + 0.5) / 28 * (x1 - x0)).astype(int)
            y = np.floor(y0 + (np.arange(28) + 0.5) / 28 * (y1 - y0)).astype(int)
            seen = np.ix_(np.clip(y, 0, image.shape[0] - 1), np.clip(x, 0, image.shape[1] - 1))
            values = np.rint(image[seen]).astype(int)
            own = np.bincount(values[values > 0], minlength=1).argmax()
            masks[number] = values == own
        return masks, np.ones(len(boxes), np.float32)


def mosaic(height=300, width=420, largest=26, seed=0) -> np.ndarray:
    """Boxes of all sizes up to `largest`, touching each other, at every place relative to seams."""
    random = np.random.default_rng(seed)
    image = np.zeros((height, width), np.float32)
    number = 0
    for _ in range(3000):
        sides = random.integers(5, largest + 1, 2)
        row, column = random.integers(0, [height - sides[0] + 1, width - sides[1] + 1])
        place = np.s_[row : row + sides[0], column : column + sides[1]]
        if not image[place].any():
            number += 1
            image[place] = number
    return image


def in_order(boxes):
    return boxes[np.lexsort(np.rint(boxes).T)]


@pytest.mark.parametrize("window, overlap", [(64, 30), (100, 32), (128, 64), (600, 30)])
def test_every_cell_of_a_mosaic_is_found_once_and_whole(window, overlap):
    image = mosaic()
    found, scores = Windows(Perfect(), window, overlap).boxes(image)
    np.testing.assert_array_equal(in_order(found), in_order(Perfect().boxes(image)[0]))
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_boxes_that_vary_between_windows_are_neither_doubled_nor_lost(seed):
    image = mosaic(seed=seed)
    found, _ = Windows(Perfect(jitter=0.4), 80, 32).boxes(image)
    true = in_order(Perfect().boxes(image)[0])
    assert len(found) == len(true)
    assert np.abs(in_order_of(true, found) - true).max() <= 0.4 + 1e-4


def in_order_of(true, found):
    distance = np.abs(true[:, None] - found[None]).max(axis=2)
    return found[distance.argmin(axis=1)]


@pytest.mark.parametrize("largest", [28, 29, 30])
def test_cells_almost_as_large_as_the_overlap(largest):
    image = mosaic(largest=largest, seed=5)
    found, _ = Windows(Perfect(), 70, 30).boxes(image)
    np.testing.assert_array_equal(in_order(found), in_order(Perfect().boxes(image)[0]))


def test_masks_of_windows_repaint_the_mosaic():
    image = mosaic()
    windows = Windows(Perfect(), 100, 32)
    boxes, scores = windows.boxes(image)
    masks, quality = windows.masks(image, boxes)
    labels, _ = paint(boxes, scores * quality, masks, image.shape)
    pairs = np.unique(np.stack([labels.ravel(), image.ravel()]), axis=1)
    assert labels.max() == image.max() == len(boxes)
    assert pairs.shape[1] == image.max() + (image == 0).any()


def test_an_image_without_cells():
    image = np.zeros((150, 90), np.float32)
    boxes, scores = Windows(Perfect(), 64, 16).boxes(image)
    masks, quality = Windows(Perfect(), 64, 16).masks(image, boxes)
    assert boxes.shape == (0, 4) and scores.shape == (0,)
    assert masks.shape == (0, 28, 28) and quality.shape == (0,)


def test_an_overlap_as_large_as_the_window_is_refused():
    with pytest.raises(ValueError, match="overlap 64"):
        Windows(Perfect(), 64, 64)


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("rotations", [False, True])
def test_views_turn_boxes_and_masks_back(flips, rotations):
    image = mosaic(90, 130)
    views = Views(Perfect(), flips=flips, rotations=rotations)
    boxes, scores = views.boxes(image)
    np.testing.assert_array_equal(in_order(boxes), in_order(Perfect().boxes(image)[0]))
    masks, quality = views.masks(image, boxes)
    assert set(np.unique(masks)) <= {0, 1} and (quality == 1).all()
    labels, _ = paint(boxes, scores, masks, image.shape)
    assert len(np.unique(np.stack([labels.ravel(), image.ravel()]), axis=1).T) == 1 + image.max()


def test_each_symmetry_is_seen_once():
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    for options, number in (({}, 1), ({"flips": True}, 4), ({"rotations": True}, 4),
                            ({"flips": True, "rotations": True}, 8)):  # fmt: skip
        seen = Recording()
        Views(seen, **options).boxes(image)
        assert len(seen.images) == number == len({one.tobytes() for one in seen.images})


class Recording:
    def __init__(self):
        self.images = []

    def boxes(self, image):
        self.images.append(image)
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)


def test_scales_give_boxes_at_the_size_of_the_image():
    image = np.zeros((60, 80), np.float32)
    image[20:40, 30:60] = 1
    boxes, _ = Views(Perfect(), scales=[0.5, 2]).boxes(image)
    assert len(boxes) == 1
    assert np.abs(boxes[0] - [30, 20, 60, 40]).max() <= 1


def test_masks_of_views_are_averaged():
    class Uneven:
        """Says more of a cell on the left half of the image as it is seen."""

        def masks(self, image, boxes):
            left = (boxes[:, 0] + boxes[:, 2]) / 2 < image.shape[1] / 2
            values = np.where(left, 0.8, 0.2).astype(np.float32)
            return np.tile(values[:, None, None], (1, 28, 28)), values

    image = np.zeros((20, 20), np.float32)
    masks, quality = Views(Uneven(), flips=True).masks(image, [[1, 1, 5, 5]])
    np.testing.assert_allclose(masks, 0.5, rtol=1e-6)
    np.testing.assert_allclose(quality, 0.5, rtol=1e-6)


@pytest.mark.parametrize("options", [{"flips": True}, {"rotations": True, "flips": True}])
def test_masks_of_views_are_turned_back_to_their_side(options):
    """Of a cell that fills the upper left of its box."""

    class Seen:
        """The image itself within the box, at 28 x 28 places."""

        def masks(self, image, boxes):
            x0, y0, x1, y1 = np.rint(boxes[0]).astype(int)
            part = image[y0:y1, x0:x1]
            return cv2.resize(part, (28, 28), interpolation=cv2.INTER_NEAREST)[None], np.ones(1)

    image = np.zeros((40, 60), np.float32)
    image[4:11, 8:15] = 1
    masks, _ = Views(Seen(), **options).masks(image, [[8, 4, 22, 18]])
    expected = np.zeros((28, 28))
    expected[:14, :14] = 1
    np.testing.assert_array_equal(masks[0], expected)


def test_views_keep_as_many_boxes_as_asked_for():
    image = mosaic(90, 130)
    boxes, scores = Views(Perfect(), flips=True, most=5).boxes(image)
    assert len(boxes) == len(scores) == 5


def test_each_setting_of_a_prediction_reaches_the_detector(monkeypatch):
    """By the sizes of what it sees: window, overlap and every view."""
    monkeypatch.setattr(instance_run, "AT_ONCE", 64)
    views = {"flips": False, "rotations": False, "scales": [1]}

    def seen(changed_views=(), **changes):
        recording = Recording()
        family = SimpleNamespace(Predictor=lambda run, folder: recording)
        monkeypatch.setattr(instance_run, "detected", lambda predictor, one: predictor.boxes(one))
        options = {"window": None, "window_overlap": 0.5, **changes,
                   "test_time_augmentation": {**views, **dict(changed_views)}}  # fmt: skip
        run = {"training": {"normalization": "none"}}
        image = np.arange(80 * 80, dtype=np.uint8).reshape(80, 80)
        instance_run.image_detector(run, family, None, options)(image)
        return sorted(one.shape for one in recording.images)

    assert seen() == [(64, 64)] * 4
    assert seen(window="image") == [(80, 80)]
    assert (
        seen(window=48) == [(48, 48)] * 9 and seen(window=48, window_overlap=0.25) == [(48, 48)] * 4
    )
    for name in ("flips", "rotations"):
        assert seen({name: True}, window="image") == [(80, 80)] * 4
    assert seen({"scales": [0.5, 1.5]}, window="image") == [(40, 40), (120, 120)]
