"""The benchmark of a training step, in small."""

import os
import re
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_it_measures_ways_and_parts(checkout):
    """Pairs of steps of both networks, and times that grow with the network."""
    command = [sys.executable, str(checkout / "tests/bench_step.py"), "--rounds", "2"]
    paths = os.pathsep.join(str(checkout / name) for name in ("scripts", "tests"))
    done = subprocess.run(
        [*command, "--only", "featurenet", "as a training", "bfloat16", "--threads", "1"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "featurenet, C2 to C5" in done.stdout and "ResNet50" not in done.stdout
    ways = re.findall(
        r"^\| (as a training computes|bfloat16) \| (\d+) \| ([\d.]+) ", done.stdout, re.M
    )
    assert [name for name, *_ in ways] == ["as a training computes", "bfloat16"]
    assert all(int(ms) > 1 and 0.01 < float(ratio) < 100 for _, ms, ratio in ways)
    forward = re.findall(r"^\| (backbone|and .*) \| (\d+) \| (\d+) \|", done.stdout, re.M)
    assert len(forward) == 3 and all(int(first) < int(second) for _, first, second in forward)
    assert int(forward[0][1]) < int(forward[-1][1])
