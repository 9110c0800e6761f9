"""Whole images from windows."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cellseg.errors import UserError
from cellseg.inference import map_run, sliding_window
from cellseg.inference import run as predict_run
from cellseg.study import segmentation_methods


def identity(tiles):
    """A network that gives its input back, in two channels."""
    return {"head": np.concatenate([tiles, -tiles], axis=-1)}


@pytest.mark.parametrize("shape", [(64, 64), (520, 704), (65, 130), (10, 200), (30, 20)])
@pytest.mark.parametrize("overlap", [0, 1, 16])
def test_blending_returns_the_image_that_the_windows_agree_on(shape, overlap):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    maps = sliding_window.predict_image(identity, image, 64, overlap, "none")
    assert maps["head"].shape == (*shape, 2)
    np.testing.assert_allclose(maps["head"][..., 0], image, atol=1e-3)
    np.testing.assert_allclose(maps["head"][..., 1], -image.astype(float), atol=1e-3)


@pytest.mark.parametrize("grid", [2, 4])
@pytest.mark.parametrize("shape", [(520, 704), (65, 131), (30, 20)])
def test_windows_begin_on_the_grid_of_the_values(shape, grid):
    """Between, a network has learnt nothing, as with half of StarDist's resolution."""

    def on_grid(tiles):
        known = np.full_like(tiles, 1e6)
        known[:, ::grid, ::grid] = tiles[:, ::grid, ::grid]
        return {"head": known}

    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    maps = sliding_window.predict_image(on_grid, image, 64, 16, "none", grid=grid)
    assert maps["head"].shape == (*shape, 1)
    np.testing.assert_allclose(maps["head"][::grid, ::grid, 0], image[::grid, ::grid], atol=1e-3)


def test_seams_are_blended():
    """Windows that disagree give a ramp, not a step."""

    def numbered(tiles):
        values = np.arange(len(tiles), dtype=np.float32)[:, None, None, None]
        return {"head": np.broadcast_to(values, tiles.shape)}

    image = np.zeros((64, 112), np.uint8)
    row = sliding_window.predict_image(numbered, image, 64, 16, "none")["head"][32, :, 0]
    assert row[0] == 0 and row[-1] == 1
    assert np.abs(np.diff(row)).max() < 0.15


def test_overlap_must_be_less_than_the_window():
    with pytest.raises(ValueError, match="less than window"):
        sliding_window.predict_image(identity, np.zeros((64, 64), np.uint8), 64, 64, "none")


def test_a_whole_image_is_predicted_at_once():
    calls = []

    def noted(tiles):
        calls.append(tiles.shape)
        return identity(tiles)

    image = np.random.default_rng(0).integers(0, 256, (52, 70)).astype(np.uint8)
    maps = sliding_window.predict_whole(noted, image, "none")
    assert calls == [(1, 52, 70, 1)]
    np.testing.assert_array_equal(maps["head"][..., 0], image)


def views(**changes) -> dict:
    """Options of a prediction: which views of an image are averaged."""
    return {
        "test_time_augmentation": {"flips": False, "rotations": False, "scales": [1], **changes}
    }


@pytest.mark.parametrize(
    ("tiling", "options", "shapes"),
    [
        ({"mode": "cut", "size": 32}, {}, {(2, 32, 32, 1)}),
        ({"mode": "cut", "size": 32}, {"window": "image"}, {(1, 32, 64, 1)}),
        ({"mode": "cut", "size": 32}, {"window": "image", **views(rotations=True)},
         {(1, 32, 64, 1), (1, 64, 32, 1)}),
        ({"mode": "cut", "size": 32}, {"window": "image", **views(scales=[1, 2])},
         {(1, 32, 64, 1), (1, 64, 128, 1)}),
        ({"mode": "resize", "size": 64}, {}, {(1, 64, 64, 1)}),
    ],
)  # fmt: skip
def test_options_decide_what_the_network_sees(tiling, options, shapes):
    seen = set()

    class Predictor:
        def __init__(self, settings, folder):
            pass

        def __call__(self, tiles):
            seen.add(tiles.shape)
            return identity(tiles)

    run = {"training": {"normalization": "none"}, "tiling": tiling, "heads": {}}
    defaults = {"window": None, "window_overlap": 0, "batch_size": 8, **views()}
    predict = map_run.image_predictor(
        run, SimpleNamespace(Predictor=Predictor), Path(), {**defaults, **options}
    )
    maps = predict(np.full((32, 64), 7, np.uint8))
    assert seen == shapes
    np.testing.assert_allclose(maps["head"][..., 0], 7, atol=1e-4)


def test_settings_of_an_older_version_predict_nothing(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"heads": {}, "model": {}, "tiling": {}, "training": {}}))
    with pytest.raises(UserError, match=r"settings\.json was made by an older version .*Train the"):
        predict_run.predict(str(path), [], None, 1, {}, {}, None, tmp_path, "none.zip", 1)


def test_resized_prediction_has_the_size_of_the_image():
    image = np.full((52, 70), 9, np.uint8)
    maps = sliding_window.predict_resized(identity, image, 32, "none")
    assert maps["head"].shape == (52, 70, 2)
    np.testing.assert_allclose(maps["head"][..., 0], 9, atol=1e-4)


def test_a_resized_image_is_averaged_and_its_maps_are_interpolated():
    """A network sees grey where a checkerboard shrinks; a map has no steps where it grows."""
    seen = []

    def steep(tiles):
        seen.append(tiles[0, ..., 0])
        ramp = np.broadcast_to(np.arange(16, dtype=np.float32), (16, 16))
        return {"head": ramp[None, ..., None]}

    board = (200 * (np.indices((64, 64)).sum(0) % 2)).astype(np.uint8)
    maps = sliding_window.predict_resized(steep, board, 16, "none")
    np.testing.assert_allclose(seen[0][2:-2, 2:-2], 100, atol=8)
    row = maps["head"][30, 8:56, 0]
    np.testing.assert_allclose(np.diff(row), 0.25, atol=0.01)


def test_every_nth_image_of_each_cell_type():
    names = [f"{number}{kind}" for number in range(6) for kind in "ab"]
    table = pd.DataFrame({"image": names[::-1], "cell_type": [name[1] for name in names[::-1]]})
    found = predict_run.scored_images(table, 3)["image"].tolist()
    assert found == ["0a", "0b", "3a", "3b"]
    assert len(predict_run.scored_images(table, 1)) == 12


def test_only_used_channels_are_stored():
    maps = {"inner-distance": np.ones((4, 5, 1)), "pixelwise": np.zeros((4, 5, 3)) + [1, 2, 3]}
    names = segmentation_methods.METHODS["watershed"].stored(maps)
    assert names == ["inner-distance/0", "pixelwise/1"]
    array = sliding_window.stacked(maps, names)
    assert array.shape == (4, 5, 2)
    assert array[0, 0].tolist() == [1, 2]
