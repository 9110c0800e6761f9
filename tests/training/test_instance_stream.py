"""Crops with their cells one by one: nothing of what overlaps is lost."""

from dataclasses import replace

import numpy as np
import pytest
from pycocotools import mask as masks

from cellseg.data import cell_layers
from cellseg.data.frames import Frames
from cellseg.data.true_cells import draw
from cellseg.errors import UserError
from cellseg.training.augmentation import Augmentation
from cellseg.training.crops import CropPool, WindowPool
from cellseg.training.instance_stream import InstanceStream, cells_of, instances_in
from cellseg.training.intensity import Intensity

SHAPE = (80, 100)
PLACES = [(10, 30, 10, 40), (20, 50, 20, 60), (25, 35, 25, 35), (60, 80, 0, 15), (0, 8, 90, 100)]
"""Rows and columns of cells; the second covers a part of the first, the third lies in both."""


def _cells():
    drawn = np.zeros((len(PLACES), *SHAPE), np.uint8)
    for mask, (top, bottom, left, right) in zip(drawn, PLACES, strict=True):
        mask[top:bottom, left:right] = 1
    return drawn, draw([masks.encode(np.asfortranarray(mask)) for mask in drawn], *SHAPE)


def _stream(training, **changes):
    drawn, cells = _cells()
    image = (60 + 90 * drawn.any(axis=0)).astype(np.uint8)
    labels = drawn.any(axis=0).astype(np.int32)
    file = Frames(image.ravel(), labels.ravel(), np.array(["a"]), np.array([80]), np.array([100]))
    pool = CropPool([file], 64, 8) if training else WindowPool([file], 64, 8)
    options = {
        "tiles": pool, "index": np.arange(len(pool.image)), "heads": {"instances": {}},
        "batch_size": 2, "normalization": "whole-image", "seed": 3, "shuffle": training,
        "augmentation": Augmentation() if training else None, "cells": lambda image: cells,
    }  # fmt: skip
    return InstanceStream(**{**options, **changes})


def _equal(one, other):
    np.testing.assert_array_equal(one.boxes, other.boxes)
    np.testing.assert_array_equal(one.origins, other.origins)
    for own, theirs in zip(one.masks, other.masks, strict=True):
        np.testing.assert_array_equal(own, theirs)


def test_layers_hold_every_pixel_of_every_cell():
    drawn, cells = _cells()
    layers = cell_layers.layers(cells)
    assert len(layers) == 3
    for number, mask in enumerate(drawn, start=1):
        np.testing.assert_array_equal((layers == number).any(axis=0), mask.astype(bool))


def test_windows_hold_the_true_masks_and_boxes():
    stream = _stream(training=False)
    drawn, _ = _cells()
    x, y = zip(*stream.epoch(0), strict=True)
    assert np.concatenate(x).shape == (len(stream.index), 64, 64, 1)
    for number, found in enumerate(instances for batch in y for instances in batch):
        row, column = stream.tiles.corner(number)
        parts = [mask[row : row + 64, column : column + 64] for mask in drawn]
        expected = [part for part in parts if part.any()]
        assert len(found.masks) == len(expected)
        for part, mask, (left, top), box in zip(
            expected, found.masks, found.origins, found.boxes, strict=True
        ):
            whole = np.zeros((64, 64), np.uint8)
            whole[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
            np.testing.assert_array_equal(whole, part)
            rows, columns = np.nonzero(part)
            edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            np.testing.assert_array_equal(box, edges)


def test_crops_are_those_of_seed_and_number_whatever_the_workers_and_start():
    one = list(_stream(True).epoch(2))
    other = list(_stream(True, workers=3).epoch(2))
    rest = list(_stream(True).epoch(2, first=1))
    for (x, y), (x_other, y_other) in [
        *zip(one, other, strict=True),
        *zip(one[1:], rest, strict=True),
    ]:
        np.testing.assert_array_equal(x, x_other)
        for own, theirs in zip(y, y_other, strict=True):
            _equal(own, theirs)
    assert not np.array_equal(one[0][0], next(iter(_stream(True, seed=4).epoch(2)))[0])


def test_crops_show_cells_where_the_image_is_bright():
    stream = _stream(True, normalization="none", augmentation=Augmentation(90, 1.2, True))
    for epoch in range(5):
        for x, y in stream.epoch(epoch):
            for image, found in zip(x[..., 0], y, strict=True):
                painted = np.zeros(image.shape, bool)
                for mask, (left, top) in zip(found.masks, found.origins, strict=True):
                    painted[top : top + mask.shape[0], left : left + mask.shape[1]] |= mask > 0
                assert np.mean(painted == (image > 105)) > 0.97


def test_crops_are_changed_by_all_settings_of_the_augmentation():
    """Of grey values too, as in a stream of maps."""
    still = Augmentation(0, 1, False)

    def grey_values(**changes):
        stream = _stream(True, normalization="none", augmentation=replace(still, **changes))
        return np.concatenate([x for x, _ in stream.epoch(1)])

    plain, brighter = grey_values(), grey_values(intensity=Intensity(brightness=0.2))
    assert not set(np.unique(plain)) & set(np.unique(brighter))
    for changes in ({"rotation": 90}, {"zoom": 1.4}, {"flips": True}):
        assert not np.array_equal(grey_values(**changes), plain), changes


def test_a_cell_and_its_mirror_image_are_two():
    layer = np.zeros((20, 20), np.int32)
    layer[2:6, 0:3] = layer[2:6, 10:14] = 7
    assert len(instances_in([layer]).masks) == 1
    assert [box.tolist() for box in instances_in([layer], split=True).boxes] == [
        [0, 2, 3, 6], [10, 2, 14, 6],
    ]  # fmt: skip


def test_an_image_without_outlines_is_named(tmp_path):
    np.savez(tmp_path / "cells.npz", **{"a/shape": np.array([2, 2])})
    with pytest.raises(UserError, match="image b has no outlines"):
        cells_of([tmp_path / "cells.npz"])("b")
