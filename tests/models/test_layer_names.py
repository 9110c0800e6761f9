"""What is said of layers to freeze that a network does not have."""

import re
import subprocess
import sys

import h5py
import pytest

from cellseg.errors import UserError
from cellseg.models import starting
from cellseg.training.start import Start

MANY = [f"features.backbone.stage_{stage}.conv_{one}" for stage in range(9) for one in range(20)]
FEW = ["down_1_a", "down_1_b", "up_1"]


def _message(pattern, layers):
    start = Start("weights.h5", "all", [pattern], 1, "the other run", [])
    part_of = starting.parts(layers, [], [])
    with pytest.raises(UserError) as caught:
        starting.frozen(start, part_of, layers)
    return str(caught.value)


def test_all_layers_of_a_small_network_are_listed():
    assert _message("donw_1_*", FEW).endswith("The network has down_1_a, down_1_b, up_1.")


@pytest.mark.parametrize(
    ("pattern", "nearest"),
    [
        ("features.bakbone.*", "features.backbone.*"),
        ("features.backbone.stage_3.cnv_7", "features.backbone.stage_3.conv_7"),
    ],
)
def test_of_a_large_network_the_nearest_are_named(pattern, nearest):
    message = _message(pattern, MANY)
    assert f"is called '{pattern}'. Nearest: {nearest}" in message
    assert "The network has 180 layers." in message and len(message) < 450


def test_where_none_is_near_the_number_is_said():
    message = _message("qqqqqq", MANY)
    assert "is called 'qqqqqq'. The network has 180 layers. To list" in message


def test_the_command_of_the_message_lists_them(tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["features.conv.weight"] = [1]
    source = re.search(r'-c "(.+)"', starting.LISTS)[1].replace("RUN", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["features.conv.weight"]
