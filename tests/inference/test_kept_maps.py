"""Maps of the images that an overlay shows, taken from the maps that a study keeps."""

import os

import numpy as np
import pytest

from cellseg.inference import kept, map_store

CHANNELS = ["inner-distance/0", "pixelwise/1"]
OPTIONS = {"window": 256, "batch_size": 8}


@pytest.fixture
def run(tmp_path):
    """Weights, and maps of three images that were predicted with them later."""
    random = np.random.default_rng(0)
    maps = {name: random.random((20, 30, 2), np.float32) for name in "abc"}
    (tmp_path / "weights.h5").write_bytes(b"")
    map_store.write(tmp_path / "all.zip", CHANNELS, maps.items(), 1, OPTIONS)
    os.utime(tmp_path / "weights.h5", (1, 1))
    return tmp_path, maps


def copy(folder, images=("c", "a"), options=OPTIONS, channels=CHANNELS):
    return kept.copy(folder / "all.zip", folder / "weights.h5", images, options, channels,
                     folder / "shown.zip")  # fmt: skip


def test_the_file_is_that_of_a_prediction(run):
    folder, maps = run
    assert copy(folder)
    map_store.write(folder / "predicted.zip", CHANNELS, [(name, maps[name]) for name in "ac"], 1,
                    OPTIONS)  # fmt: skip
    assert (folder / "shown.zip").read_bytes() == (folder / "predicted.zip").read_bytes()


@pytest.mark.parametrize(
    "case", ["options", "channels", "image", "missing", "damaged", "older than the weights"]
)
def test_other_maps_are_not_taken(run, case):
    folder, _ = run
    maps = folder / "all.zip"
    if case == "missing":
        maps.unlink()
    elif case == "damaged":
        maps.write_bytes(maps.read_bytes()[:-50])
    elif case == "older than the weights":
        os.utime(maps, (0, 0))
    other = {"options": {"options": {**OPTIONS, "window": 128}}, "image": {"images": ["d"]},
             "channels": {"channels": CHANNELS[:1]}}  # fmt: skip
    assert not copy(folder, **other.get(case, {}))
    assert not (folder / "shown.zip").exists()
