"""Flows: unit vectors towards the middle of cells. Parity with cellpose is tested elsewhere."""

import numpy as np
import pytest
from scipy import ndimage

from cellseg.inference import test_time_augmentation
from cellseg.targets import heads
from cellseg.targets.distances import runs_of_pieces
from cellseg.targets.flows import flows_of, flows_of_pieces, turned
from made_labels import ellipses

SYMMETRIES = [(quarters, mirrored) for quarters in range(4) for mirrored in (False, True)]


def transformed(image, quarters, mirrored):
    """An image (H, W, ...) mirrored left to right, then turned."""
    return np.rot90(image[:, ::-1] if mirrored else image, quarters)


def test_a_row_points_to_its_centre():
    labels = np.zeros((3, 7), np.int32)
    labels[1, 1:6] = 9
    found = flows_of(labels)
    assert found.shape == (3, 7, 2) and found.dtype == np.float32
    assert found[1, 1:6, 1].tolist() == [1, 1, 0, -1, -1]
    assert not found[..., 0].any() and not found[[0, 2]].any()


def test_vectors_have_length_one_in_cells_and_zero_outside():
    labels = ellipses(20, 60, 70, 0)
    length = np.sqrt((flows_of(labels).astype(float) ** 2).sum(axis=-1))
    assert not length[labels == 0].any()
    moving = length[labels > 0] > 0
    np.testing.assert_allclose(length[labels > 0][moving], 1, atol=1e-6)
    assert moving.mean() > 0.99  # all but centres


def test_what_has_no_gradient_stays():
    """No cell, single pixels, and pieces without the centre; the image's border is none."""
    assert not flows_of(np.zeros((5, 4), np.int32)).any()
    labels = np.zeros((6, 9), np.int32)
    labels[0, 0], labels[2:5, 1:5], labels[2, 8] = 1, 2, 2
    found = flows_of(labels)
    assert not found[0, 0].any() and not found[2, 8].any() and found[2:5, 1:5].any()
    at_border = np.zeros((6, 6), np.int32)
    at_border[:4, :5] = 1
    inside = np.pad(at_border, 3)
    np.testing.assert_array_equal(flows_of(at_border), flows_of(inside)[3:-3, 3:-3])


@pytest.mark.parametrize(("height", "width"), [(1, 9), (9, 1), (6, 7), (11, 8), (5, 16), (19, 23)])
def test_flows_are_the_gradient_of_heat(height, width):
    """Bit for bit, of a cell with holes, as far apart as strips of the kernel begin."""
    cell = np.random.default_rng(height * width).random((height, width)) < 0.8
    cell[:, [0, -1]] = cell[[0, -1]] = True
    row, column = np.nonzero(cell)
    away = (column - column.mean()) ** 2 + (row - row.mean()) ** 2
    centre = row[away.argmin()], column[away.argmin()]
    heat = np.zeros((height, width))
    around = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]

    def neighbours():
        framed = np.pad(heat, 1)
        return [framed[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in around]

    for _ in range(2 * (height + width + 4)):
        heat[centre] += 1
        heat = np.where(cell, sum(neighbours()) * (1 / 9), 0)
    _, above, below, left, right, *_ = neighbours()
    vectors = np.stack([below - above, right - left], axis=-1) * cell[..., None]
    vectors /= 1e-60 + np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    found = flows_of(np.pad(5 * cell.astype(np.int32), ((2, 0), (3, 4))))
    np.testing.assert_array_equal(found[2:, 3:-4], vectors.astype(np.float32))
    assert not found[:2].any() and not found[:, :3].any()


@pytest.mark.parametrize("seed", range(6))
def test_pieces_are_those_of_scipy(seed):
    """Label by label; each is connected, by sides or corners."""
    labels = np.random.default_rng(seed).integers(0, 2 + seed, (17, 23)).astype(np.int32)
    found = np.zeros(labels.shape, np.int32)
    for row, start, end, piece in zip(*runs_of_pieces(labels)[:4], strict=True):
        found[row, start:end] = piece + 1
    count = 0
    for value in range(1, 2 + seed):
        expected, number = ndimage.label(labels == value, np.ones((3, 3)))
        here = labels == value
        pairs = set(zip(found[here].tolist(), expected[here].tolist(), strict=True))
        assert len(pairs) == number
        count += number
    assert found.max() == count == len(np.unique(found[found > 0]))
    assert not found[labels == 0].any()


def test_the_target_has_a_centre_in_every_piece():
    labels = np.zeros((20, 40), np.int32)
    labels[3:12, 4:13], labels[5:14, 22:31] = 1, 1
    target = heads.compute(labels, {"flows": {}})["flows"]
    np.testing.assert_array_equal(target, flows_of_pieces(labels))
    np.testing.assert_array_equal(target[3:12, 4:13], target[5:14, 22:31])
    assert not flows_of(labels)[5:14, 22:31].any() or not flows_of(labels)[3:12, 4:13].any()


def test_cells_do_not_see_each_other():
    labels = ellipses(20, 60, 70, 1)
    together = flows_of(labels)
    for value in np.unique(labels)[1:]:
        alone = flows_of(np.where(labels == value, 1, 0).astype(np.int32))
        np.testing.assert_array_equal(together[labels == value], alone[labels == value])


@pytest.mark.parametrize(("quarters", "mirrored"), SYMMETRIES)
def test_flows_of_turned_labels_are_turned_flows(quarters, mirrored):
    """But for sums in another order; cells have no two pixels equally near to their mean."""
    rows, columns = np.mgrid[:41, :37]
    labels = (((rows - 19.3) / 14) ** 2 + ((columns - 17.2) / 9) ** 2 < 1).astype(np.int32)
    labels[(columns + rows > 43) & (labels > 0)] = 2
    expected = transformed(turned(flows_of(labels), quarters, mirrored), quarters, mirrored)
    found = flows_of(np.ascontiguousarray(transformed(labels, quarters, mirrored)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("flips", "rotations"), [(True, False), (False, True), (True, True)])
def test_averages_over_orientations_are_the_flows(flips, rotations):
    """Of a network that sees the cells of any orientation right."""

    def predict(tiles):
        found = [flows_of(np.ascontiguousarray(tile[..., 0]).astype(np.int32)) for tile in tiles]
        return {"flows": np.stack(found)}

    rows, columns = np.mgrid[:41, :37]
    cell = ((rows - 19.3) / 14) ** 2 + ((columns - 17.2) / 9) ** 2 < 1
    tiles = cell.astype(np.float32)[None, ..., None]
    found = test_time_augmentation.averaged(predict, flips, rotations)(tiles)["flows"]
    np.testing.assert_allclose(found, predict(tiles)["flows"], atol=1e-5)


def test_the_loss_is_five_times_the_squared_error():
    from cellseg.models.keras3 import losses

    truth, prediction = np.random.default_rng(0).normal(size=(2, 2, 8, 8, 2)).astype(np.float32)
    found = losses.of_head(heads.HEADS["flows"], softmax_scale=0.01)(truth, prediction)
    np.testing.assert_allclose(found, 5 * np.mean((truth - prediction) ** 2), rtol=1e-5)
