"""Sizes of tiles and windows that the network of family `cellpose-sam` does not take."""

import copy
from pathlib import Path

import pytest
import yaml

from cellseg.errors import UserError
from cellseg.study import validation
from workflow_runner import TINY

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((CHECKOUT / "workflow/schemas/config.schema.yaml").read_text())


def resolved(window=None, **model):
    own = copy.deepcopy(TINY)
    own["models"] = {"sam": {"family": "cellpose-sam", "size": 64, **model}}
    own["tilings"]["crop-128"] = {"mode": "crop", "size": 128}
    own["segmentation_by_heads"] = {"flows+fgbg": {"method": "flow-tracking"}}
    own["experiments"]["backbones"] |= {
        "conditions": [{"model": "sam", "heads": "flows+fgbg", "subset": "full", "seed": 0}],
        "figures": [],
    }
    own["prediction"] = {"window": window, "window_overlap": 0.25}
    return validation.resolve(own, SCHEMA)


@pytest.mark.parametrize("window", [None, 64])
def test_tiles_and_windows_of_its_size_are_taken(window):
    assert resolved(window)["models"]["sam"]["size"] == 64
    wide = resolved(size=128, training={"tiling": "crop-128"})
    assert wide["models"]["sam"]["depth"] == 24


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 256}, r"models\.sam\.size: .* its tiles have 64\. Use a tiling of `size: 256`"),
        ({"training": {"tiling": "crop-128"}}, r"its tiles have 128"),
        ({"window": 128}, r"windows of 64 pixels alone, and prediction\.window is 128"),
        ({"window": "image"}, r"windows of 64 pixels alone, and prediction\.window is image"),
        ({"width": 100}, r"models\.sam\.width: 100 is no multiple of attention_heads, 16"),
        ({"size": 60}, r"size"),
        ({"depth": 6}, r"depth"),
        ({"training": {"xla": True}}, r"models\.sam\.training\.xla"),
    ],
)
def test_others_are_refused_in_the_plan(given, said):
    with pytest.raises(UserError, match=said):
        resolved(**given)
