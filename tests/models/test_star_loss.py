"""The losses of distances along rays, to the centre and to the border, by hand."""

import warnings

import numpy as np
import pytest

from cellseg.targets.heads import HEADS


@pytest.fixture(scope="module")
def loss():
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        from cellseg.models.keras3 import backend, losses  # noqa: F401

    return losses.of_head(HEADS["star-distances"], softmax_scale=7)


def maps(height=4, width=4):
    """One pixel in the middle of a cell, one at its border, all others in the background."""
    truth = np.zeros((1, height, width, 33), np.float32)
    truth[0, 1, 1], truth[0, 1, 2] = 6, 5
    truth[0, 1, 1, -1], truth[0, 1, 2, -1] = 1, 0.5
    prediction = np.zeros((1, height, width, 32), np.float32)
    prediction[0, 1, 1], prediction[0, 1, 2] = 4, 8
    prediction[0, 3, 3] = -10
    return truth, prediction


def test_distances_count_by_probability_and_the_background_a_little(loss):
    truth, prediction = maps()
    # Off by 2 with weight 1, and by 3 with weight 0.5; 0.5 x 8 and 10 of the rest, over 16 pixels.
    expected = (2 + 1.5) / 1.5 + 1e-4 * (4 + 10) / 16
    np.testing.assert_allclose(loss(truth, prediction), 0.2 * expected, rtol=1e-5)


def test_background_alone_has_a_finite_loss(loss):
    truth, prediction = maps()
    np.testing.assert_allclose(loss(0 * truth, prediction * 0 + 3), 0.2 * 3e-4, rtol=1e-5)


def test_of_a_grid_only_its_pixels_count(loss):
    truth, prediction = maps(8, 8)
    everywhere = loss(truth[:, ::2, ::2], np.zeros_like(prediction[:, ::2, ::2]) + 1)
    spread = np.full_like(prediction, 99)
    spread[:, ::2, ::2] = 1
    np.testing.assert_allclose(loss(truth[:, ::2, ::2], spread), everywhere, rtol=1e-6)


def test_distances_to_centre_and_border_count_in_cells_alone():
    from cellseg.models.keras3 import losses

    truth = np.zeros((1, 2, 4, 2), np.float32)
    truth[0, 0, :2] = 0.75, 1
    prediction = np.full((1, 2, 4, 1), 0.25, np.float32)
    prediction[0, 1] = 99  # no cell is there
    for head in ("center-distance", "boundary-distance"):
        loss = losses.of_head(HEADS[head], softmax_scale=7)
        np.testing.assert_allclose(loss(truth, prediction), 2 * 0.5**2 / 8, rtol=1e-6)
