"""A data set of files with several channels and pages, by the workflow's rules."""

import copy

import numpy as np
import pytest
import tifffile

from cellseg.data import tiles
from workflow_runner import TINY, Workflow

TILES = "results/data/mine/tiles/cut-64/train.npz"


@pytest.fixture
def stacks(tmp_path):
    """A data set of images of two slices and two channels; returns its entry, and the images."""
    random = np.random.default_rng(0)
    labels = np.zeros((48, 64), np.uint16)
    labels[4:12, 4:12], labels[20:28, 30:38] = 1, 2
    values = {}
    for split in ("train", "val", "test"):
        values[split] = random.integers(60, 200, (2, 2, 48, 64)).astype(np.uint8)
        for kind, array in (("images", values[split]), ("masks", labels)):
            path = tmp_path / split / kind / "0.tif"
            path.parent.mkdir(parents=True)
            axes = {"images": "ZCYX", "masks": "YX"}[kind]
            tifffile.imwrite(path, array, imagej=True, metadata={"axes": axes})
    folders = {split: str(tmp_path / split / "masks") for split in values}
    return {"kind": "local", "images": str(tmp_path), "labels": folders}, values


def test_channel_and_page_of_a_data_set(checkout, tmp_path, stacks):
    entry, values = stacks
    config = copy.deepcopy(TINY)
    config["datasets"]["mine"] = entry | {"channel": 2, "page": 1}
    flow = Workflow.copy(checkout, tmp_path / "flow", config)
    done = flow.call(TILES)
    assert done.returncode == 0, done.stdout
    np.testing.assert_array_equal(
        tiles.open(flow.folder / TILES).X[0, :48, :64, 0], values["train"][0, 1]
    )
    assert flow.planned(TILES) == {}
    config["datasets"]["mine"]["page"] = 2
    flow.configure(config)
    assert flow.planned(TILES) == {"use_local": 1, "parse": 1, "rasterize": 1, "tile": 1}
